"""What the system refuses: each is answered by another way, or told."""

import contextlib
import errno
import gocept.filestore
import gocept.filestore.tests.case
import gocept.filestore.tests.refuse
import os
import subprocess
import sys
import unittest


REFUSE = ('import gocept.filestore.tests.refuse\n'
          'gocept.filestore.tests.refuse.refuse(%s, *%r)\n')
# As on a system that is not Linux: none of this is there.
TAKEN_AWAY = """
import ctypes, fcntl, os, select, signal, sys
import urllib.request  # asks the platform, for a module that only macOS has
for name in ('copy_file_range', 'eventfd', 'getxattr', 'listxattr', 'pipe2',
             'pidfd_open', 'posix_fadvise', 'posix_fallocate', 'sendfile',
             'setxattr', 'removexattr', 'sched_getaffinity', 'memfd_create',
             'SEEK_DATA', 'SEEK_HOLE'):
    if hasattr(os, name):
        delattr(os, name)
for name in ('F_SETLEASE', 'F_GETLEASE'):
    delattr(fcntl, name)
sys.platform = 'darwin'
class CDLL:
    def __init__(self, *args, **kw):
        pass
    def __getattr__(self, name):
        raise AttributeError('dlsym: symbol not found: ' + name)
ctypes.CDLL = ctypes.PyDLL = CDLL
"""
LIFE = """
import gocept.filestore
store = gocept.filestore.FileStore(%r, prepare=True)
def write(name):
    with store.publish(name) as file:
        file.write('content')
write('a')
with store.claim() as claim, claim.open() as file:
    assert file.read() == 'content'
store.copy('a', 'cur', 'new')
try:
    with store.claim():
        raise gocept.filestore.Retry(0)
except gocept.filestore.Retry:
    pass
with store.claim() as claim, store.batch() as batch:
    assert claim.attempt == 2, claim.attempt
    batch.finish(claim)
    with batch.publish('b') as file:
        file.write('content')
with store.publish('b', replace=True) as file:
    file.write('newer')
try:
    write('b')
except gocept.filestore.interfaces.NameTaken:
    pass
else:
    raise AssertionError('replaced')
claim = store.claim()
claim.release()
"""


class Case(gocept.filestore.tests.case.Case):

    def python(self, source):
        """Run a program in a process of its own; return what it says."""
        process = subprocess.run(
            [sys.executable, '-X', 'dev', '-c', source], cwd=self.directory,
            env=gocept.filestore.tests.case.environment(), text=True,
            capture_output=True, timeout=60)
        self.assertEqual('', process.stderr)
        self.assertEqual(0, process.returncode)
        return process.stdout

    def live(self, before):
        """Let files live a life where something is not to be had."""
        self.python(before + LIFE % str(self.path))
        self.assertEqual({'new': ['b'], 'cur': ['a']}, self.tree())
        self.assertEqual('newer', self.read('new', 'b'))


@unittest.skipIf(gocept.filestore.tests.refuse.OBSTACLE,
                 gocept.filestore.tests.refuse.OBSTACLE)
