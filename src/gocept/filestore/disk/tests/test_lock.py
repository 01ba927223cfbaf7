import errno
import fcntl
import gocept.filestore.disk.file_system
import gocept.filestore.disk.lock
import gocept.filestore.disk.space
import gocept.filestore.tests.case
import os
import socket
import sys
import time


class LockCase(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        self.space = gocept.filestore.disk.space.Space(
            str(self.path), 'new', str(self.path / 'new'), False)
        self.put('new', 'a')

    def hold(self, name='a'):
        return gocept.filestore.disk.lock.hold(self.space, name)


def refusing(number):
    """Return a flock(2), or a close(2), that answers with an error."""
    def call(*args):
        raise OSError(number, os.strerror(number))

    return call


class Holders(LockCase):

    def test_who_has_which(self):
        held = self.hold()
        self.put('new', 'b')
        holders = gocept.filestore.disk.lock.holders(self.space)
        self.assertEqual(os.getpid(), holders[held.status.st_ino])
        self.assertNotIn(self.space.inode('b'), holders)
        held.release()
        self.assertNotIn(held.status.st_ino,
                         gocept.filestore.disk.lock.holders(self.space))

    def test_where_the_kernel_does_not_tell(self):
        self.assertEqual({}, gocept.filestore.disk.lock.holders(
            self.space, '/proc/nothing'))

    def test_what_is_none_of_ours(self):
        major, minor = gocept.filestore.disk.file_system.device(
            self.space.descriptor)
        here = '%02x:%02x' % (major, minor)
        self.put('new', 'locks', '\n'.join([
            '1: FLOCK  ADVISORY  WRITE 7 %s:12 0 EOF' % here,
            '1: -> FLOCK  ADVISORY  WRITE 8 %s:12 0 EOF' % here,
            '2: FLOCK  ADVISORY  READ 9 %s:13 0 EOF' % here,
            '3: POSIX  ADVISORY  WRITE 10 %s:14 0 EOF' % here,
            '4: FLOCK  ADVISORY  WRITE 11 ff:ff:15 0 EOF', '']))
        self.assertEqual({12: 7}, gocept.filestore.disk.lock.holders(
            self.space, self.path / 'new' / 'locks'))


class Lock(LockCase):

    def lock(self, number):
        return gocept.filestore.disk.lock.lock(1, flock=refusing(number))

    def test_held_by_another(self):
        self.assertFalse(self.lock(errno.EAGAIN))

    def test_gone(self):
        # GlusterFS, on a file that was just removed.
        for number in (errno.ESTALE, errno.EBADFD):
            self.assertFalse(self.lock(number))
        self.assertFalse(self.lock(errno.ENOENT))

    def test_any_other_error_is_raised(self):
        # EACCES is a refusal on SMB; here, a profile forbids to lock.
        for number in (
                errno.EBADF, errno.EIO, errno.ENOLCK, errno.EACCES):
            with self.assertRaises(OSError) as raised:
                self.lock(number)
            self.assertEqual(number, raised.exception.errno)


class Hold(LockCase):

    def test_excludes_others(self):
        held = self.hold()
        self.assertIsNone(self.hold())
        held.close()
        self.assertIsNotNone(self.hold())

    def test_excludes_other_processes(self):
        child = self.child()
        child.run(
            'import gocept.filestore.disk.lock, gocept.filestore.disk.space\n'
            'space = gocept.filestore.disk.space.Space(\n'
            '    store.path, "new", store.path + "/new", False)\n'
            'held = gocept.filestore.disk.lock.hold(space, "a")')
        self.assertIsNone(self.hold())
        child.kill()
        self.assertIsNotNone(self.hold())

    def test_busy(self):
        held = self.hold()
        answers = [
            gocept.filestore.disk.lock.hold(self.space, name, busy=False)
            for name in ('a', 'b')
        ]
        held.release()
        self.assertEqual([False, None], answers)

    def test_dropped_one_excludes_nobody(self):
        held = self.hold()
        descriptor = held.descriptor
        del held
        with self.assertRaises(OSError):
            os.fstat(descriptor)
        self.assertIsNotNone(self.hold())

    def test_status(self):
        path = self.path / 'new' / 'a'
        self.assertTrue(os.path.samestat(os.stat(path), self.hold().status))
        os.link(path, self.path / 'cur' / 'a')
        self.assertEqual(2, self.hold().status.st_nlink)

    def test_nothing(self):
        self.assertIsNone(self.hold('b'))

    def test_gone_meanwhile(self):
        # JuiceFS, on a file that was replaced.
        before = self.descriptors()
        self.assertIsNone(gocept.filestore.disk.lock.take(
            self.space, 'a', fstat=refusing(errno.ENOENT)))
        self.assertIs(False, gocept.filestore.disk.lock.take(
            self.space, 'a', busy=False, fstat=refusing(errno.ENOENT)))
        with self.assertRaises(OSError) as raised:
            gocept.filestore.disk.lock.take(
                self.space, 'a', fstat=refusing(errno.EIO))
        self.assertEqual(
            (errno.EIO, self.space.path_of('a')),
            (raised.exception.errno, raised.exception.filename))
        self.assertEqual(before, os.listdir('/proc/self/fd'))

    def test_special_files(self):
        directory = self.path / 'new'
        os.symlink('a', directory / 'link')
        os.mkfifo(directory / 'pipe')
        (directory / 'directory').mkdir()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(directory / 'socket'))
        before = self.descriptors()
        for name in ('link', 'pipe', 'directory', 'socket'):
            with self.no_blocking(), self.subTest(name):
                self.assertIsNone(self.hold(name))
        self.assertEqual(before, os.listdir('/proc/self/fd'))

    def test_forbidden(self):
        (self.path / 'new' / 'a').chmod(0)
        with self.be_nobody(), self.assertRaises(PermissionError) as raised:
            self.hold()
        self.assertEqual(
            str(self.path / 'new' / 'a'), raised.exception.filename)

    def test_close_does_not_free_what_a_forked_child_shares(self):
        held = self.hold()
        shared = os.dup(held.descriptor)  # is what a fork does
        held.close()
        self.assertIsNone(self.hold())
        os.close(shared)
        self.assertIsNotNone(self.hold())

    def test_release_does(self):
        held = self.hold()
        shared = os.dup(held.descriptor)
        self.addCleanup(os.close, shared)
        held.release()
        self.assertIsNotNone(self.hold())

    def test_lease_of_a_reader_is_no_obstacle(self):
        with open(self.path / 'new' / 'a') as file:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            self.assertIsNotNone(self.hold())

    def test_leased_by_another(self):
        # A Samba server does this (oplocks). Reading waits until it lets go,
        # or, without waiting, is refused with EAGAIN.
        child = self.child()
        child.run('import fcntl, signal\n'
                  'signal.signal(signal.SIGIO, signal.SIG_IGN)\n'
                  'file = open(store.path + "/new/a", "r+")\n'
                  'fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)')
        with self.no_blocking():
            self.assertIsNone(self.hold())
        child.kill()
        self.assertIsNotNone(self.hold())


