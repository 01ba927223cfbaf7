"""Removes old files."""
import contextlib
import datetime
import gocept.filestore.disk.draft
import gocept.filestore.disk.layout
import gocept.filestore.disk.listing
import gocept.filestore.disk.lock
import gocept.filestore.disk.writing
import gocept.filestore.interfaces
import gocept.filestore.retry.removal


def clean(attempts, intents, space, older_than, wanted=None,
          dry_run=False):
    """Remove what came into a space before a certain time."""
    attempts.layout.check(space, gocept.filestore.disk.layout.CLEANED)
    limit = (attempts.layout.clock() - age(space, older_than)) * 1e9  # ns
    removed, errors = [], []
    space = attempts.layout.get(space)
    for filename in gocept.filestore.disk.listing.until(space, limit, wanted):
        try:
            if clean_one(attempts, intents, space, filename, limit, dry_run):
                removed.append(filename)
        except gocept.filestore.interfaces.NoSuchFile:
            continue  # somebody else has taken it
        except OSError as error:
            errors.append(error)
    if space and space.name == 'tmp' and not (space.is_local or dry_run):
        for name in gocept.filestore.disk.layout.ALL:
            clean_hidden(attempts.layout.get(name), limit)
    if errors:
        raise errors[0]
    return removed


def clean_hidden(space, limit):
    """Remove what NFS has kept of open files, if its host has died.

    Whoever works with such a file has it locked.
    """
    for entry in space.entries(is_kept_by_nfs) if space else ():
        with (contextlib.suppress(OSError),  # it is up to somebody else
              gocept.filestore.disk.lock.hold(space, entry.name)
              or contextlib.nullcontext() as held):
            if held and held.status.st_ctime_ns <= limit:
                space.remove(entry.name)


def is_kept_by_nfs(entry):
    return entry.name.startswith('.nfs')


def age(space, older_than):
    if older_than is None:
        if space != 'tmp':
            raise ValueError(
                'how old a file in %r has to be must be said' % space)
        return gocept.filestore.disk.draft.ABANDONED
    if isinstance(older_than, datetime.timedelta):
        return older_than.total_seconds()
    return older_than


def clean_one(attempts, intents, space, filename, limit, dry_run=False):
    """Remove a file, if nobody works with it; tell whether it was done."""
    held = gocept.filestore.disk.lock.hold(space, filename)
    if held is None:
        return False
    with held:
        if held.status.st_ctime_ns > limit or not space.is_at(
                filename, held.status):
            return False  # another one of this name
        if space.name == 'tmp' and (
                # by somebody who knows nothing of our locks
                gocept.filestore.disk.writing.is_written(held.descriptor)
                or intents.has_draft(filename)):
            return False
        return dry_run or gocept.filestore.retry.removal.remove_aside(
            attempts, space, filename, held)
