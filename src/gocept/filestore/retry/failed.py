"""Takes files into `failed`, lists them, and puts them back."""
import contextlib
import gocept.filestore.disk.listing
import gocept.filestore.disk.lock
import gocept.filestore.disk.name
import gocept.filestore.disk.probe
import gocept.filestore.interfaces
import itertools


def take(layout, work, filename):
    """Move our file from `work` to `failed`; an older one gets a number."""
    failed = layout.made('failed')
    while True:
        try:
            return work.move(filename, failed, filename)
        except gocept.filestore.interfaces.NameTaken:
            status = work.stat(filename)
            # If an equal file was linked to it, we have the lock of both.
            number_older(failed, filename, is_locked=bool(
                status and failed.is_at(filename, status)))


def number_older(failed, filename, is_locked=False):
    numbers = itertools.count(1)
    while not rename(failed, filename, gocept.filestore.disk.name.backup(
            filename, next(numbers)), is_locked):
        pass


def rename(failed, filename, backup, is_locked=False):
    """Give a file another name; tell whether its own one is free now.

    Whoever puts it back holds its lock. If that is done by links, he would
    remove the name of the file that has come in its place.
    """
    held = None if is_locked else (
        gocept.filestore.disk.lock.wait(failed, filename))
    with held or contextlib.nullcontext(), contextlib.suppress(
            FileNotFoundError):
        try:
            failed.move(filename, failed, backup, held and held.status)
        except gocept.filestore.interfaces.NameTaken:
            status = failed.stat(filename)
            if status is None or not failed.is_at(backup, status) or not (
                    gocept.filestore.disk.probe.leaves_names(failed)):
                return False
            failed.remove(filename)
    return True


def put_back(attempts, filename, dry_run=False):
    """Move a file that has failed to `new`, under the name it had there.

    That its attempts begin anew is written down by whoever claims it.
    """
    layout = attempts.layout
    failed = layout.get('failed')
    if failed:
        failed.check(filename)
    held = failed and gocept.filestore.disk.lock.wait(failed, filename)
    if not held:
        return move_waiting(attempts, filename, dry_run)
    with held:
        own = attempts.name_of(filename, held.status.st_ino)
        check_free(layout, own)
        if dry_run:
            return own
        attempts.restart(own, held.status.st_ino)
        failed.move(filename, layout['new'], own, held.status)


def check_free(layout, filename):
    if layout['new'].has_file(filename):
        raise gocept.filestore.interfaces.NameTaken(
            filename, layout.path, 'there is one in %r' % 'new')


def move_waiting(attempts, filename, dry_run):
    """Move a file that waits in `work` for its next attempt to `new`."""
    layout = attempts.layout
    work = layout.get('work')
    held = work and gocept.filestore.disk.lock.hold(work, filename)
    with held or contextlib.nullcontext():
        inode = held and held.status.st_ino
        if held and work.inode(filename) == inode and (
                attempts.history(filename, inode).is_waiting):
            if not dry_run:
                return work.move(filename, layout['new'], filename)
            check_free(layout, filename)
            return filename
    raise gocept.filestore.interfaces.NoSuchFile(
        filename, layout.path, 'there is none that has failed')


def failures(attempts, wanted=None):
    """Return a dictionary for each file in `failed` that is wanted."""
    failed = attempts.layout.get('failed')
    names = gocept.filestore.disk.listing.until(failed, is_wanted=wanted)
    moment = attempts.layout.clock()
    return [failure(attempts, filename, status, moment)
            for filename in names if (status := failed.stat(filename))]


def failure(attempts, filename, status, moment):
    _, history = attempts.found(filename, status.st_ino)
    return {
        'filename': filename,
        'age': max(0, moment - status.st_ctime),
        'attempts': history.attempts,
        'error': history.error}
