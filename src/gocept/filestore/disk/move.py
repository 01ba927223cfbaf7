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


RENAME_NOREPLACE, SYNC_FILE_RANGE_WAIT_BEFORE = 1, 1  # linux/fs.h
START = TO_ITS_END = ctypes.c_int64(0)  # of a file
# What a kernel, a C library or a file system answers that can not do it, and
# seccomp(2) in a container.
UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
# What a file system answers for a file that is not there (any more).
# GlusterFS says ESTALE, and EBADFD of one that it has opened without asking.
GONE = (errno.ENOENT, errno.ESTALE, errno.EBADFD)
# What flock(2) answers for a file that somebody else has, or that has gone.
REFUSED = (*GONE, errno.EAGAIN)
LOOK = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
HERE = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# That of os.fsencode, which takes longer.
ENCODING = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
PATIENCE = 10000  # pauses, until a process that takes a file seems stuck
PAUSE = 0.001  # seconds
RESERVED = '.reserved-for-%s'  # the inode of a file
FEW = 8  # files; fewer are not worth a look at what else is to be written
# What a disk writes in the time that it takes to sync one more file. To sync
# 128 small files at once took longer than one by one from 8 MiB on that others
# had written (ext4 and xfs), and with 256 MiB of theirs 8 to 16 times as long.
EACH = 2 ** 16  # bytes


def missing(*args):
    ctypes.set_errno(errno.ENOSYS)
    return -1


library = ctypes.CDLL(None, use_errno=True)
renameat2 = getattr(library, 'renameat2', missing)
syncfs = getattr(library, 'syncfs', missing)
sync_file_range = getattr(library, 'sync_file_range', missing)


def noreplace(source, name, target, new_name, rename=renameat2):
    """Rename between two open directories; return the error number, or 0."""
    old = name.encode(*ENCODING)
    new = old if new_name is name else new_name.encode(*ENCODING)
    while rename(source, old, target, new, RENAME_NOREPLACE):
        number = ctypes.get_errno()
        if number != errno.EINTR:
            return number
    return 0


def is_there():
    """Tell whether the kernel can be asked for that.

    Then EPERM is its answer for a file, as in a directory with a sticky bit,
    and to link it would leave it there under two names.
    """
    return noreplace(-1, 'a', -1, 'a') == errno.EBADF


def move(source, name, target, new_name, durable=True, status=None):
    """Move a file between two open directories; never replace one.

    Raises `FileExistsError` if the new name is taken, `FileNotFoundError` if
    the file is not there. `status` is that of the file, if the caller has
    locked it.
    """
    number = noreplace(source, name, target, new_name)
    if number:
        otherwise(number, source, name, target, new_name, durable, status)


def otherwise(number, source, name, target, new_name, durable, status):
    """Go on after the kernel has refused to rename, with this number."""
    if number in UNSUPPORTED and (number != errno.EPERM or not is_there()):
        return in_steps(source, name, target, new_name, durable, status)
    raise OSError(number, os.strerror(number), name)


def in_steps(source, name, target, new_name, durable, status):
    """Do the same where the file system can not rename without replacing."""
    try:
        by_link(source, name, target, new_name, durable, status)
    except OSError as error:
        # Who may link, and may not unlink, may not rename either.
        if error.errno not in UNSUPPORTED or is_at(target, new_name, os.stat(
                name, dir_fd=source, follow_symlinks=False)):
            raise
        by_reservation(source, name, target, new_name)


