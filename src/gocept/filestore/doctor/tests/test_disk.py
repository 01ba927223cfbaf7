"""What the file system can do, with real ones and with a kernel that refuses.
"""

import gocept.filestore.disk.inotify
import gocept.filestore.disk.space
import gocept.filestore.doctor.move
import gocept.filestore.tests.case
import gocept.filestore.tests.doctor
import os
import subprocess
import sys
import unittest.mock


ELSEWHERE = 'put the store on ext4, xfs, btrfs or tmpfs'
LINKED = ('files are moved by link(2) and unlink(2), and never replace '
          'others; here renameat2(2) can not do that')
RESERVED = LINKED.replace('link(2) and unlink(2)', 'symlink(2) and rename(2)')
NO_MOVE = ('a file that is moved may replace another: none of renameat2(2), '
           'link(2) and unlink(2), and symlink(2) and rename(2) keeps from it')
FOREIGN = ('files of other users, which this one may not write, are moved by '
           'symlink(2) and rename(2): fs.protected_hardlinks is set',
           'if they are to move like the others, let those publish with a '
           'mode that the group may write, such as 660')


@gocept.filestore.tests.doctor.needs_strace
class Refusing(gocept.filestore.tests.doctor.Case):
    """The kernel answers with an error, to us and to our children."""

    def refused(self, subject, *injections):
        calls = ','.join(line.partition(':')[0] for line in injections)
        options = [word for line in injections
                   for word in ('-e', 'inject=' + line)]
        return self.told(
            subject, 'strace', '-f', '-qq', '-o', os.devnull,
            '-e', 'trace=' + calls, *options)

    def tearDown(self):
        self.assertEqual(
            [str(self.path / name) for name in ('cur', 'new', 'tmp')],
            gocept.filestore.tests.doctor.all_names(self.path))

    @gocept.filestore.tests.case.slow
    def test_second_way_to_move(self):
        for name in ('EINVAL', 'ENOSYS', 'EOPNOTSUPP'):
            self.assertEqual(
                (0, [LINKED, 'if it is to be faster, %s' % ELSEWHERE,
                     *FOREIGN * gocept.filestore.doctor.move.is_protected()]),
                self.refused('move', 'renameat2:error=' + name))

    def test_links_that_nobody_protects(self):
        with unittest.mock.patch.object(
                gocept.filestore.doctor.move, 'PROTECTED', '/nowhere'):
            self.assertEqual(0, gocept.filestore.doctor.move.is_protected())

    @gocept.filestore.tests.case.slow
    def test_third_way_to_move(self):
        injections = 'renameat2:error=EPERM', 'linkat:error=EPERM'
        self.assertEqual(
            (0, [RESERVED, 'if it is to be faster, %s' % ELSEWHERE]),
            self.refused('move', *injections))

    @gocept.filestore.tests.case.slow
    def test_no_way_to_move(self):
        injections = ('renameat2:error=EINVAL', 'linkat:error=EPERM',
                      'symlinkat:error=EPERM')
        self.assertEqual(
            (1, [NO_MOVE, ELSEWHERE]), self.refused('move', *injections))
        self.assertEqual(
            (1, ['no file can be given a second name: Operation not permitted',
                 ELSEWHERE]), self.refused('link', *injections))

    @gocept.filestore.tests.case.slow
    def test_no_way_to_move_in_other_words(self):
        for name in ('ENOSYS', 'EOPNOTSUPP'):
            self.assertEqual((1, [NO_MOVE, ELSEWHERE]), self.refused(
                'move', 'renameat2:error=EINVAL', 'linkat:error=' + name,
                'symlinkat:error=' + name))

    @gocept.filestore.tests.case.slow
    def test_link_that_fails(self):
        status, (sentence, _) = self.refused(
            'move', 'renameat2:error=EINVAL', 'linkat:error=EIO')
        self.assertEqual(1, status)
        self.assertRegex(sentence, 'not looked at .*Input/output error')

    @gocept.filestore.tests.case.slow
    def test_no_links_where_none_are_needed(self):
        self.assertEqual(
            (0, ['no file can be given a second name: Operation not permitted',
                 ELSEWHERE]), self.refused('link', 'linkat:error=EPERM'))

    @gocept.filestore.tests.case.slow
    def test_move_that_does_nothing(self):
        self.assertEqual(
            (1, [NO_MOVE, ELSEWHERE]),
            self.refused('move', 'renameat2:retval=0'))

    @gocept.filestore.tests.case.slow
    def test_move_that_fails(self):
        status, (sentence, remedy) = self.refused(
            'move', 'renameat2:error=EIO')
        self.assertEqual(1, status)
        self.assertRegex(sentence, "not looked at in 'store', because of "
                         "'.doctor.*': Input/output error")
        self.assertEqual('see what the kernel says about it: dmesg', remedy)

    def test_rename_that_fails(self):
        status, (sentence, remedy) = self.refused(
            'device', 'renameat:error=EACCES:when=1')
        self.assertEqual(1, status)
        self.assertIn('Permission denied', sentence)

    @gocept.filestore.tests.case.slow
    def test_flock(self):
        for name, reason in (('ENOLCK', 'No locks available'),
                             ('EBADF', 'Bad file descriptor')):
            status, (sentence, remedy) = self.refused(
                'flock', 'flock:error=' + name)
            self.assertEqual(
                (1, 'flock(2) does not work: ' + reason), (status, sentence))

    @gocept.filestore.tests.case.slow
    def test_flock_that_lets_everybody_in(self):
        self.assertEqual(
            (1, "flock(2) lets two at a file of 'store/tmp' at once"),
            self.first(self.refused('flock', 'flock:retval=0')))

    @gocept.filestore.tests.case.slow
    def test_no_other_process(self):
        # fork(2) comes after vfork(2), where there is one.
        status, sentence = self.first(self.refused('flock', *(
            name + ':error=EAGAIN' for name in ('vfork', 'clone', 'clone3'))))
        self.assertEqual(1, status)
        self.assertIn('Resource temporarily unavailable', sentence)
        self.assertIn("not looked at in 'store'", sentence)

    def first(self, told):
        return told[0], told[1][0]

    @gocept.filestore.tests.case.slow
    def test_fsync(self):
        status, found = self.refused('fsync', 'fsync:error=EIO')
        self.assertEqual(
            (1, ["what is put into 'store/%s' may not survive a power cut: "
                 'Input/output error' % name
                 for name in ('tmp', 'new', 'cur', '')]),
            (status, found[::2]))
        self.assertEqual(
            {'put the store on a file system with fsync(2), or say that it '
             'is not durable'}, set(found[1::2]))

    @gocept.filestore.tests.case.slow
    def test_fsync_of_a_directory(self):
        # The file is synced, its directory is not.
        self.assertEqual(
            (1, "what is put into 'store/tmp' may not survive a power cut: "
             'Invalid argument'), self.first(self.refused(
                 'fsync', 'fsync:error=EINVAL:when=2')))

    @gocept.filestore.tests.case.slow
    def test_lease(self):
        self.assertEqual(
            (0, ["it can not be told whether a file in 'store/new' is still "
                 'being written', 'let others write elsewhere, and move what '
                 'is whole to store/new']),
            self.refused('lease', 'fstatfs:error=ENOSYS'))

    @gocept.filestore.tests.case.slow
    def test_no_more_watchers(self):
        self.assertEqual(
            (0, ['nobody can be told of a file that comes: '
                 'Too many open files',
                 'sysctl fs.inotify.max_user_instances=1024']),
            self.refused('notification', 'inotify_init1:error=EMFILE'))
        self.assertEqual(
            (0, ['nobody can be told of a file that comes: '
                 'No space left on device',
                 'sysctl fs.inotify.max_user_watches=65536']),
            self.refused('notification', 'inotify_add_watch:error=ENOSPC'))

    @gocept.filestore.tests.case.slow
    def test_no_notification(self):
        self.assertEqual(
            (0, ['nobody can be told of a file that comes: '
                 'Function not implemented',
                 'nothing needs to be done: files are found by looking for '
                 'them']),
            self.refused('notification', 'inotify_init1:error=ENOSYS'))

    @gocept.filestore.tests.case.slow
    def test_notification_that_tells_nothing(self):
        self.assertEqual(
            (0, "nobody is told of a file that comes into 'store/new'"),
            self.first(self.refused(
                'notification', 'inotify_add_watch:retval=1')))


