"""Whether somebody is still writing a file: leases, and a quiet period."""
import errno
import fcntl
import gocept.filestore.disk.file_system
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
    if not gocept.filestore.disk.file_system.is_local(descriptor):
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


class Quiet:
    """Tells whether files have not changed for some time."""

    def __init__(self, seconds, now):
        self._seconds = seconds
        self._now = now
        self._seen = {}

    def has_passed(self, filename, status):
        """Tell whether nothing has changed since the file was first seen."""
        look = (status.st_ino, status.st_size, status.st_mtime_ns,
                status.st_ctime_ns)
        now = self._now()
        last, since = self._seen.get(filename, (None, None))
        if look != last:
            since = now
            self._seen[filename] = look, since
        return now - since >= self._seconds

    def keep(self, filenames):
        """Forget all other files."""
        self._seen = {filename: seen for filename, seen in self._seen.items()
                      if filename in filenames}
