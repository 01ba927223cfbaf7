import errno
import gocept.filestore.disk.file_system
import gocept.filestore.tests.case
import os
import subprocess
import unittest.mock


# As Linux 6.1 tells them; the second one is a bind mount of a directory.
MOUNTS = r"""
25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=24683656k
27 1 254:0 /srv/a\040b /mnt/a\040-\040cifs rw - ext4 /dev/vda rw,discard
31 27 0:40 / /mnt/c rw master:1 propagate_from:2 - tmpfs  rw,inode64
110 27 0:36 / /mnt/a rw shared:2 - nfs a:/a\040b rw,vers=3,local_lock=all
111 27 0:37 / /mnt/b rw - fuse.sshfs b:/ rw,user_id=0
"""[1:]
LINES = {25: ('tmpfs', 'size=24683656k'), 27: ('ext4', 'discard'),
         31: ('tmpfs', 'inode64'), 110: ('nfs', 'local_lock=all'),
         111: ('fuse.sshfs', 'user_id=0')}
# Kind, options, and a word of each reason; NO: it claims nothing there.
NO = 'NO '
WEAKNESSES = [
    ('nfs4', 'vers=4.2,local_lock=none', []),
    ('nfs4', 'vers=4.2,local_lock=all', []),
    ('nfs', 'vers=3,local_lock=none', [NO + 'dies']),
    ('nfs', 'vers=3,local_lock=posix', [NO + 'dies']),
    ('nfs', 'vers=3,nolock,local_lock=all', ['option nolock']),
    ('nfs', 'vers=3,local_lock=flock', ['option local_lock=flock']),
    ('cifs', 'vers=3.1.1,cache=strict', ['SMB']),
    ('smb3', 'vers=3.1.1,nobrl', ['option nobrl', 'SMB']),
    ('gfs2', 'localflocks', ['option localflocks']),
    ('fuse.juicefs', 'user_id=0', []), ('', '', [])]


