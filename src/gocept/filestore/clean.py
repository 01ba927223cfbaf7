import contextlib
import datetime
import gocept.filestore.failed
import gocept.filestore.interfaces
import gocept.filestore.lease
import gocept.filestore.listing
import gocept.filestore.lock
import gocept.filestore.move
import gocept.filestore.name
import time


SPACES = ('tmp', 'cur', 'failed')
ABANDONED = 36 * 60 * 60  # seconds, for drafts; maildir(5)


def clean(layout, attempts, intents, space, older_than, clock=time.time):
    """Remove what came into a space before a certain time."""
    if space not in SPACES:
        raise gocept.filestore.interfaces.InvalidSpace(
            space, layout.path,
            'the spaces for this are %s' % ', '.join(SPACES))
    limit = (clock() - age(space, older_than)) * 1e9  # nanoseconds
    removed, errors = [], []
    space = layout.get(space)
    for filename in gocept.filestore.listing.until(space, limit):
        try:
            if clean_one(layout, attempts, intents, space, filename, limit):
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
        return ABANDONED
    if isinstance(older_than, datetime.timedelta):
        return older_than.total_seconds()
    return older_than


def clean_one(layout, attempts, intents, space, filename, limit):
    """Remove a file, if nobody works with it; tell whether it was done."""
    held = gocept.filestore.lock.hold(space, filename)
    if held is None:
        return False
    with held:
        if held.status.st_ctime_ns > limit or not (
                gocept.filestore.move.is_at(
                    space.descriptor, filename, held.status)):
            return False  # another one of this name
        if space.name == 'tmp' and (
                # by somebody who knows nothing of our locks
                gocept.filestore.lease.is_written(held.descriptor)
                or intents.has_draft(filename)):
            return False
        return remove_aside(layout, attempts, space, filename, held)


def remove_aside(layout, attempts, space, filename, held):
    """Remove a file, and not a newer one that replaces it at this moment.

    Who replaces it does not ask for its lock. So it goes aside first.
    """
    tmp, aside = layout['tmp'], gocept.filestore.name.unique()
    if space.name != 'tmp':
        forget(attempts, filename, held.status.st_ino)
    space.replace(filename, tmp, aside)
    if not gocept.filestore.move.is_at(
            tmp.descriptor, aside, held.status):
        bring_back(tmp, aside, space, filename)
        return False
    tmp.remove(aside)
    return True


def bring_back(tmp, aside, space, filename):
    """Move a file back to its place; an even newer one is the older then."""
    with contextlib.suppress(gocept.filestore.interfaces.NameTaken):
        return tmp.move(aside, space, filename)
    if space.name == 'failed':
        gocept.filestore.failed.number_older(space, filename)
        return bring_back(tmp, aside, space, filename)
    tmp.remove(aside)


def remove(space, filename, attempts):
    """Remove a file, and what is written down of it."""
    status = space.stat(filename)
    if status is not None and space.name != 'tmp':
        forget(attempts, filename, status.st_ino)
    space.remove(filename)


def forget(attempts, filename, inode):
    """Drop the reasons first: nothing would lead to them any more.

    And the next file of this name may have this inode.
    """
    attempts.forget(attempts.name_of(filename, inode), inode)
