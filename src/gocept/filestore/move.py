import ctypes
import errno
import os


RENAME_NOREPLACE = 1  # linux/fs.h
# What a kernel, a C library or a file system answers that can not do it.
UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def missing(*args):
    ctypes.set_errno(errno.ENOSYS)
    return -1


renameat2 = getattr(ctypes.CDLL(None, use_errno=True), 'renameat2', missing)


def move(source, name, target, new_name, durable=True, rename=renameat2):
    """Move a file between two open directories; never replace one.

    Raises `FileExistsError` if the new name is taken, `FileNotFoundError` if
    the file is not there.
    """
    old = os.fsencode(name)
    new = old if new_name is name else os.fsencode(new_name)
    if not rename(source, old, target, new, RENAME_NOREPLACE):
        return
    number = ctypes.get_errno()
    if number not in UNSUPPORTED:
        raise OSError(number, os.strerror(number), name)
    by_link(source, name, target, new_name, durable)


def by_link(source, name, target, new_name, durable=True):
    """Do the same where the file system can not rename without replacing.

    The order is what a power cut asks for: without the sync in the middle
    files were lost on btrfs. A crash before the last step leaves one file
    with two names; recovery removes the one in the source space.
    """
    os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target,
            follow_symlinks=False)
    if durable:
        os.fsync(target)
    try:
        os.unlink(name, dir_fd=source)
    except FileNotFoundError:
        pass  # GlusterFS, or somebody removed it: it has moved all the same


def replace(source, name, target, new_name, durable=True):
    """Move a file, and replace the one that has the new name.

    Between two names of one file rename(2) does nothing and reports success,
    so the name in the target space, left by a crash, goes first.
    """
    status = os.stat(name, dir_fd=source, follow_symlinks=False)
    if status.st_nlink > 1 and is_at(target, new_name, status):
        os.unlink(new_name, dir_fd=target)
    os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)


def is_at(directory, name, status):
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, status)
