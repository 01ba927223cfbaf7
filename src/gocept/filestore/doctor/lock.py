"""Whether a lock does all that a claim relies on."""
import contextlib
import errno
import fcntl
import gocept.filestore.disk.file_system
import gocept.filestore.disk.lock
import gocept.filestore.disk.probe
import gocept.filestore.doctor.finding
import os
import subprocess
import sys
import time


PATIENCE = 5000  # pauses, until a lock seems to outlive its process
PAUSE = 0.001  # seconds
# Tries to lock a file each time it is asked to. It needs nothing of ours.
PROGRAM = """
import fcntl, os, sys
descriptor = os.open(
    sys.argv[2], int(sys.argv[3]), dir_fd=int(sys.argv[1]))
print('open', flush=True)
for line in sys.stdin:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print('refused', flush=True)
    else:
        print('locked', flush=True)
"""
REMEDY = ('put the store where flock(2) locks a file and not a name, and one '
          'open for reading; bindfs(1) needs --multithreaded and '
          '--enable-lock-forwarding')


class Other:
    """Another process, which has a file open."""

    def __init__(self, space, name):
        self._process = subprocess.Popen(
            [sys.executable, '-I', '-S', '-c', PROGRAM,
             str(space.descriptor), name, str(space.locking)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, bufsize=0,
            pass_fds=[space.descriptor])
        if self._process.stdout.readline() != b'open\n':
            self.close()
            raise OSError(errno.ECHILD, 'another process can not open it',
                          space.path_of(name))

    def locks(self):
        """Let it try to lock the file; tell whether that worked."""
        self._process.stdin.write(b'\n')
        return self._process.stdout.readline() == b'locked\n'

    def close(self):
        self._process.kill()
        with self._process:
            pass


def flock(spaces):
    """Look whether a lock does all that a claim relies on."""
    source, target = spaces.together[:2]
    for weakness in gocept.filestore.disk.probe.weaknesses(source):
        yield gocept.filestore.doctor.finding.problem(
            weakness.reason + ' (so no file is claimed)' * weakness.is_refused,
            weakness.remedy)
    with (gocept.filestore.disk.probe.probe(
            source, target) as (name, descriptor),
          contextlib.closing(Other(source, name)) as other):
        try:
            gocept.filestore.disk.lock.lock(descriptor)
            is_own = gocept.filestore.disk.file_system.has_own_lock(descriptor)
            fault = find_entrance(
                source, target, name, other, spaces.has_links) or find_end(
                descriptor, other)
        except OSError as error:
            fault = 'does not work: %s' % (
                gocept.filestore.doctor.finding.reason(error))
    if fault:
        yield gocept.filestore.doctor.finding.problem(
            'flock(2) %s' % fault, REMEDY)
    elif is_own:
        yield gocept.filestore.doctor.finding.note(
            'locks reach no other mount, and no other host',
            'let all who use the store find it through this mount')
    yield gocept.filestore.doctor.finding.ok(
        'flock(2) keeps others out, goes with a file that moves, and ends '
        'with its process')


def find_entrance(source, target, name, other, has_links):
    """Return how another one gets at a file that we have locked, or None."""
    if is_free(source, name):
        return 'lets two at a file of %r at once' % source.path
    if other.locks():
        return 'lets two processes at a file of %r at once' % source.path
    gocept.filestore.disk.probe.rename(source, name, target)
    if is_free(target, name):
        return 'does not go with a file that moves to %r' % target.path
    if has_links:
        os.link(name, name, src_dir_fd=target.descriptor,
                dst_dir_fd=source.descriptor)
        if is_free(source, name):
            return 'locks a name and not the file, which has two in a move'


def is_free(space, name):
    descriptor = space.open(name, space.locking)
    try:
        return gocept.filestore.disk.lock.lock(descriptor)
    finally:
        os.close(descriptor)


def find_end(descriptor, other, sleep=time.sleep):
    """Return how a lock does not come to its end, or None."""
    gocept.filestore.disk.lock.lock(descriptor, fcntl.LOCK_UN)
    if not other.locks():
        return 'keeps a file that was let go'
    other.close()
    for _ in range(PATIENCE):
        if gocept.filestore.disk.lock.lock(descriptor):
            return None
        sleep(PAUSE)
    return 'outlives its process'
