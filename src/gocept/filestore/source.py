import errno
import os
import stat


STANDARD_INPUT = '-'


def opened(file):
    """Open what is to be published; never wait for the end of a pipe."""
    if file == STANDARD_INPUT:
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
    ours, theirs = os.fstat(draft.fileno()), os.fstat(source.fileno())
    if not stat.S_ISREG(theirs.st_mode):
        return
    allowed = theirs.st_mode
    if ours.st_gid != theirs.st_gid:
        # To the source, our group are others.
        allowed = allowed & ~0o070 | (allowed & 0o007) << 3
    os.fchmod(draft.fileno(), ours.st_mode & allowed & 0o777)
