"""Removes old files."""
import datetime
import gocept.filestore.disk.draft
import gocept.filestore.disk.layout
import gocept.filestore.disk.listing
import gocept.filestore.disk.lock
import gocept.filestore.disk.writing
import gocept.filestore.interfaces
import gocept.filestore.retry.removal


def clean(attempts, intents, space, older_than):
    """Remove what came into a space before a certain time."""
    attempts.layout.check(space, gocept.filestore.disk.layout.CLEANED)
    limit = (attempts.layout.clock() -
             age(space, older_than)) * 1e9  # nanoseconds
    removed, errors = [], []
    space = attempts.layout.get(space)
    for filename in gocept.filestore.disk.listing.until(space, limit):
        try:
            if clean_one(attempts, intents, space, filename, limit):
                removed.append(filename)
        except gocept.filestore.interfaces.NoSuchFile:
            continue  # somebody else has taken it
        except OSError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return removed


def age(space, older_than):
    """Return an age in seconds."""
    if older_than is None:
        if space != 'tmp':
            raise ValueError(
                'how old a file in %r has to be must be said' % space)
        return gocept.filestore.disk.draft.ABANDONED
    if isinstance(older_than, datetime.timedelta):
        return older_than.total_seconds()
    return older_than


def clean_one(attempts, intents, space, filename, limit):
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
        return gocept.filestore.retry.removal.remove_aside(
            attempts, space, filename, held)