class Refused(Case):

    def refused(self, number, *names):
        return REFUSE % (number, names)

    def test_by_a_container(self):
        self.live(self.refused(errno.EPERM, 'renameat2', 'copy_file_range'))

    def test_by_the_c_library(self):
        self.live(self.refused(errno.ENOSYS, 'renameat2', 'copy_file_range'))

    def test_nothing_but_rename(self):
        self.live(self.refused(errno.EPERM, 'renameat2', 'linkat'))

    def test_no_safe_move_at_all(self):
        self.assertEqual("1 {'tmp': [], 'new': []}\n", self.python(
            self.refused(errno.EPERM, 'renameat2', 'linkat', 'symlinkat')
            + ENTER % str(self.path)))

    @gocept.filestore.tests.case.slow
    def test_no_locks(self):
        for number in errno.ENOLCK, errno.ENOSYS:
            said = self.python(
                self.refused(number, 'flock') + ENTER % str(self.path))
            self.assertEqual("%s {'tmp': [], 'new': []}\n" % number, said)

    def test_no_locks_says_so(self):
        said = self.python(self.refused(errno.ENOLCK, 'flock') + TELL % (
            str(self.path)))
        path = self.path / 'new' / 'a'
        self.assertEqual(
            'No locks available (a store needs flock) %s\n' % path, said)

    @gocept.filestore.tests.case.needs_root('be another user')
    def test_link_of_the_file_of_another_user(self):
        # fs.protected_hardlinks: it may be read, and not written.
        for path in (self.path, *self.path.iterdir()):
            os.chown(path, 4001, 5000)
            path.chmod(0o2770)
        self.directory.chmod(0o755)
        for user, do in ((4001, PUBLISH), (4002, CLAIM)):
            self.python(self.refused(errno.ENOSYS, 'renameat2')
                        + BE % user + do % str(self.path))
        self.assertEqual({'cur': ['a']}, self.tree())

    @gocept.filestore.tests.case.needs_root('be another user')
    def test_move_of_the_file_of_another_user(self):
        # He may link(2) it, as he may write it, and not take its name.
        path = self.put('new', 'a', 'content')
        path.chmod(0o666)
        (self.path / 'work').mkdir()
        for directory in self.path.iterdir():
            directory.chmod(0o1777)
        self.directory.chmod(0o755)
        self.assertEqual('Operation not permitted\n', self.python(
            BE % 4002 + TRY % str(self.path)))
        self.assertEqual({'new': ['a']}, self.tree())


ENTER = """
import gocept.filestore, os
store = gocept.filestore.FileStore(%r)
store.list('new'), store.list('tmp')
def enter(verb):
    before = os.listdir('/proc/self/fd')
    try:
        with verb('a') as file:
            pass
    except OSError as error:
        number = error.errno
    del verb
    assert len(before) == len(os.listdir('/proc/self/fd')), before
    return number
try:
    with store.publish('a'):  # opens the directories
        pass
except OSError:
    pass
numbers = {enter(store.publish), enter(store.publish)}
if numbers != {1}:
    numbers.add(enter(store.create))
print(*numbers, {name: store.list(name) for name in ('tmp', 'new')})
"""
TELL = """
import gocept.filestore
try:
    with gocept.filestore.FileStore(%r).publish('a'):
        pass
except OSError as error:
    print(error.strerror, error.filename)
"""


BE = """
import atexit, os, gocept.filestore
atexit._clear()  # others may not write the coverage
gocept.filestore.FileStore  # others may not read it
os.setgroups([]), os.setgid(5000), os.setuid(%s)
"""
PUBLISH = """
with gocept.filestore.FileStore(%r, file_mode=0o644).publish('a') as file:
    file.write('content')
"""
CLAIM = """
store = gocept.filestore.FileStore(%r)
store.claim().release()
assert len(store.list('new')) == 1
with store.claim() as claim, claim.open() as file:
    assert file.read() == 'content'
"""
TRY = """
try:
    gocept.filestore.FileStore(%r).claim()
except PermissionError as error:
    print(error.strerror)
"""


@gocept.filestore.tests.case.needs_mount()
class FullDisk(Case):

    def test_before_the_first_claim(self):
        said = self.python_on_tmpfs('nr_inodes=9', FULL % str(self.path))
        self.assertEqual('4 published, 4 finished\n', said)

    def python_on_tmpfs(self, options, source):
        process = subprocess.run(
            ['unshare', '--mount', 'sh', '-c',
             'mount -t tmpfs -o "$0" tmpfs "$1" && exec "$2" -c "$3"',
             options, self.path, sys.executable, source], text=True,
            env=gocept.filestore.tests.case.environment(),
            capture_output=True, timeout=60)
        self.assertEqual('', process.stderr)
        return process.stdout


