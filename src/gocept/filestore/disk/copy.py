"""Copies a file, in the kernel where it can, for nobody else to read."""
import contextlib
import errno
import gocept.filestore.disk.move
import os
import shutil


MOST = 2 ** 30  # bytes that the kernel copies at once
UNSUPPORTED = (*gocept.filestore.disk.move.UNSUPPORTED, errno.EXDEV)
ACL = 'system.posix_acl_access'  # acl(5), on Linux


def copy(source, filename, publication):
    """Copy a file into a publication, no more readable than it is."""
    with open(source.open(filename), 'rb') as original:
        with publication as target:
            copy_in_kernel(original.fileno(), target.fileno())
            # Whatever is left; where the kernel can not do it, that is all.
            shutil.copyfileobj(original, target)
            set_access(target.fileno(), original.fileno())


def copy_in_kernel(source, target, copy=os.copy_file_range):
    """Copy a file without reading it; xfs and btrfs just share the blocks."""
    try:
        while copy(source, target, MOST):
            pass
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def set_access(descriptor, original):
    """Give a file the group of another, and permission bits that fit."""
    with contextlib.suppress(OSError):
        os.fchown(descriptor, -1, os.fstat(original).st_gid)
    group = os.fstat(descriptor).st_gid
    os.fchmod(descriptor, mode_for(original, group))


def mode_for(original, group):
    """Return permission bits for a copy that nobody else may read.

    With an ACL, the bits of the group are the mask of the ACL. In another
    group, who was of the group is of the others, and the other way round.
    """
    status = os.fstat(original)
    mode = status.st_mode & 0o777
    if has_acl(original):
        mode &= ~0o070
    if group != status.st_gid:
        both = mode >> 3 & mode & 0o007
        mode = mode & 0o700 | both << 3 | both
    return mode


def has_acl(descriptor):
    try:
        return ACL in os.listxattr(descriptor)
    except OSError:
        return False  # the file system has none
