"""A disk that records each write, so that its power can be cut at any of them.

The file system lies behind a loop device, on a file that we serve ourselves,
with FUSE: fuse(4), linux/fuse.h.
"""

import contextlib
import ctypes
import errno
import os
import random
import shutil
import stat
import struct
import subprocess
import tempfile
import threading


# The smallest that mkfs makes.
SIZES = {'ext4': 32 << 20, 'xfs': 300 << 20, 'btrfs': 128 << 20}
CLONE_NEWNS = 0x20000  # linux/sched.h
FLUSHED = None  # in the record: from here, what was written is on the disk

GETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC, FLUSH, INIT = (
    3, 14, 15, 16, 17, 18, 20, 25, 26)
UNANSWERED = (2, 36, 42)  # FORGET, INTERRUPT, BATCH_FORGET
MOST = 1 << 17  # bytes in one write
REQUEST = struct.Struct('<IIQ24x')  # length, what to do, number
WHERE = struct.Struct('<8xQI20x')  # offset and size, of READ and WRITE
ANSWERS = {
    INIT: struct.pack('<IIIIHHI40x', 7, 31, MOST, 1 << 5, 0, 0, MOST),
    OPEN: struct.pack('<8xI4x', 1),  # 1: nothing is cached
    STATFS: struct.pack('<5QII32x', *5 * [1 << 20], 4096, 255),
    FLUSH: b'',
    RELEASE: b''}


def obstacle(kind):
    """Return why there can be no such file system here, or None."""
    return (os.getuid() and 'only root can mount a file system'
            or not program(kind) and 'mkfs.%s is not installed' % kind
            or not os.path.exists('/dev/fuse') and 'there is no /dev/fuse'
            or not can_mount(kind) and '%s can not be mounted here' % kind
            or None)


def program(kind):
    """Return the path of the program that makes such a file system."""
    return shutil.which('mkfs.' + kind, path='/usr/sbin:/sbin:' + os.defpath)


def can_mount(kind):
    with tempfile.NamedTemporaryFile() as image:
        make(image.name, kind)
        return not subprocess.call(
            ['unshare', '--mount', 'mount', '-o', 'loop', image.name, '/mnt'],
            stderr=subprocess.DEVNULL)


def make(image, kind, *options):
    """Make a file system in a file that takes no more space than needed."""
    with open(image, 'wb') as file:
        file.truncate(SIZES[kind])
    run(program(kind), '-q', *options, image)
    run('fallocate', '--dig-holes', image)


def copy(image, other):
    run('cp', '--sparse=always', image, other)


def write(image, record, cut):
    """Write to an image what is on the disk if its power fails at the cut.

    From the last flush on, it may have kept any of the writes.
    """
    before = [number for number in range(cut) if record[number] is FLUSHED]
    begin = max(before, default=0)
    some = random.choice([0.5, 1])
    kept = [write for write in record[begin:cut] if random.random() < some]
    with open(image, 'r+b') as file:
        for offset, data in filter(None, record[:begin] + kept):
            file.seek(offset)
            file.write(data)


@contextlib.contextmanager
def private_mounts():
    """Let what is mounted in the block vanish, even if the process dies."""
    library = ctypes.CDLL(None)
    with contextlib.ExitStack() as stack:
        before = stack.enter_context(open('/proc/self/ns/mnt'))
        stack.callback(os.chdir, os.getcwd())
        library.unshare(CLONE_NEWNS)
        stack.callback(library.setns, before.fileno(), CLONE_NEWNS)
        run('mount', '--make-rprivate', '/')
        yield


@contextlib.contextmanager
def mounted(image, path):
    """Mount the file system that lies in a file."""
    run('mount', '-o', 'loop', image, path)
    try:
        yield
    finally:
        run('umount', path)


@contextlib.contextmanager
def recorded(image, path, broken=None):
    """Serve the image as another file; yield the record of what is written.

    It is a list of pairs of offset and bytes, and of `FLUSHED`. What contains
    the bytes that are broken can not be written.
    """
    with contextlib.ExitStack() as stack:
        server = Server(image, broken)
        thread = threading.Thread(target=server.serve)
        run('mount', '-i', '-t', 'fuse', 'disk', path, '-o',
            'fd=%s,rootmode=100000,user_id=0,group_id=0' % server.fuse,
            pass_fds=[server.fuse])
        stack.callback(thread.join)
        stack.callback(run, 'umount', path)
        thread.start()
        yield server.record


def run(*command, **options):
    subprocess.run(
        command, check=True, timeout=60, capture_output=True, **options)


class Server:
    """Answers the kernel, which asks for the one file that there is."""

    def __init__(self, image, broken):
        self.record = []
        self._broken = broken
        self.fuse = os.open('/dev/fuse', os.O_RDWR)
        self._image = os.open(image, os.O_RDWR)

    def serve(self):
        # It ends with ENODEV. Of another error the file system will tell.
        with contextlib.suppress(OSError):
            while True:
                self._answer(os.read(self.fuse, MOST + 4096))
        os.close(self._image)
        os.close(self.fuse)

    def _answer(self, request):
        length, what, number = REQUEST.unpack_from(request)
        if what not in UNANSWERED:
            number_of_error, answer = 0, b''
            try:
                answer = self._do(what, request[REQUEST.size:])
            except OSError as error:
                number_of_error = -error.errno
            os.write(self.fuse, struct.pack(
                '<IiQ', 16 + len(answer), number_of_error, number) + answer)

    def _do(self, what, request):
        if what == READ:
            offset, size = WHERE.unpack_from(request)
            return os.pread(self._image, size, offset)
        if what == WRITE:
            offset, size = WHERE.unpack_from(request)
            return self._write(offset, request[WHERE.size:])
        if what == FSYNC:
            self.record.append(FLUSHED)
            return b''
        if what == GETATTR:
            return attributes(os.fstat(self._image).st_size)
        if what not in ANSWERS:
            raise OSError(errno.ENOSYS, 'it is not known here')
        return ANSWERS[what]

    def _write(self, offset, data):
        if self._broken and self._broken in data:
            raise OSError(errno.EIO, 'the disk is broken there')
        os.pwrite(self._image, data, offset)
        self.record.append((offset, data))
        return struct.pack('<I4x', len(data))


def attributes(size):
    """Return what fstat(2) is to tell of the file, for an hour."""
    return struct.pack('<Q8xQQ44xII20x', 3600, 1, size,
                       stat.S_IFREG | 0o600, 1)
