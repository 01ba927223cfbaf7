"""Whether somebody is still writing a file: leases, and a quiet period."""
import contextlib
import errno
import fcntl
import gocept.filestore.disk.file_system
import math
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
    with kept(descriptor, control) as answer:
        return answer


@contextlib.contextmanager
def kept(descriptor, control=fcntl.fcntl):
    """Do the same; while nobody writes, keep others from beginning to.

    Who opens the file for writing waits for the end of the block, or for 45
    seconds (/proc/sys/fs/lease-break-time).
    """
    answer = asked(descriptor, control)
    try:
        yield answer
    finally:
        if answer is False:
            control(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def asked(descriptor, control):
    """Ask for a lease; tell whether somebody writes, or None."""
    if not gocept.filestore.disk.file_system.is_local(descriptor):
        return None
    try:
        # Whoever waits for the end of our lease makes the kernel send us a
        # signal. SIGIO would kill us, SIGURG is ignored. The kernel forgets
        # the choice at the end of each lease.
        control(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        control(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        if error.errno in REFUSED:
            return None
        if error.errno == errno.EAGAIN:
            return True
        raise
    return False


def is_awaited(descriptor):
    """Tell whether somebody waits for the end of our lease."""
    return fcntl.fcntl(descriptor, fcntl.F_GETLEASE) == fcntl.F_UNLCK


class Quiet:
    """Tells whether files have not changed for some time."""

    def __init__(self, seconds, now):
        self._seconds = seconds
        self._now = now
        self._seen = {}

    def has_changed(self, filename, status):
        """Tell whether it was written to since the last look, if any.

        The ctime does not count: what another host says of a renaming may be
        seen later.
        """
        new = look(status)
        return self._seen.get(filename, (new,))[0][:-1] != new[:-1]

    def has_passed(self, filename, status):
        """Tell whether nothing has changed since the file was first seen."""
        now = self._now()
        last, since = self._seen.get(filename, (None, None))
        if look(status) != last:
            since = now
            self._seen[filename] = look(status), since
        return now - since >= self._seconds

    def next_end(self, moment):
        """Return when the first period is over that was not at a moment."""
        return min((end for _, since in self._seen.values()
                    if (end := since + self._seconds) > moment),
                   default=math.inf)

    def keep(self, filenames):
        """Forget all other files."""
        self._seen = {filename: seen for filename, seen in self._seen.items()
                      if filename in filenames}


def look(status):
    return (status.st_ino, status.st_size, status.st_mtime_ns,
            status.st_ctime_ns)