class FileSystem(gocept.filestore.tests.case.Case):

    def is_local(self, path):
        descriptor = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        return gocept.filestore.disk.file_system.is_local(descriptor)

    def test_local(self):
        self.assertTrue(self.is_local(self.path))
        self.assertTrue(self.is_local(self.put('new', 'a')))

    def test_special(self):
        self.assertFalse(self.is_local('/proc'))

    @gocept.filestore.tests.case.needs_mount('bindfs')
    def test_fuse(self):
        mount = self.directory / 'mount'
        mount.mkdir()
        subprocess.check_call(['bindfs', self.path, mount])
        self.addCleanup(subprocess.check_call, ['umount', '-l', mount])
        self.assertFalse(self.is_local(mount))

    def mount(self, path):
        descriptor = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        return gocept.filestore.disk.file_system.mount(descriptor)

    def test_mount(self):
        kind, options = self.mount('/proc/self')
        self.assertEqual(('proc', 'rw'), (kind, options[0]))

    def test_device(self):
        descriptor = os.open('/proc', os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        device = os.fstat(descriptor).st_dev
        self.assertEqual(
            (os.major(device), os.minor(device)),
            gocept.filestore.disk.file_system.device(descriptor))

    def test_no_mount(self):
        # A pipe lies on none that has a place.
        ends = os.pipe()
        self.assertEqual(
            ('', ()), gocept.filestore.disk.file_system.mount(ends[0]))
        for end in ends:
            os.close(end)
        self.assertEqual(
            ('', ()), gocept.filestore.disk.file_system.mount(ends[0]))

    @gocept.filestore.tests.case.needs_mount()
    def test_mount_of_an_odd_name(self):
        path = self.directory / '\ra \\\n1 - cifs x nobrl'
        bound = self.directory / 'bound'
        path.mkdir()
        bound.mkdir()
        for command in (['-t', 'tmpfs', '', path], ['--bind', path, bound]):
            subprocess.check_call(['mount', *command])
            self.addCleanup(
                subprocess.check_call, ['umount', '-l', command[-1]])
        for directory in (path, bound):
            kind, options = self.mount(directory)
            self.assertEqual(('tmpfs', 'rw'), (kind, options[0]))

    def test_mounts(self):
        for number, (kind, option) in LINES.items():
            found, options = gocept.filestore.disk.file_system.find_mount(
                MOUNTS, str(number))
            self.assertEqual((kind, 'rw'), (found, options[0]))
            self.assertIn(option, options)
        for number in (1, 11, 127):
            with self.assertRaises(ValueError):
                gocept.filestore.disk.file_system.find_mount(
                    MOUNTS, str(number))

    def test_weaknesses(self):
        for kind, options, reasons in WEAKNESSES:
            found = list(gocept.filestore.disk.file_system.weaknesses(
                kind, options.split(',')))
            self.assertEqual(len(reasons), len(found), kind)
            for reason, weakness in zip(reasons, found, strict=True):
                self.assertIn(reason.removeprefix(NO), weakness.reason)
                self.assertEqual(
                    reason.startswith(NO), weakness.is_refused)

    def test_time_of_a_copy(self):
        is_kept = gocept.filestore.disk.file_system.is_kept
        changed = 1_795_435_201_123_456_789
        for time in (changed, changed - 89, changed - 456_789,
                     changed - 123_456_789, changed - 1_123_456_789):
            self.assertTrue(is_kept(time, changed), time)
        for time in (changed + 1, changed - 1, changed - 10 ** 9, 0):
            self.assertFalse(is_kept(time, changed), time)
        self.assertFalse(is_kept(changed, changed - 123_456_789))

    def test_no_such_descriptor(self):
        self.assertEqual(0, gocept.filestore.disk.file_system.magic(-1))


# What a status has, but for the number of links.
FACTS = [name for name in dir(os.stat_result)
         if name.startswith('st_') and name != 'st_nlink']


class Served(gocept.filestore.tests.case.Case):
    """The answers of GlusterFS; its own ones are in `test_distributed.py`."""

    def is_served(self, place, found, name='a', descriptor=None):
        path = self.path / 'new'
        directory = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, directory)
        path = '/proc/self/fd/%s/%s' % (directory, name)
        answers = {directory: place, descriptor or path: found}
        inode = os.stat(self.put('new', 'a')).st_ino
        return gocept.filestore.disk.file_system.is_served(
            directory, name, inode, True, descriptor, answers.get)

    def test_is_no_question_elsewhere(self):
        self.assertIsNone(gocept.filestore.disk.file_system.places(self.path))
        self.assertTrue(self.is_served(None, None, 'gone'))

    def test_is_asked_of_an_open_file(self):
        self.assertTrue(self.is_served(b'/s/new', b'/s/new/a', 'a', -3))
        self.assertFalse(self.is_served(b'/s/new', b'/s/cur/a', 'a', -3))

    def test_question_that_fails(self):
        # Whatever this is, a listing tells.
        with unittest.mock.patch.object(
                os, 'getxattr', side_effect=InterruptedError(errno.EINTR, '')):
            self.assertEqual(
                b'', gocept.filestore.disk.file_system.places(self.path))
        self.assertTrue(self.is_served(b'', None))
        self.assertFalse(self.is_served(b'', None, 'gone'))

    def test_one_name(self):
        self.assertTrue(self.is_served(b'/s/new', b'/s/new/gone', 'gone'))
        for found in (b'/s/cur/a', b'/new/a', b'/s/new/aa', b'/s/new/a/a'):
            self.assertFalse(self.is_served(b'/s/new', found), found)

    def test_several_names(self):
        for found in (b'/s/cur/a:/s/new/gone', b'/s/new/gone:/s/cur/a',
                      b'/x:/s/new/gone:/y'):
            self.assertTrue(self.is_served(b'/s/new', found, 'gone'))

    def test_garbled_or_unknown_names(self):
        for found in (b'/s/tmp/draft:/s/new/araft', None):
            self.assertTrue(self.is_served(b'/s/new', found))
            self.assertFalse(self.is_served(b'/s/new', found, 'gone'))

    def test_second_name_that_this_host_does_not_know_of(self):
        status = os.stat(self.put('new', 'a'))
        for found in (b'/s/new/a:/s/work/a', b'/s/tmp/draft:/s/new/araft',
                      b''):
            counted = self.counted(status, found)
            self.assertEqual(2, counted.st_nlink)
            self.assertTrue(os.path.samestat(status, counted))
            self.assertEqual(
                {name: getattr(status, name) for name in FACTS},
                {name: getattr(counted, name) for name in FACTS})

    def test_number_of_names_that_is_right_or_too_high(self):
        path = self.put('new', 'a')
        status = os.stat(path)
        for found in (b'/s/new/a', None):
            self.assertIs(status, self.counted(status, found))
        os.link(path, self.path / 'new' / 'b')
        status = os.stat(path)
        self.assertIs(status, self.counted(status, b'/s/new/a'))

    def counted(self, status, found):
        return gocept.filestore.disk.file_system.counted(
            status, 3, {3: found}.get)
