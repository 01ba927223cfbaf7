"""Moves a file and replaces none, in one step or by links."""
import contextlib
import ctypes
import errno
import fcntl
import gocept.filestore.disk.file_system
import gocept.filestore.interfaces
import os
import sys
import time


RENAME_NOREPLACE = 1  # linux/fs.h
# What a kernel, a C library or a file system answers that can not do it.
UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
# What a file system answers for a file that is not there (any more).
# GlusterFS says ESTALE.
GONE = (errno.ENOENT, errno.ESTALE)
# What flock(2) answers for a file that somebody else has, or that has gone.
REFUSED = (*GONE, errno.EAGAIN)
LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# That of os.fsencode, which takes longer.
ENCODING = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
PATIENCE = 10000  # pauses, until a process that takes a file seems stuck
PAUSE = 0.001  # seconds


def missing(*args):
    ctypes.set_errno(errno.ENOSYS)
    return -1


renameat2 = getattr(ctypes.CDLL(None, use_errno=True), 'renameat2', missing)


def noreplace(source, name, target, new_name, rename=renameat2):
    """Rename between two open directories; return the error number, or 0."""
    old = name.encode(*ENCODING)
    new = old if new_name is name else new_name.encode(*ENCODING)
    while rename(source, old, target, new, RENAME_NOREPLACE):
        number = ctypes.get_errno()
        if number != errno.EINTR:
            return number
    return 0


def move(source, name, target, new_name, durable=True, status=None):
    """Move a file between two open directories; never replace one.

    Raises `FileExistsError` if the new name is taken, `FileNotFoundError` if
    the file is not there. `status` is that of the file, if the caller has
    locked it.
    """
    number = noreplace(source, name, target, new_name)
    if number in UNSUPPORTED:
        by_link(source, name, target, new_name, durable, status)
    elif number:
        raise OSError(number, os.strerror(number), name)


def by_link(source, name, target, new_name, durable=True, status=None):
    """Do the same where the file system can not rename without replacing.

    The order is what a power cut asks for: without the sync in the middle
    files were lost on btrfs. A crash before the last step leaves one file
    with two names.

    Before the last step nobody may replace the file in the source directory,
    or the newer one gets lost. Where somebody might, `replace_unlocked` asks
    for the lock, and so the caller has it.
    """
    if status is not None and not is_at(source, name, status):
        raise FileNotFoundError(errno.ENOENT, 'replaced by a newer one', name)
    os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target,
            follow_symlinks=False)
    if durable:
        sync(target)
    try:
        os.unlink(name, dir_fd=source)
    except OSError as error:
        if error.errno in GONE:
            return  # GlusterFS, or somebody removed it: it has moved anyway
        if status is not None:
            os.unlink(new_name, dir_fd=target)  # it is locked, and ours
        raise


def sync(descriptor):
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise gocept.filestore.interfaces.NotSynced(
            error.errno, error.strerror) from None


def replace(source, name, target, new_name, is_locked=False):
    """Move a file, and replace the one that has the new name.

    Between two names of one file rename(2) does nothing and reports success,
    so the name in the target space, left by a crash, goes first.
    """
    status = os.stat(name, dir_fd=source, follow_symlinks=False)
    with contextlib.ExitStack() as locks:
        if status.st_nlink > 1 and source != target and (
                is_locked or locks.enter_context(locked(source, name))):
            remove_twin(source, name, target, new_name, status)
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)


def remove_twin(source, name, target, new_name, status):
    """Remove the second name of a file, which the caller has locked.

    Without the lock, of two who do so one might remove the last name.
    """
    if is_at(source, name, status) and is_at(target, new_name, status):
        os.unlink(new_name, dir_fd=target)


@contextlib.contextmanager
def locked(directory, name):
    """Lock a file for the time of the block; tell whether that worked."""
    descriptor = os.open(name, LOOK, dir_fd=directory)
    try:
        yield lock_at(descriptor, directory, name)
    finally:
        os.close(descriptor)


def lock_at(descriptor, directory, name, flock=fcntl.flock):
    """Lock an open file; tell whether that worked, and it is still there."""
    try:
        flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        return False
    return is_at(directory, name, os.fstat(descriptor))


def replace_unlocked(source, name, target, new_name, is_locked=False,
                     durable=True, sleep=time.sleep):
    """Do the same, but not while somebody is taking the other file.

    Taking is atomic where the file system can rename without replacing.
    Elsewhere it is done in two steps, and takes a moment. Linux does not even
    ask a file system if it knows of a file with the new name, so its answer,
    EEXIST, tells nothing. Of local ones we know that they can.
    """
    number = noreplace(source, name, target, new_name)
    if number == 0:
        return
    if number not in UNSUPPORTED and (
            gocept.filestore.disk.file_system.is_local(target)):
        return replace(source, name, target, new_name, is_locked)
    for _ in range(PATIENCE):
        # Nobody exchanges a draft, whose name is ours.
        with (contextlib.nullcontext(True) if is_locked
              else locked(source, name)) as is_ours:
            if is_ours and move_or_replace(
                    source, name, target, new_name, durable):
                return
        sleep(PAUSE)
    raise FileExistsError(
        errno.EEXIST, 'another process holds it, or the one to replace',
        new_name)


def move_or_replace(source, name, target, new_name, durable):
    """Move a file that the caller has locked; tell whether that worked."""
    try:
        move(source, name, target, new_name, durable)
        return True
    except FileExistsError:
        # GlusterFS may say so of a rename that does replace.
        with contextlib.suppress(FileExistsError):
            return replace_locked(source, name, target, new_name)
    return False


def replace_locked(source, name, target, new_name):
    """Replace a file if its lock is to be had; tell whether it was."""
    try:
        descriptor = os.open(new_name, LOOK, dir_fd=target)
    except FileNotFoundError:
        return False
    try:
        return replace_open(descriptor, source, name, target, new_name)
    finally:
        os.close(descriptor)


def replace_open(descriptor, source, name, target, new_name):
    """Replace the file that is open, unless it is locked or has gone."""
    if not lock_at(descriptor, target, new_name):
        return False
    replace(source, name, target, new_name, is_locked=True)
    return True


def refresh(directory, name):
    """Let the kernel ask anew which file a name leads to.

    FUSE remembers it for a while: after a move, it takes the file that it has
    seen under the old name for the one that was moved, although that was a
    newer one (JuiceFS, measured). For the target of a rename that may not
    replace anything it asks the file system; then it refuses the rename.
    """
    noreplace(directory, name, directory, name)


def is_at(directory, name, status):
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        if error.errno not in GONE:
            raise
        return False
    return os.path.samestat(found, status)
