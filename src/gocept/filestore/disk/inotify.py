"""Tells, where the kernel does so, that a file has come into a space."""
import contextlib
import gocept.filestore.disk.probe
import time


try:
    import inotify_simple
except ImportError:
    inotify_simple = None

PATIENCE = 1000  # milliseconds


def watched(space):
    """Return an open file that can be read when a file comes into a space."""
    notifier = inotify_simple.INotify()
    try:
        notifier.add_watch(
            space.directory, inotify_simple.flags.CREATE
            | inotify_simple.flags.MOVED_TO | inotify_simple.flags.ONLYDIR)
    except BaseException:
        notifier.close()
        raise
    return notifier


def delay(source, target, now=time.monotonic):
    """Return how long it takes until a move from space to space is told.

    It is in seconds, and None if it takes too long. Where others move files
    meanwhile, theirs may be told first.
    """
    with (contextlib.closing(watched(target)) as notifier,
          gocept.filestore.disk.probe.probe(source, target) as (name, _)):
        begin = now()
        gocept.filestore.disk.probe.rename(source, name, target)
        if notifier.read(timeout=PATIENCE):
            return now() - begin


def proven(source, target):
    """Return a notifier of a space, or None and why there can not be one.

    That a move from space to space is told is tried before.
    """
    if inotify_simple is None:
        return None, 'inotify_simple is not installed'
    try:
        if delay(source, target) is None:
            return None, 'nobody is told of a file that comes'
        return watched(target), None
    except OSError as error:
        return None, error.strerror
