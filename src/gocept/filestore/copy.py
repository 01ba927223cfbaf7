import gocept.filestore.draft
import os
import shutil


def copy(source, filename, publication):
    """Copy a file into a publication, no more readable than it is."""
    descriptor = source.open(filename)
    with open(descriptor, 'rb') as original:
        if source.name == 'tmp':
            gocept.filestore.draft.locked(source, filename, descriptor)
        with publication as target:
            shutil.copyfileobj(original, target)
            set_access(target.fileno(), os.fstat(descriptor))


def set_access(descriptor, status):
    """Give a file the group and the permission bits of another.

    Without the group, its bits would let in somebody else.
    """
    mode = status.st_mode & 0o777
    try:
        os.fchown(descriptor, -1, status.st_gid)
    except PermissionError:
        mode &= ~0o070
    os.fchmod(descriptor, mode)
