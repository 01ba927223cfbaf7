import errno
import gocept.filestore.disk.writing
import gocept.filestore.tests.case
import mmap
import os
import select
import signal
import subprocess
import sys
import zope.testing.wait


# Opens a file for writing again and again, says so when that was refused
# because of a lease, and goes on until it is told to end.
HAMMER = """
import os, select, sys

refused = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    for flags in (os.O_WRONLY, os.O_WRONLY | os.O_NONBLOCK):
        try:
            os.close(os.open(sys.argv[1], flags))
        except BlockingIOError:
            refused += 1
            if refused == 3:
                print('refused', flush=True)
"""
# Asks as long, and longer than the other one needs to begin.
ASK = """
import gocept.filestore.disk.writing, os, select, sys

descriptor = os.open(sys.argv[1], os.O_RDONLY)
while not select.select([sys.stdin], [], [], 0)[0]:
    for _ in range(1000):
        gocept.filestore.disk.writing.is_written(descriptor)
"""


class LeaseCase(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        self.file = self.put('new', 'a')

    def is_written(self, path=None, **kw):
        descriptor = os.open(path or self.file, os.O_RDONLY)
        try:
            return gocept.filestore.disk.writing.is_written(descriptor, **kw)
        finally:
            os.close(descriptor)


class IsWritten(LeaseCase):

    def test_nobody_writes(self):
        self.assertIs(False, self.is_written())

    def test_another_process_writes(self):
        child = self.child()
        for mode in ('r+', 'a', 'w', 'w+'):
            child.run('file = open(store.path + "/new/a", %r)' % mode)
            self.assertIs(True, self.is_written(), mode)
            child.run('file.close()')
            self.assertIs(False, self.is_written(), mode)

    def test_a_killed_process_does_not_write(self):
        child = self.child()
        child.run('file = open(store.path + "/new/a", "a")')
        child.kill()
        self.assertIs(False, self.is_written())

    def test_we_write_ourselves(self):
        with open(self.file, 'a'):
            self.assertIs(True, self.is_written())
        self.assertIs(False, self.is_written())

    def test_readers_do_not_count(self):
        child = self.child()
        child.run('file = open(store.path + "/new/a")')
        with open(self.file):
            self.assertIs(False, self.is_written())

    @gocept.filestore.tests.case.slow
    def test_one_of_two_writers_is_left(self):
        one, two = self.child(), self.child()
        for child in (one, two):
            child.run('file = open(store.path + "/new/a", "a")')
        one.run('file.close()')
        self.assertIs(True, self.is_written())
        two.run('file.close()')
        self.assertIs(False, self.is_written())

    def test_writer_whose_file_was_moved_away(self):
        with open(self.file, 'a'):
            os.rename(self.file, self.path / 'cur' / 'a')
            self.assertIs(True, self.is_written(self.path / 'cur' / 'a'))

    def test_file_that_is_mapped_and_closed(self):
        with open(self.file, 'r+b') as file:
            mapped = mmap.mmap(file.fileno(), 0)
        self.assertIs(True, self.is_written())
        mapped.close()
        self.assertIs(False, self.is_written())

    def test_leaves_no_lease(self):
        descriptor = os.open(self.file, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        gocept.filestore.disk.writing.is_written(descriptor)
        with self.no_blocking():
            os.close(os.open(self.file, os.O_WRONLY | os.O_NONBLOCK))

    def test_asker_survives_writers_that_come_in_that_moment(self):
        asker, hammer = self.start(ASK), self.start(HAMMER)
        zope.testing.wait.Wait(timeout=60)(
            lambda: asker.poll() is not None or select.select(
                [hammer.stdout], [], [], 0)[0])
        for process in (asker, hammer):
            process.communicate(b'\n', timeout=60)
            self.assertEqual(0, process.returncode)

    def start(self, program):
        process = subprocess.Popen(
            [sys.executable, '-c', program, self.file],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=gocept.filestore.tests.case.environment())
        self.addCleanup(process.__exit__, None, None, None)
        self.addCleanup(process.kill)
        return process


class CanNotTell(LeaseCase):

    @gocept.filestore.tests.case.needs_root('be two users')
    def test_file_of_somebody_else(self):
        self.file.chmod(0o666)
        with self.be_nobody():
            self.assertIsNone(self.is_written())

    @gocept.filestore.tests.case.needs_root('be two users')
    def test_but_with_the_capability(self):
        self.file.chmod(0o666)
        program = ('import gocept.filestore.disk.writing as writing; '
                   'print(writing.is_written(0))')
        for mode, answer in (('a', 'True'), ('r', 'False')):
            with open(self.file, mode), open(self.file) as file:
                self.assertEqual(answer, subprocess.check_output(
                    ['setpriv', '--reuid', '65534', '--inh-caps', '+lease',
                     '--ambient-caps', '+lease', '--clear-groups',
                     sys.executable, '-c', program], stdin=file, text=True,
                    env=gocept.filestore.tests.case.environment()).strip())

    def test_no_file_system_that_we_know(self):
        self.assertIsNone(self.is_written('/proc/self/status'))

    def test_no_file(self):
        self.assertIsNone(self.is_written(self.path))

    @gocept.filestore.tests.case.needs_mount('bindfs')
    def test_over_fuse(self):
        # The lease is granted, though somebody writes below the mount.
        mount = self.directory / 'mount'
        mount.mkdir()
        subprocess.check_call(['bindfs', self.path, mount])
        self.addCleanup(subprocess.check_call, ['umount', mount])
        with open(self.file, 'a'):
            self.assertIsNone(self.is_written(mount / 'new' / 'a'))


class Errors(LeaseCase):

    def answers(self, number):
        """Answer with an error when the lease is asked for."""
        def control(descriptor, command, argument):
            if argument != signal.SIGURG:
                raise OSError(number, os.strerror(number))

        return self.is_written(control=control)

    def test_no_leases(self):
        for number in (errno.EINVAL, errno.EACCES, errno.EPERM, errno.ENOSYS):
            self.assertIsNone(self.answers(number))

    def test_written(self):
        self.assertIs(True, self.answers(errno.EAGAIN))

    def test_any_other_is_raised(self):
        for number in (errno.EIO, errno.ENOMEM):
            with self.assertRaises(OSError) as raised:
                self.answers(number)
            self.assertEqual(number, raised.exception.errno)
