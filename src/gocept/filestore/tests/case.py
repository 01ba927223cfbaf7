"""What the tests of the core have in common."""

import ast
import contextlib
import ctypes
import errno
import faulthandler
import functools
import gc
import gocept.filestore.disk.file_system
import gocept.filestore.disk.move
import gocept.filestore.filestore
import gocept.filestore.retry.policy
import gocept.filestore.tests.story
import os
import pathlib
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest


environment = gocept.filestore.tests.story.environment
NOBODY = 65534
ONCE = gocept.filestore.retry.policy.RetryPolicy(attempts=1)


class Slow:
    """A layer of tests that take minutes; `bin/test -u` leaves them out.

    They are at level 2, as is all that is `slow`.
    """


class Case(unittest.TestCase):
    """Each test gets a fresh directory, with a store in it."""

    options = {'durable': False}
    mounts = None
    variant = 'plain'  # how files are moved; that of a child is up to it

    @property
    def level(self):
        # A test without a mark has none, and is at the level of its suite.
        return self.test.level

    @property
    def test(self):
        return getattr(self, self._testMethodName)

    def setUp(self):
        obstacle = not_mounted(getattr(self.test, 'mounts', self.mounts))
        obstacle and self.skipTest(obstacle)
        gocept.filestore.tests.story.begin_to_wait()
        self.addCleanup(faulthandler.cancel_dump_traceback_later)
        if self.variant == 'by_link':
            self.move_by_link()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='filestore-'))
        self.addCleanup(shutil.rmtree, self.directory)
        self.directory.chmod(0o777)
        self.path = self.directory / 'store'
        self.store = self.open_store()
        self.store.prepare()

    def open_store(self, **options):
        return gocept.filestore.filestore.FileStore(
            str(self.path), **{**self.options, **options})

    def put(self, space, name, content='content'):
        """Make a file the way somebody else would do it."""
        path = self.path / space / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding='utf-8')
        return path

    def tree(self, *spaces):
        """Return the names in all spaces that are not empty."""
        found = {space.name: sorted(os.listdir(space))
                 for space in self.path.iterdir()}
        return {name: files for name, files in found.items() if files}

    def read(self, *path):
        return self.path.joinpath(*path).read_text(encoding='utf-8')

    def text(self, claim):
        with claim.open() as file:
            return file.read()

    def child(self, **options):
        """Start another process, and wait until it is ready."""
        child = Child(self.path, {**self.options, **options})
        self.addCleanup(child.close)
        child.run('')
        return child

    def move_by_link(self):
        """Let this process move as where the kernel can not replace none."""
        noreplace = gocept.filestore.disk.move.noreplace
        self.addCleanup(
            setattr, noreplace, '__defaults__', noreplace.__defaults__)
        noreplace.__defaults__ = (invalid,)

    def descriptors(self):
        """Return what is open; what is garbage is closed before."""
        gc.collect()
        return os.listdir('/proc/self/fd')

    def be_nobody(self):
        """Give up the rights of root until the end of the block."""
        return nobody() if os.getuid() == 0 else contextlib.nullcontext()

    def forbid(self, directory, mode=0o555):
        """Take rights from nobody, and from us if we are not root.

        At the end of the test they are back, to remove what is there.
        """
        directory.chmod(mode)
        self.addCleanup(directory.chmod, 0o777)

    @contextlib.contextmanager
    def umask(self, mask):
        before = os.umask(mask)
        try:
            yield
        finally:
            os.umask(before)

    @contextlib.contextmanager
    def no_blocking(self, seconds=60):
        """Raise KeyboardInterrupt when the block waits for something."""
        before = signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.alarm(seconds)
        try:
            yield
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)

    def assertMode(self, mode, path):
        self.assertEqual(oct(mode), oct(os.lstat(path).st_mode & 0o7777))

    def assertNames(self, names, paths):
        self.assertEqual(names, [os.path.basename(path) for path in paths])


@contextlib.contextmanager
def nobody():
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def start(module, *args, **options):
    """Start a process that calls the `main` of a module of tests."""
    return subprocess.Popen(
        [sys.executable, '-c', 'import %s as module, sys; '
         'module.main(*sys.argv[1:])' % module, *args],
        env=environment(), **options)


class Child:
    """Another process that works on the store, see `child.py`."""

    def __init__(self, path, options):
        self.process = start(
            'gocept.filestore.tests.child', str(path),
            pickle.dumps(options).hex(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, source):
        """Run a piece of Python there and return its `answer`."""
        self.send(source)
        return self.answer()

    def send(self, source):
        self.process.stdin.write(repr(source) + '\n')
        self.process.stdin.flush()

    def answer(self):
        return ast.literal_eval(self.process.stdout.readline() or 'died()')

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.close()

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
        self.process.stdout.close()


def sync_at_once(test, *errors):
    """Let even a few files be synced at once in a test, wherever they lie.

    It fails with the errors first, one after the other.
    """
    move = gocept.filestore.disk.move
    for place, name, value in (
            (move, 'syncfs', failing(move.syncfs, list(errors))),
            (move, 'FEW', 1),
            (move, 'EACH', 2 ** 62),
            (gocept.filestore.disk.file_system, 'tells_of_losses', bool)):
        test.addCleanup(setattr, place, name, getattr(place, name))
        setattr(place, name, value)


def failing(call, errors):
    """Return a call of C that fails with the errors of a list first.

    Each one is taken out of it when it has had its turn.
    """
    def fail(*args):
        if not errors:
            return call(*args)
        ctypes.set_errno(errors.pop(0))
        return -1
    return fail


def is_here(program):
    """Tell whether a program is installed; say so if it is not."""
    return shutil.which(program) or print(
        '%s: not tried, it is not here' % program)


def slow(test):
    """Leave a test, or all of a class or a suite, to `bin/test --all`."""
    test.level = 2
    return test


def needs_root(reason):
    """Skip a test that can not be set up otherwise, and say so."""
    skip = unittest.skipIf(os.getuid(), 'only root can ' + reason)
    return lambda test: slow(skip(test))


def needs_mount(program='true'):
    """Mark a test, or a class, that mounts something with a program.

    Whether it can is found out when it runs: whoever tries that mounts.
    """
    def mark(test):
        test.mounts = program
        return slow(test)

    return mark


def not_mounted(program):
    """Return why a program can not mount something here, or None."""
    return program and (
        os.getuid() and 'only root can mount a file system'
        or not shutil.which(program) and '%s is not installed' % program
        or not can_mount() and 'nothing can be mounted here'
        or None)


@functools.cache
def can_mount():
    return not subprocess.call(
        ['unshare', '--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def answering(number):
    """Return a renameat2(2) of a file system that answers with an error."""
    def rename(*args):
        ctypes.set_errno(number)
        return -1

    return rename


invalid = answering(errno.EINVAL)
