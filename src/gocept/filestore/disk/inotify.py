"""Tells, where the kernel does so, that a file has come into a space."""
import contextlib
import glob
import gocept.filestore.disk.file_system
import gocept.filestore.disk.probe
import gocept.filestore.disk.process
import os
import select
import time


PATIENCE = 1000  # milliseconds
MISSING = 'inotify_simple is not installed'


class Notifier:
    """An open file that can be read when a file comes into a space.

    Or when one has been written there, if it is asked for that.
    """

    descriptor = -1

    def __init__(self, space, written=False):
        import inotify_simple  # of an extra, and slow
        flags = inotify_simple.flags
        # Its `INotify` would close whatever has its number.
        with contextlib.closing(inotify_simple.INotify()) as notifier:
            notifier.add_watch(
                space.directory, flags.CREATE | flags.MOVED_TO | flags.ONLYDIR
                | (flags.CLOSE_WRITE if written else 0))
            self._status = os.fstat(notifier.fileno())
            self.descriptor = os.dup(notifier.fileno())

    def fileno(self):
        return self.descriptor

    def is_open(self):
        return gocept.filestore.disk.process.is_open(
            self.descriptor, self._status)

    def read(self, timeout):
        """Tell whether one comes within so many milliseconds."""
        poll = select.poll()
        poll.register(self, select.POLLIN)
        return bool(poll.poll(timeout) and os.read(self.descriptor, 65536))

    def close(self):
        if self.descriptor >= 0 and self.is_open():
            os.close(self.descriptor)
        self.descriptor = -1

    __del__ = close


def delay(source, target, now=time.monotonic):
    """Return how long it takes until a move from space to space is told.

    It is in seconds, and None if it takes too long. Where others move files
    meanwhile, theirs may be told first.
    """
    with (contextlib.closing(Notifier(target)) as notifier,
          gocept.filestore.disk.probe.probe(source, target) as (name, _)):
        begin = now()
        gocept.filestore.disk.probe.rename(source, name, target)
        if notifier.read(timeout=PATIENCE):
            return now() - begin


class Watcher:
    """Watches one space after the other, where there is notification.

    A new notifier is due for another directory, when somebody has closed it,
    and in a child, which takes nothing away from its parent.
    """

    space = notifier = reason = _process = None

    def watches(self, space):
        return (self._process == os.getpid()
                and self.space.identity == space.identity
                and (self.notifier is None or self.notifier.is_open()))

    def watch(self, source, target, space, written=False):
        """Watch a space; why it can not be watched is the `reason`."""
        self.close()
        self.notifier, self.reason = proven(source, target, space, written)
        self.space, self._process = space, os.getpid()

    def wait(self, bell, seconds):
        """Wait, and tell whether the bell was rung, or something has come."""
        if self.notifier is None:
            return bell.wait(seconds)
        return bell.wait(seconds, [self.notifier]) or self.has_come()

    def has_come(self):
        """Tell whether something has come since this was asked before."""
        return bool(self.notifier and self.notifier.read(timeout=0))

    def close(self):
        if self.notifier is not None:
            self.notifier.close()
            self.notifier = None


def proven(source, target, *watched):
    """Return a notifier of a space, or None and why there can not be one.

    That a move from space to space is told is tried before.
    """
    try:
        if delay(source, target) is None:
            return None, 'nobody is told of a file that comes'
        return Notifier(*watched or (target,)), None
    except ImportError:
        return None, MISSING
    except OSError as error:
        return None, error.strerror


def watchers(space):
    """Return the ids of processes on this host that watch a space.

    Of those of other users only root may know it.
    """
    try:
        major, minor = gocept.filestore.disk.file_system.device(
            space.descriptor)
    except (OSError, ValueError):
        return set()  # it is not mounted here any more
    watched = ' ino:%x sdev:%x ' % (
        os.fstat(space.descriptor).st_ino, major << 20 | minor)
    return {int(path.split('/')[2])
            for path in glob.iglob('/proc/[0-9]*/fd/*')
            if watched in watches(path)}


def watches(path):
    """Return what a descriptor of a process watches, see proc(5)."""
    with contextlib.suppress(OSError):  # it has ended, or is not ours
        if os.readlink(path) == 'anon_inode:inotify':
            with open(path.replace('/fd/', '/fdinfo/')) as file:
                return file.read()
    return ''
