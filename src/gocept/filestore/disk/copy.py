"""Copies a file, in the kernel where it can, for nobody else to read."""
import contextlib
import errno
import gocept.filestore.disk.move
import os
import shutil


MOST = 2 ** 30  # bytes that the kernel copies at once
BLOCK = 2 ** 20  # bytes that are read at once
BLOCKS = 512  # bytes; stat(2) counts in these
UNSUPPORTED = (*gocept.filestore.disk.move.UNSUPPORTED, errno.EXDEV)
ACL = 'system.posix_acl_access'  # acl(5), on Linux


def copy(source, filename, publication, look):
    """Copy a file into a publication, no more readable than it is.

    `look` gets the status of the file that is copied.
    """
    with open(source.open(filename), 'rb') as original:
        look(os.fstat(original.fileno()))
        with publication as target:
            copy_content(original, target)
            set_access(target.fileno(), original.fileno())


def copy_content(source, target):
    """Copy an open file into an empty one; what is a hole stays one."""
    status, end = os.fstat(source.fileno()), 0
    if status.st_size and not os.lseek(source.fileno(), 0, os.SEEK_CUR):
        for start, end in pieces(source.fileno(), status):
            copy_piece(source.fileno(), target.fileno(), start, end)
        if end < status.st_size:
            os.ftruncate(target.fileno(), status.st_size)
        for file in (source, target):
            os.lseek(file.fileno(), status.st_size, os.SEEK_SET)
    # A pipe, a file that does not tell its size, or one that has grown.
    shutil.copyfileobj(source, target)


def pieces(descriptor, status, seek=os.lseek):
    """Yield from where to where a file has data, as far as can be told."""
    if status.st_blocks * BLOCKS >= status.st_size:
        yield 0, status.st_size
        return
    end = 0
    while end < status.st_size:
        try:
            start = seek(descriptor, end, os.SEEK_DATA)
            end = seek(descriptor, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return  # nothing but a hole
            if error.errno not in UNSUPPORTED:
                raise
            start, end = end, status.st_size
        yield start, end


def by_reading(source, target, count, start, new_start):
    return os.pwrite(
        target, os.pread(source, min(count, BLOCK), start), new_start)


IN_KERNEL = getattr(os, 'copy_file_range', by_reading)  # Linux


def copy_piece(source, target, start, end, copy=IN_KERNEL):
    """Copy a piece without reading it; xfs and btrfs just share the blocks.

    Where the kernel does not do it, or says that there is no more, we read.
    """
    try:
        while start < end and (count := copy(
                source, target, min(end - start, MOST), start, start)):
            start += count
    except OSError as error:
        if copy is by_reading or error.errno not in UNSUPPORTED:
            raise
    if start < end and copy is not by_reading:
        copy_piece(source, target, start, end, by_reading)


def copy_facts(source, target):
    """Let a copy stand for a file that could not be moved.

    It gets the owner if we may give it, the times, and the attributes that
    users give, as far as the file system has them and room for them.
    """
    status = os.fstat(source.fileno())
    target.flush()
    with contextlib.suppress(OSError):
        os.fchown(target.fileno(), status.st_uid, -1)
    for name in attributes(source.fileno()):
        if name.startswith('user.'):
            with contextlib.suppress(OSError):
                os.setxattr(target.fileno(), name,
                            os.getxattr(source.fileno(), name))
    os.utime(target.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))


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
    return ACL in attributes(descriptor)


def attributes(descriptor):
    try:
        return os.listxattr(descriptor)
    except (AttributeError, OSError):
        return ()  # the system has none, or the file system
