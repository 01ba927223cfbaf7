import os
import shutil


def copy(source, filename, publication):
    """Copy a file into a publication, no more readable than it is."""
    with open(source.open(filename), 'rb') as original:
        with publication as target:
            shutil.copyfileobj(original, target)
            set_access(target.fileno(), os.fstat(original.fileno()))


def set_access(descriptor, status):
    """Give a file the group and the permission bits of another.

    Without the group, its bits would let in somebody else.
    """
    mode = status.st_mode & 0o777
    try:
        os.fchown(descriptor, -1, status.st_gid)
    except OSError:
        mode &= ~0o070
    os.fchmod(descriptor, mode)
