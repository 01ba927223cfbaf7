"""Holds a file, which is evidence of a process that lives: flock(2)."""
import errno
import fcntl
import gocept.filestore.disk.move
import gocept.filestore.disk.process
import gocept.filestore.disk.space
import os
import stat
import time


GONE = gocept.filestore.disk.space.GONE
# ELOOP, ENXIO: a link or a socket has taken the place of the file.
NOT_OURS = GONE + (errno.ELOOP, errno.ENXIO)
READ = os.O_RDONLY | gocept.filestore.disk.space.SAFE


def lock(descriptor, operation=fcntl.LOCK_EX, flock=fcntl.flock):
    """Lock an open file without waiting; tell whether that worked.

    The lock, flock(2), belongs to the open file and ends with its last
    descriptor, so it is evidence of a process that lives.
    """
    try:
        flock(descriptor, operation | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in gocept.filestore.disk.move.REFUSED:
            return False
        raise
    return True


def hold(space, filename, busy=None, fstat=os.fstat):
    """Open and lock a file, and return it as a `Held`.

    None is the answer for one that is gone, or that is no regular file, and
    `busy` for one that somebody else holds, or has just replaced.
    """
    try:
        descriptor = os.open(filename, READ, dir_fd=space.descriptor)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            return busy  # another process has a lease on it, fcntl(2)
        if error.errno in NOT_OURS:
            return None
        raise space.explained(error, filename) from None
    try:
        if not lock(descriptor):
            close(descriptor)
            return busy
        status = fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            return Held(descriptor, status)
    except OSError as error:
        close(descriptor)
        if error.errno in GONE:
            return busy  # JuiceFS says so of a file that was replaced
        raise space.explained(error, filename) from None
    close(descriptor)


def wait(space, filename, sleep=time.sleep):
    """Hold a file that others hold for moments only; None if it is gone."""
    for _ in range(gocept.filestore.disk.move.PATIENCE):
        held = hold(space, filename)
        if held and space.is_at(filename, held.status):
            return held
        if held:
            held.release()  # it was replaced
        elif not space.has_file(filename):
            return None
        sleep(gocept.filestore.disk.move.PAUSE)
    raise OSError(errno.EAGAIN, 'another process holds it',
                  space.path_of(filename))


def close(descriptor, close=os.close):
    # What was only read can not be lost, and the lock goes in any case.
    try:
        close(descriptor)
    except OSError:
        pass


class Held:
    """A file that this process holds open, and locked."""

    def __init__(self, descriptor, status):
        self.descriptor = descriptor
        self.status = status
        self._process = gocept.filestore.disk.process.number

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.release()

    def is_ours(self):
        """Tell whether this process, and not its parent, has locked it."""
        return self._process == gocept.filestore.disk.process.number

    def release(self):
        """Let go at once, also if a forked child shares the lock.

        The child itself only closes what it has inherited.
        """
        if self.descriptor is None:
            return
        if self.is_ours():
            try:
                lock(self.descriptor, fcntl.LOCK_UN)
            except OSError:
                pass
        self.close()

    __del__ = release

    def close(self):
        """Let go of a file that nobody will ask for any more."""
        descriptor, self.descriptor = self.descriptor, None
        close(descriptor)
