"""Holds a file, which is evidence of a process that lives: flock(2)."""
import contextlib
import errno
import fcntl
import gocept.filestore.disk.file_system
import gocept.filestore.disk.move
import gocept.filestore.disk.process
import gocept.filestore.disk.space
import os
import stat
import time


# ELOOP, ENXIO: a link or a socket has taken the place of the file.
NOT_OURS = (*gocept.filestore.disk.move.GONE, errno.ELOOP, errno.ENXIO)
SAFE = gocept.filestore.disk.space.SAFE


def lock(descriptor, operation=fcntl.LOCK_EX, flock=fcntl.flock):
    """Lock an open file without waiting; tell whether that worked.

    The lock, flock(2), belongs to the open file and ends with its last
    descriptor, so it is evidence of a process that lives.
    """
    try:
        flock(descriptor, operation | fcntl.LOCK_NB)
    except OSError as error:
        if gocept.filestore.disk.move.is_refused(error, descriptor):
            return False
        raise
    return True


def hold(space, filename, busy=None):
    """Open and lock a file, and return it as a `Held`, or as `take` does."""
    taken = take(space, filename, busy)
    return taken and Held(*taken)


def take(space, filename, busy=None, fstat=os.fstat):
    """Open and lock a file, and return its descriptor and its status.

    None is the answer for one that is gone, or that is no regular file, and
    `busy` for one that somebody else holds, or has just replaced.

    What another host may change is looked at anew, and compared, when the
    lock is ours: no look before that decides anything. As long as it is, the
    number of names does not change either.
    """
    if not space.is_local:
        space.look_anew(filename)
    try:
        descriptor = os.open(
            filename, space.locking | SAFE, dir_fd=space.descriptor)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            return busy  # another process has a lease on it, fcntl(2)
        if error.errno in NOT_OURS:
            return None
        raise space.not_to_lock(error, filename) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            if space.is_local:
                return descriptor, status
            if space.is_at(filename, status):
                return descriptor, (
                    gocept.filestore.disk.file_system.counted(
                        status, descriptor))
    except OSError as error:
        is_refused = gocept.filestore.disk.move.is_refused(error, descriptor)
        let_go(descriptor)
        if is_refused:
            return busy  # JuiceFS says ENOENT of a file that was replaced
        raise space.explained(error, filename) from None
    let_go(descriptor)


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


def let_go(descriptor, status=None, has_to_unlock=False, close=os.close,
           flock=fcntl.flock, is_open=gocept.filestore.disk.process.is_open):
    """Let go of a file that nobody will ask for any more.

    What has got the number of a closed one, by its status, is left alone;
    without a status the caller has just seen that it is ours.
    """
    if not (status is None or is_open(descriptor, status)):
        return
    # What was only read can not be lost, and the lock goes in any case.
    try:
        if has_to_unlock:
            flock(descriptor, fcntl.LOCK_UN)
    except OSError:
        pass
    try:
        close(descriptor)
    except OSError:
        pass


def holders(space, path='/proc/locks'):
    """Return the ids of processes that hold files of a space, by inode.

    The kernel shows those of this host that are not in another container, and
    none that a program of FUSE keeps.
    """
    kind = ['FLOCK', 'ADVISORY', 'WRITE']
    with contextlib.suppress(OSError, ValueError), open(path) as locks:
        place = '%02x:%02x:' % gocept.filestore.disk.file_system.device(
            space.descriptor)
        return {int(line[5][len(place):]): int(line[4])
                for line in map(str.split, locks)
                if line[1:4] == kind and line[5].startswith(place)}
    return {}


class Held:
    """A file that this process holds open, and locked."""

    def __init__(self, descriptor, status):
        self.descriptor = descriptor
        self.status = status
        self._process = os.getpid()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.release()

    def is_ours(self):
        """Tell whether this process, and not its parent, has locked it.

        Nobody can at the end of the interpreter, when modules are gone.
        """
        return bool(os) and self._process == os.getpid()

    def release(self):
        """Let go at once, also if a forked child shares the lock.

        The child itself only closes what it has inherited; and at the end of
        the interpreter the kernel lets go.
        """
        self.close(has_to_unlock=self.is_ours())

    def __del__(self):
        if self.descriptor >= 0:
            self.release()

    def close(self, has_to_unlock=False, let_go=let_go):
        let_go(*self.give(), has_to_unlock)

    def give(self):
        """Hand it over to who gets its descriptor, and its status."""
        descriptor, self.descriptor = self.descriptor, -1
        return descriptor, self.status
