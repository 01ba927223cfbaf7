"""Removes a file, and what is written down about it; and no newer one."""
import contextlib
import gocept.filestore.disk.name
import gocept.filestore.interfaces
import gocept.filestore.retry.failed


def remove_aside(attempts, space, filename, held):
    """Remove a file, and not a newer one that replaces it at this moment.

    Who replaces it does not ask for its lock. So it goes aside first.
    """
    tmp, aside = attempts.layout['tmp'], gocept.filestore.disk.name.unique()
    own = settle(attempts, space, filename, held.status.st_ino, True)
    space.replace(filename, tmp, aside)
    if not tmp.is_at(aside, held.status):
        bring_back(tmp, aside, space, filename)
        return False
    tmp.remove(aside)
    if own:
        attempts.forget(own, held.status.st_ino)
    return True


def bring_back(tmp, aside, space, filename):
    """Move a file back to its place; an even newer one is the older then."""
    with contextlib.suppress(gocept.filestore.interfaces.NameTaken):
        return tmp.move(aside, space, filename)
    if space.name == 'failed':
        gocept.filestore.retry.failed.number_older(space, filename)
        return bring_back(tmp, aside, space, filename)
    tmp.remove(aside)


def remove(space, filename, attempts):
    """Remove a file, and what is written down of it."""
    status = space.stat(filename)
    own = status and settle(attempts, space, filename, status.st_ino, True)
    space.remove(filename)
    if own:
        # By now another file may have this inode.
        attempts.sweep(own)


def settle(attempts, space, filename, inode, is_there):
    """Drop the reasons first: nothing would lead to them any more.

    And the next file of this name may have this inode. What has come with the
    file stays as long as that. Return the name under which both lie, if any.
    """
    if space.name == 'tmp':
        return None
    own, history = attempts.found(filename, inode)
    attempts.settle(own, inode, is_there)
    return own if history.events else None
