import ctypes
import errno
import fcntl
import signal


# Of linux/magic.h: ext4, xfs, btrfs, tmpfs and overlay. On others, such as
# FUSE, a lease may be had although somebody writes who does not come through
# this mount (measured).
LOCAL = (0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630)
# Not our file and no CAP_LEASE; a kernel or a file system that has no leases.
REFUSED = (errno.EACCES, errno.EINVAL, errno.EPERM, errno.ENOSYS)

fstatfs = ctypes.CDLL(None).fstatfs


def is_written(descriptor, control=fcntl.fcntl):
    """Tell whether any process has a file open for writing.

    None is the answer where nobody can tell. `descriptor` is open for reading
    only. The file may be mapped into memory, which counts.
    """
    if file_system(descriptor) not in LOCAL:
        return None
    try:
        # Whoever opens the file in the moment of our lease waits for its end,
        # and makes the kernel send us a signal. SIGIO would kill us, SIGURG
        # is ignored. The kernel forgets the choice at the end of each lease.
        control(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        control(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        control(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        if error.errno in REFUSED:
            return None
        if error.errno == errno.EAGAIN:
            return True
        raise
    return False


def file_system(descriptor):
    """Return the magic number of the file system, or 0; see statfs(2)."""
    status = (ctypes.c_long * 64)()
    fstatfs(descriptor, status)
    return status[0] & 0xffffffff
