import errno
import fcntl
import gocept.filestore.space
import os
import stat


GONE = gocept.filestore.space.GONE
# ELOOP, ENXIO: a link or a socket has taken the place of the file.
NOT_OURS = GONE + (errno.ELOOP, errno.ENXIO)
READ = os.O_RDONLY | gocept.filestore.space.SAFE
REFUSED = GONE + (errno.EAGAIN,)


def lock(descriptor, flock=fcntl.flock):
    """Lock an open file without waiting; tell whether that worked.

    The lock, flock(2), belongs to the open file and ends with its last
    descriptor, so it is evidence of a process that lives.
    """
    try:
        flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in REFUSED:
            return False
        raise
    return True


def hold(space, filename):
    """Open and lock a file, and return it as a `Held`.

    None is the answer for one that is gone, that somebody else holds, or that
    is no regular file.
    """
    try:
        descriptor = os.open(filename, READ, dir_fd=space.descriptor)
    except OSError as error:
        if error.errno in NOT_OURS:
            return None
        raise space.explained(error, filename) from None
    if lock(descriptor):
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            return Held(descriptor, status)
    close(descriptor)


def close(descriptor, close=os.close):
    try:
        close(descriptor)
    except OSError as error:
        if error.errno not in GONE:
            raise


class Held:
    """A file that this process holds open, and locked."""

    def __init__(self, descriptor, status):
        self.descriptor = descriptor
        self.status = status

    def __del__(self):
        if self.descriptor is not None:
            self.close()

    def unlock(self):
        """Let go at once, also if a forked child shares the descriptor."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def close(self):
        descriptor, self.descriptor = self.descriptor, None
        close(descriptor)
