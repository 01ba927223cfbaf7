import ctypes
import fcntl
import os
import piling
import time


NOREPLACE = 1       # of renameat2, linux/fs.h
LOCK = fcntl.LOCK_EX | fcntl.LOCK_NB

renameat2 = ctypes.CDLL(None, use_errno=True).renameat2


class Contender:
    """What DESIGN.txt asks of the kernel, without checks.

    Who keeps its promises so can not be faster: drafts and claims are
    locked, no move replaces anything, the oldest file comes first.
    """

    title = 'our own calls'
    durable = None

    def __init__(self, path, durable):
        self.tmp, self.new, self.work = (
            directory(f'{path}/{space}') for space in ('tmp', 'new', 'work'))
        self.durably = durable

    def publish(self, name, data):
        draft = f'{time.time_ns()}'
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666,
                     dir_fd=self.tmp)
        fcntl.flock(fd, LOCK)
        with open(fd, 'wb') as file:
            file.write(data)
            if self.durably:
                file.flush()
                os.fsync(fd)
        move(self.tmp, draft, self.new, name)
        if self.durably:
            os.fsync(self.new)

    def take(self):
        for name in by_age(self.new):
            fd = os.open(name, os.O_RDONLY, dir_fd=self.new)
            fcntl.flock(fd, LOCK)
            held = os.fstat(fd)
            move(self.new, name, self.work, name)
            if os.stat(name, dir_fd=self.work).st_ino != held.st_ino:
                raise FileNotFoundError(name)
            with open(os.dup(fd), 'rb') as file:
                data = file.read()
            os.unlink(name, dir_fd=self.work)
            os.close(fd)
            yield data


def directory(path):
    os.makedirs(path, exist_ok=True)
    return os.open(path, os.O_RDONLY)


def move(source, name, target, new_name):
    if renameat2(source, name.encode(), target, new_name.encode(), NOREPLACE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


def by_age(space):
    """Open it anew: a descriptor that was read has its position at the end."""
    fd = os.open('.', os.O_RDONLY, dir_fd=space)
    names = piling.by_age(fd)
    os.close(fd)
    return names