FULL = """
import errno, gocept.filestore
store = gocept.filestore.FileStore(%r, prepare=True)
published = finished = 0
try:
    while published < 99:
        with store.publish(str(published)):
            pass
        published += 1
except OSError as error:
    assert error.errno == errno.ENOSPC, error
    assert not store.list('tmp')
while (claim := store.claim()) is not None:
    claim.finish()
    finished += 1
print(published, 'published,', finished, 'finished')
"""


# What they live in imports what it likes, and may not be there.
NOT_OURS = '.tests', '.web.zope', '.pyramid'


class TakenAway(Case):
    """The calls that are Linux's own are not there."""

    def test_a_life(self):
        self.live(TAKEN_AWAY)

    @gocept.filestore.tests.case.slow
    def test_everything_can_be_imported(self):
        said = self.python(TAKEN_AWAY + (
            'import importlib, gocept.filestore, pkgutil, warnings\n'
            'warnings.filterwarnings("ignore", module="webob")\n'
            'for found in pkgutil.walk_packages(gocept.filestore.__path__, '
            '"gocept.filestore."):\n'
            '    if not any(part in found.name for part in %s):\n'
            '        importlib.import_module(found.name)\n'
            '        print(found.name)\n' % (NOT_OURS,)))
        self.assertIn('gocept.filestore.disk.copy\n', said)

    def test_import_that_fails_tells_why(self):
        self.assertEqual(
            "gocept.filestore can not be used here: "
            "module 'os' has no attribute 'fsync'\n", self.python(
                'import os\n'
                'del os.fsync, os.O_NOFOLLOW\n'
                'import gocept.filestore.disk.process\n'
                'try:\n'
                '    from gocept.filestore import FileStore\n'
                'except ImportError as error:\n'
                '    print(error)\n').replace('O_NOFOLLOW', 'fsync'))


class MadeLater(Case):
    """Directories and files that are made later are like their siblings."""

    def setUp(self):
        super().setUp()
        for name in ('tmp', 'new', 'cur'):
            (self.path / name).chmod(0o2770)

    def test_directories(self):
        with self.umask(0o77):
            self.publish()
            self.fail_one()
        for name in ('work', 'failed', 'attempts'):
            self.assertMode(0o2770, self.path / name)

    def test_directories_with_a_mode_of_their_own(self):
        self.store = self.open_store(directory_mode=0o700)
        self.publish()
        self.assertMode(0o700, self.path / 'work')

    def test_what_is_written_down(self):
        with self.umask(0o77):
            self.publish()
            self.fail_one()
        self.assertMode(0o660, self.path / 'attempts' / 'a')

    def test_what_is_written_down_with_a_mode_of_its_own(self):
        self.store = self.open_store(file_mode=0o600)
        self.publish()
        self.fail_one()
        self.assertMode(0o600, self.path / 'attempts' / 'a')

    def test_intents(self):
        batch = self.store.batch()
        with self.umask(0o77):
            with batch.publish('a'):
                pass
            batch.vote()
        [name] = os.listdir(self.path / 'voted')
        self.assertMode(0o660, self.path / 'voted' / name)
        batch.abort()

    @gocept.filestore.tests.case.needs_root('be another user')
    def test_of_another_user(self):
        for name in ('tmp', 'new', 'cur'):
            os.chown(self.path / name, 4001, 5000)
        self.publish()
        self.fail_one()
        for name in ('work', 'failed', 'attempts', 'attempts/a'):
            status = os.stat(self.path / name)
            self.assertEqual((4001, 5000), (status.st_uid, status.st_gid))

    def publish(self):
        with self.store.publish('a') as file:
            file.write('content')

    def fail_one(self):
        with contextlib.suppress(gocept.filestore.Reject):
            with self.store.claim():
                raise gocept.filestore.Reject('no')
