"""Takes files into `failed`, lists them, and puts them back."""
import contextlib
import gocept.filestore.disk.listing
import gocept.filestore.disk.lock
import gocept.filestore.disk.name
import gocept.filestore.interfaces
import itertools


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
    while not rename(failed, filename, gocept.filestore.disk.name.backup(
            filename, next(numbers))):
        pass


def rename(failed, filename, backup):
    """Give a file another name; tell whether its own one is free now.

    Whoever puts it back holds its lock. If that is done by links, he would
    remove the name of the file that has come in its place.
    """
    held = gocept.filestore.disk.lock.wait(failed, filename)
    with held or contextlib.nullcontext(), contextlib.suppress(
            FileNotFoundError):
        try:
            failed.move(filename, failed, backup, held and held.status)
        except gocept.filestore.interfaces.NameTaken:
            status = failed.stat(filename)
            if status is None or not failed.is_at(backup, status):
                return False
            failed.remove(filename)
    return True


def put_back(attempts, filename):
    """Move a file that has failed to `new`, under the name it had there.

    That its attempts begin anew is written down by whoever claims it.
    """
    layout = attempts.layout
    failed = layout.get('failed')
    if failed:
        failed.check(filename)
    held = failed and gocept.filestore.disk.lock.wait(failed, filename)
    if not held:
        return move_waiting(attempts, filename)
    with held:
        own = attempts.name_of(filename, held.status.st_ino)
        if layout['new'].has_file(own):
            raise gocept.filestore.interfaces.NameTaken(
                own, layout.path, 'there is one in %r' % 'new')
        attempts.restart(own, held.status.st_ino)
        failed.move(filename, layout['new'], own, held.status)


def move_waiting(attempts, filename):
    """Move a file that waits in `work` for its next attempt to `new`."""
    layout = attempts.layout
    work = layout.get('work')
    held = work and gocept.filestore.disk.lock.hold(work, filename)
    with held or contextlib.nullcontext():
        if held and is_waiting(attempts, work, filename, held.status.st_ino):
            return work.move(filename, layout['new'], filename)
    raise gocept.filestore.interfaces.NoSuchFile(
        filename, layout.path, 'there is none that has failed')


def is_waiting(attempts, work, filename, inode):
    return (work.inode(filename) == inode
            and attempts.history(filename, inode).is_waiting)


def failures(attempts):
    """Return a dictionary for each file in `failed`."""
    failed = attempts.layout.get('failed')
    return [failure(attempts, filename, status)
            for filename in gocept.filestore.disk.listing.until(failed)
            if (status := failed.stat(filename))]


def failure(attempts, filename, status):
    own = attempts.name_of(filename, status.st_ino)
    history = attempts.history(own, status.st_ino)
    return {
        'filename': filename,
        'age': max(0, attempts.layout.clock() - status.st_ctime),
        'attempts': history.attempts,
        'error': history.error}
