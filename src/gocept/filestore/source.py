import errno
import gocept.filestore.copy
import os
import stat
import sys


STANDARD_INPUT = '-'


def opened(file):
    """Open what is to be published; never wait for the end of a pipe."""
    if file == STANDARD_INPUT:
        if sys.stdin is None:
            raise OSError(errno.EBADF, 'standard input is closed', file)
        # Reading would end too early if another process had changed this.
        os.set_blocking(0, True)
        return open(0, 'rb', closefd=False)
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, 'not a regular file', file)
    return open(descriptor, 'rb')


def name(file):
    """Return the name that a file gets in a store, None for a unique one."""
    return None if file == STANDARD_INPUT else os.path.basename(file)


def restrict(draft, source):
    """Make a draft no more readable than what it is a copy of."""
    status = os.fstat(draft.fileno())
    if stat.S_ISREG(os.fstat(source.fileno()).st_mode):
        allowed = gocept.filestore.copy.mode_for(
            source.fileno(), status.st_gid)
        os.fchmod(draft.fileno(), status.st_mode & allowed)