def by_link(source, name, target, new_name, durable=True, status=None):
    """Give a file its new name, and then take its old one.

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
        is_gone = error.errno in GONE
        # Whoever claims a draft that has two names removes the old one.
        if is_gone and (status is None or not has_other_name(
                source, target, new_name)):
            return  # somebody has removed it, and it is ours all the same
        if status is not None:
            os.unlink(new_name, dir_fd=target)  # it is locked, and ours
        raise


def has_other_name(source, target, new_name):
    """Tell whether a file that we have linked was moved by somebody else.

    GlusterFS may say of what we have removed ourselves that it was not there.
    NFS gives a file that is open a hidden name in the place of the last one.
    """
    look_anew(target, new_name)
    status = os.stat(new_name, dir_fd=target, follow_symlinks=False)
    file_system = gocept.filestore.disk.file_system
    if status.st_nlink == 1 or file_system.places(target) is not None:
        return False
    return status.st_nlink > 1 + sum(
        name[0] == '.' and inode == status.st_ino
        for name, inode in file_system.listed(source))


def by_reservation(source, name, target, new_name):
    """Reserve the new name with a link to nowhere, and rename to there.

    Linux lets nobody link(2) a file of another user, which he may not write
    (fs.protected_hardlinks, proc(5)). A symbolic link is nobody's file, so it
    is not taken, and rename(2) replaces it in one step. It tells for which
    file it is: who moves that one goes on after a crash.
    """
    status = os.stat(name, dir_fd=source, follow_symlinks=False)
    mark = RESERVED % status.st_ino
    with contextlib.suppress(FileExistsError):
        os.symlink(mark, new_name, dir_fd=target)
    if mark_at(target, new_name) != mark:
        raise FileExistsError(errno.EEXIST, 'it is reserved', new_name)
    try:
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
    except OSError:
        if mark_at(target, new_name) == mark:
            os.unlink(new_name, dir_fd=target)
        raise


def mark_at(directory, name):
    """Return to where a symbolic link leads; None if it is none."""
    with contextlib.suppress(OSError):
        return os.readlink(name, dir_fd=directory)


def begin_writing(descriptor):
    """Let the disk begin with a file that is to be synced with others.

    All of them take three times as long if it begins with each only when that
    one is synced (measured on ext4). Where it can not, nothing is lost.
    """
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    except (AttributeError, OSError):
        pass


def sync(descriptor):
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise gocept.filestore.interfaces.NotSynced(
            error.errno, error.strerror) from None


def sync_all(directory, count):
    """Sync so many files of an open directory at once; tell whether it did.

    It does not where syncing them one by one is faster, or safer. syncfs(2)
    brings a file system to the disk: 128 files in a third of the time that it
    takes one by one (ext4 and xfs; on btrfs in a seventh), but with all that
    others have written there. Each file is to be asked then, as `see_written`
    tells.
    """
    file_system = gocept.filestore.disk.file_system
    if (count < FEW or not file_system.tells_of_losses(directory)
            or file_system.unwritten() > count * EACH):
        return False
    # A new one is not told of what has happened, and was told, before.
    descriptor = os.open('.', HERE, dir_fd=directory)
    try:
        return is_told_to_sync(syncfs, descriptor)
    finally:
        os.close(descriptor)


def see_written(descriptor):
    """Raise `NotSynced` if the content of an open file could not be written.

    syncfs(2) tells that of any file, but does not if somebody else was told;
    sync_file_range(2) tells it of this one (measured on ext4, xfs and btrfs).
    """
    if not is_told_to_sync(sync_file_range, descriptor, START, TO_ITS_END,
                           SYNC_FILE_RANGE_WAIT_BEFORE):
        sync(descriptor)


def is_told_to_sync(call, *args):
    """Make a call that Python does not have; False if it can not be had."""
    while call(*args):
        number = ctypes.get_errno()
        if number in UNSUPPORTED:
            return False
        if number != errno.EINTR:
            raise gocept.filestore.interfaces.NotSynced(
                number, os.strerror(number))
    return True


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
    if all(is_still_at(*place, status) for place in (
            (source, name), (target, new_name))):
        os.unlink(new_name, dir_fd=target)


@contextlib.contextmanager
def locked(directory, name):
    """Lock a file for the time of the block; tell whether that worked."""
    locking = gocept.filestore.disk.file_system.locking(directory)
    descriptor = os.open(name, locking | LOOK, dir_fd=directory)
    try:
        yield lock_at(descriptor, directory, name)
    finally:
        os.close(descriptor)


def is_refused(error, descriptor):
    """Tell whether an error of flock(2) says that others have the file.

    On SMB it is EACCES; elsewhere that is a profile which forbids to lock.
    """
    return error.errno in REFUSED or error.errno == errno.EACCES and (
        gocept.filestore.disk.file_system.is_smb(descriptor))


def lock_at(descriptor, directory, name, flock=fcntl.flock):
    """Lock an open file; tell whether that worked, and it is still there."""
    try:
        flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return is_still_at(directory, name, os.fstat(descriptor))
    except OSError as error:  # NFS: one that is gone answers ESTALE
        if not is_refused(error, descriptor):
            raise
    return False


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
    """Replace a file if its lock is to be had; tell whether it was.

    Which of the two has gone, if one has, the next attempt to move tells.
    """
    try:
        with locked(target, new_name) as is_ours:
            if is_ours:
                replace(source, name, target, new_name, is_locked=True)
            return is_ours
    except OSError as error:
        if error.errno not in GONE:
            raise
        return False


def look_anew(directory, name):
    """Let the kernel ask anew which file a name leads to.

    FUSE remembers it for a while: after a move, it takes the file that it has
    seen under the old name for the one that was moved, although that was a
    newer one (JuiceFS, measured). For the target of a rename that may not
    replace anything it asks the file system; then it refuses the rename.

    NFS goes by what it knew of a directory up to a minute ago: through a name
    that another host has moved, open(2) and link(2) find the file by its
    handle, and succeed (measured). To open the directory takes one question
    to the server, which tells whether it has changed.
    """
    noreplace(directory, name, directory, name)
    is_gone(directory)  # then whatever is done in there says so


def is_gone(directory):
    """Tell whether the server says of an open directory that it has gone."""
    try:
        os.close(os.open('.', HERE, dir_fd=directory))
    except OSError as error:
        if error.errno not in GONE:
            raise OSError(error.errno, error.strerror) from None
        return True
    return False


def is_still_at(directory, name, status, descriptor=None):
    """Tell whether a name leads to a file, and trust no cache.

    Without the descriptor of the file it has to be known to this host, too:
    a mount of GlusterFS may take an older file for that of the name.
    """
    look_anew(directory, name)
    is_known = is_at(directory, name, status)
    return (is_known or descriptor is not None) and (
        gocept.filestore.disk.file_system.is_served(
            directory, name, status.st_ino, is_known, descriptor))


def is_at(directory, name, status):
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        if error.errno not in GONE:
            raise
        return False
    return os.path.samestat(found, status)