class Library(gocept.filestore.tests.doctor.Case):
    """Where the library for notification is not installed."""

    program = """
import site, sys
site.addsitedir(sys.argv.pop(1))
import gocept.filestore.__main__
sys.exit(gocept.filestore.__main__.main())
"""

    def test_is_missing(self):
        paths = os.pathsep.join(map(self.without, dict.fromkeys(
            os.path.realpath(path) for path in filter(None, sys.path))))
        process = self.start(
            'env', 'PYTHONPATH=' + paths, sys.executable, '-S', '-c',
            self.program, str(self.directory / 'packages'), 'doctor', '-q',
            'store', command=())
        status, output, messages = self.finish(process)
        self.assertEqual((0, []), (status, messages))
        self.assertIn(
            'note     notification: not looked at, because inotify_simple is '
            "not installed\n         remedy: pip install 'gocept.filestore"
            "[watch]'\n", output.decode())

    def without(self, path):
        """Return a directory of packages without that library."""
        if not os.path.exists(os.path.join(path, 'inotify_simple.py')):
            return path
        packages = self.directory / 'packages'
        packages.mkdir()
        for name in os.listdir(path):
            if 'inotify' not in name:
                (packages / name).symlink_to(os.path.join(path, name))
        return str(packages)


@gocept.filestore.tests.case.needs_mount('bindfs')
class Fuse(gocept.filestore.tests.doctor.Case):
    """File systems which are none of the kernel's own."""

    def mount(self, *options):
        (self.directory / 'mount').mkdir()
        subprocess.run(
            ['bindfs', *options, self.path, self.directory / 'mount'],
            check=True, timeout=20, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.addCleanup(
            subprocess.run, ['umount', '-l', self.directory / 'mount'],
            check=True)
        return str(self.directory / 'mount')

    def test_lock_of_a_name(self):
        verdict, sentence, remedy = self.only('flock', self.mount())
        self.assertEqual(
            ('problem', 'flock(2) locks a name and not the file, which has '
             'two in a move'), (verdict, sentence))
        self.assertIn('--enable-lock-forwarding', remedy)

    def test_lock_of_a_file(self):
        path = self.mount('--multithreaded', '--enable-lock-forwarding')
        self.assertEqual([], self.look('flock', path))
        self.assertEqual(
            [('note', LINKED, 'if it is to be faster, %s' % ELSEWHERE),
             *[('note', *FOREIGN)
               ] * gocept.filestore.doctor.move.is_protected()],
            self.look('move', path))
        self.assertEqual(['note'], [
            verdict for verdict, _, _ in self.look('lease', path)])


@gocept.filestore.tests.case.needs_mount('sshfs')
class Sftp(gocept.filestore.tests.doctor.Case):
    """A directory that is mounted through SFTP, without a network."""

    def test_is_no_place_for_a_store(self):
        ssh, mount = self.directory / 'ssh', self.directory / 'mount'
        ssh.write_text('#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n')
        ssh.chmod(0o755)
        mount.mkdir()
        subprocess.run(
            ['sshfs', '-o', 'ssh_command=%s' % ssh,
             'host:%s' % self.path, mount], check=True, timeout=20)
        self.addCleanup(subprocess.run, ['umount', '-l', mount], check=True)
        self.assertEqual(
            [('problem', 'an open file has another inode than in a listing '
              '(so no file is claimed)'),
             ('problem', 'flock(2) locks a name and not the file, which has '
              'two in a move')],
            [finding[:2] for finding in self.look('flock', str(mount))])


@gocept.filestore.tests.case.needs_mount('fuse-overlayfs')
class Overlay(gocept.filestore.tests.doctor.Case):
    """FUSE that can rename, and leaves the locks to the kernel."""

    def test_locks_reach_nobody_else(self):
        for name in ('lower', 'work', 'mount'):
            (self.directory / name).mkdir()
        mount = self.directory / 'mount'
        subprocess.run(
            ['fuse-overlayfs', '-o', 'lowerdir=%s,upperdir=%s,workdir=%s' % (
                self.directory / 'lower', self.path, self.directory / 'work'),
             mount], check=True, timeout=20, stderr=subprocess.DEVNULL)
        self.addCleanup(subprocess.run, ['umount', '-l', mount], check=True)
        self.assertEqual(
            ('note', 'locks reach no other mount, and no other host'),
            self.only('flock', str(mount))[:2])


class Notification(gocept.filestore.tests.doctor.Case):

    def spaces(self):
        return [gocept.filestore.disk.space.Space(
            str(self.path), name, str(self.path / name), False)
            for name in ('tmp', 'new')]

    def test_wakes_in_no_time(self):
        delay = gocept.filestore.disk.inotify.delay(*self.spaces())
        self.assertTrue(0 < delay < 1, delay)

    @gocept.filestore.tests.case.slow
    def test_others_move_files_meanwhile(self):
        self.put('tmp', 'stop')
        child = self.child()
        child.send('import itertools, os\n'
                   'for number in itertools.count():\n'
                   '    if not os.path.exists(store.path + "/tmp/stop"):\n'
                   '        break\n'
                   '    with store.publish(str(number)) as file: pass')
        self.wait(lambda: os.listdir(self.path / 'new'))
        for _ in range(20):
            delay = gocept.filestore.disk.inotify.delay(*self.spaces())
            self.assertTrue(0 < delay < 1, delay)
        (self.path / 'tmp' / 'stop').unlink()
        child.answer()

    def test_directory_that_has_gone(self):
        tmp, new = self.spaces()
        (self.path / 'new').rename(self.directory / 'elsewhere')
        before = self.descriptors()
        with self.assertRaises(FileNotFoundError):
            gocept.filestore.disk.inotify.delay(tmp, new)
        self.assertEqual(before, os.listdir('/proc/self/fd'))
