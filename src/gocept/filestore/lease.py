import errno
import fcntl
import gocept.filestore.file_system
import signal


# Not our file and no CAP_LEASE; a kernel or a file system that has no leases.
REFUSED = (errno.EACCES, errno.EINVAL, errno.EPERM, errno.ENOSYS)


def is_written(descriptor, control=fcntl.fcntl):
    """Tell whether any process has a file open for writing.

    None is the answer where nobody can tell. `descriptor` is open for reading
    only. The file may be mapped into memory, which counts. Elsewhere than on
    a local file system a lease may be had although somebody writes who does
    not come through this mount (measured).
    """
    if not gocept.filestore.file_system.is_local(descriptor):
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