class Wait(LockCase):

    def wait(self, sleep=None, name='a'):
        return gocept.filestore.disk.lock.wait(self.space, name, sleep)

    def test_free(self):
        held = self.wait()
        self.assertIsNone(self.hold())
        held.release()

    def test_gone(self):
        self.assertIsNone(self.wait(name='b'))

    def test_no_file(self):
        directory = self.path / 'new'
        (directory / 'link').symlink_to('a')
        os.mkfifo(directory / 'pipe')
        (directory / 'directory').mkdir()
        for name in ('link', 'pipe', 'directory'):
            with self.no_blocking():
                self.assertIsNone(self.wait(name=name))

    def test_until_another_lets_go(self):
        others = [self.hold()]
        held = self.wait(lambda seconds: others.pop().release())
        self.assertTrue(os.path.samestat(
            held.status, os.stat(self.path / 'new' / 'a')))

    def test_until_another_has_replaced_it(self):
        other = self.hold()

        def replace(seconds):
            os.replace(self.put('tmp', 'a'), self.path / 'new' / 'a')

        held = self.wait(replace)
        self.assertFalse(os.path.samestat(held.status, other.status))
        self.assertTrue(os.path.samestat(
            held.status, os.stat(self.path / 'new' / 'a')))

    def test_until_another_has_removed_it(self):
        other = self.hold()
        self.assertIsNone(self.wait(
            lambda seconds: os.remove(self.path / 'new' / 'a')))
        other.release()

    @gocept.filestore.tests.case.slow
    def test_replaced_after_it_was_opened(self):
        # Others go on until this has happened once.
        child = self.child()
        self.addCleanup(child.process.kill)
        child.send(REPLACE)
        replaced = []
        self.addCleanup(sys.setprofile, None)
        sys.setprofile(
            lambda frame, event, arg: event == 'call'
            and frame.f_code.co_name == 'release'
            and frame.f_back.f_code.co_name == 'wait'
            and replaced.append(frame))
        with self.no_blocking(60):
            while not replaced:
                with self.wait(time.sleep) as held:
                    self.assertTrue(os.path.samestat(
                        held.status, os.stat(self.path / 'new' / 'a')))

    def test_not_for_ever(self):
        other = self.hold()
        pauses = []
        with self.assertRaises(BlockingIOError) as raised:
            self.wait(pauses.append)
        self.assertEqual(
            str(self.path / 'new' / 'a'), raised.exception.filename)
        self.assertIn('another process', str(raised.exception))
        self.assertAlmostEqual(10, sum(pauses))
        other.release()

    def test_leaves_no_descriptor(self):
        other = self.hold()
        before = self.descriptors()
        self.wait(lambda seconds: other.release()).release()
        self.assertEqual(len(before) - 1, len(os.listdir('/proc/self/fd')))


# Who replaces it has its lock.
REPLACE = """
import contextlib, gocept.filestore.disk.lock as lock, os
new = store._layout['new']
while True:
    # On a busy machine the others may have it for ten seconds.
    with contextlib.suppress(BlockingIOError), lock.wait(new, 'a'):
        open(store.path + '/tmp/a', 'w').close()
        os.rename(store.path + '/tmp/a', store.path + '/new/a')
"""


class Close(LockCase):

    def close(self, number):
        gocept.filestore.disk.lock.let_go(1, close=refusing(number))

    def test_second_time_does_nothing(self):
        held = self.hold()
        held.close()
        self.assertEqual(-1, held.descriptor)
        held.__del__()
        self.assertIsNotNone(self.hold())

    def test_errors_do_not_matter(self):
        # GlusterFS has them for a file that was just removed; a disk that
        # fails has nothing of ours to lose.
        for number in (errno.ESTALE, errno.ENOENT, errno.EIO):
            self.assertIsNone(self.close(number))
