import contextlib
import gocept.filestore.interfaces
import gocept.filestore.listing
import gocept.filestore.lock
import gocept.filestore.name
import itertools
import time


def take(layout, work, filename):
    """Move a file from `work`, whose lock is ours, to `failed`.

    An older one of that name gets a number.
    """
    failed = layout.made('failed')
    while True:
        try:
            return work.move(filename, failed, filename)
        except gocept.filestore.interfaces.NameTaken:
            number_older(failed, filename)


def number_older(failed, filename):
    numbers = itertools.count(1)
    while not rename(failed, filename, gocept.filestore.name.backup(
            filename, next(numbers))):
        pass


def rename(failed, filename, backup):
    """Give a file another name; tell whether its own one is free now.

    Whoever puts it back holds its lock. If that is done by links, he would
    remove the name of the file that has come in its place.
    """
    held = gocept.filestore.lock.wait(failed, filename)
    with held or contextlib.nullcontext(), contextlib.suppress(
            FileNotFoundError):
        try:
            failed.move(filename, failed, backup, held and held.status)
        except gocept.filestore.interfaces.NameTaken:
            if not failed.has_twins(filename, backup):
                return False
            failed.remove(filename)
    return True


def put_back(layout, attempts, filename):
    """Move a file that has failed to `new`, under the name it had there.

    That its attempts begin anew is written down by whoever claims it.
    """
    failed = layout.get('failed')
    if failed:
        failed.check(filename)
    held = failed and gocept.filestore.lock.wait(failed, filename)
    if not held:
        return move_waiting(layout, attempts, filename)
    with held:
        own = attempts.name_of(filename, held.status.st_ino)
        if layout['new'].has_file(own):
            raise gocept.filestore.interfaces.NameTaken(
                own, layout.path, 'there is one in %r' % 'new')
        attempts.restart(own, held.status.st_ino)
        failed.move(filename, layout['new'], own, held.status)


def move_waiting(layout, attempts, filename):
    """Move a file that waits in `work` for its next attempt to `new`."""
    work = layout.get('work')
    held = work and gocept.filestore.lock.hold(work, filename)
    with held or contextlib.nullcontext():
        if held and is_waiting(attempts, work, filename, held.status.st_ino):
            return work.move(filename, layout['new'], filename)
    raise gocept.filestore.interfaces.NoSuchFile(
        filename, layout.path, 'there is none that has failed')


def is_waiting(attempts, work, filename, inode):
    return (work.inode(filename) == inode
            and attempts.history(filename, inode).is_waiting)


def failures(layout, attempts, clock=time.time):
    """Return a dictionary for each file in `failed`."""
    failed = layout.get('failed')
    names = gocept.filestore.listing.oldest_first(failed) if failed else ()
    return [failure(attempts, filename, status, clock())
            for filename in names if (status := failed.stat(filename))]


def failure(attempts, filename, status, now):
    own = attempts.name_of(filename, status.st_ino)
    history = attempts.history(own, status.st_ino)
    return {
        'filename': filename,
        'age': max(0, now - status.st_ctime),
        'attempts': history.attempts,
        'error': history.error}
