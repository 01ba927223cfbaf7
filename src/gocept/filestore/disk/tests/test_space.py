import errno
import gc
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import os
import socket


def listed(space):
    return sorted(entry.name for entry in space.entries())


class SpaceCase(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        self.space = self.open_space('new')

    def open_space(self, name):
        return gocept.filestore.disk.space.Space(
            str(self.path), name, str(self.path / name), True)

    def assertRaisesOf(self, name, filename, function, *args):
        """Expect an error of ours with all of its facts."""
        kind = getattr(gocept.filestore.interfaces, name)
        with self.assertRaises(kind) as raised:
            function(*args)
        self.assertEqual(filename, raised.exception.filename)
        self.assertEqual(str(self.path), raised.exception.store)
        self.assertIn(str(self.path), str(raised.exception))
        self.assertIn(repr(filename), str(raised.exception))
        return raised.exception.reason

    def make_special(self, space='new'):
        """Put one of each kind of what is no regular file into a space."""
        directory = self.path / space
        outside = self.directory / 'outside'
        outside.write_text('outside')
        os.symlink(outside, directory / 'link')
        os.symlink('nowhere', directory / 'dangling')
        os.symlink('loop', directory / 'loop')
        os.mkfifo(directory / 'pipe')
        (directory / 'directory').mkdir()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(directory / 'socket'))
        return ('link', 'dangling', 'loop', 'pipe', 'directory', 'socket')


class Gone(SpaceCase):
    """The directory has gone since the space was opened."""

    def test_it_is_not_listed(self):
        (self.path / 'new').rename(self.directory / 'elsewhere')
        for look in (lambda: listed(self.space), self.space.names,
                     lambda: self.open_space('new')):
            reason = self.assertRaisesOf('NotPrepared', 'new', look)
            self.assertEqual('prepare() makes it', reason)


class Mode(SpaceCase):

    def test_file_whose_mode_can_not_be_set_is_not_left_behind(self):
        # As on file systems without modes; this descriptor takes none.
        self.put('new', 'a')
        descriptor = os.open(self.path / 'new' / 'a', os.O_PATH)
        with self.assertRaises(OSError) as raised:
            self.space._set_mode('a', descriptor, 0o600)
        self.assertEqual(
            str(self.path / 'new' / 'a'), raised.exception.filename)
        self.assertRaises(OSError, os.fstat, descriptor)
        self.assertEqual({}, self.tree())


class Identity(SpaceCase):

    def test_is_current(self):
        self.assertTrue(self.space.is_current())

    def test_not_there_any_more(self):
        (self.path / 'new').rmdir()
        self.assertFalse(self.space.is_current())

    def test_made_anew(self):
        (self.path / 'new').rmdir()
        (self.path / 'new').mkdir()
        self.assertFalse(self.space.is_current())

    def test_link_to_itself(self):
        os.rename(self.path / 'new', self.path / 'moved')
        os.symlink('moved', self.path / 'new')
        self.assertFalse(self.space.is_current())

    def test_closes_its_descriptor(self):
        descriptor = self.space.descriptor
        del self.space
        with self.assertRaises(OSError) as raised:
            os.fstat(descriptor)
        self.assertEqual(errno.EBADF, raised.exception.errno)

    def test_one_that_could_not_be_opened_has_nothing_to_close(self):
        for name, kind in (('nothing', FileNotFoundError),
                           ('file', NotADirectoryError)):
            (self.path / 'file').write_text('')
            with self.assertRaises(kind):
                self.open_space(name)

    def test_link_is_not_opened(self):
        os.symlink('new', self.path / 'link')
        with self.assertRaises(OSError) as raised:
            self.open_space('link')
        self.assertIn(raised.exception.errno, (errno.ELOOP, errno.ENOTDIR))


    def test_closed_by_somebody_when_another_one_lies_there(self):
        os.close(self.space.descriptor)
        os.rename(self.path / 'new', self.path / 'old')
        (self.path / 'new').mkdir()
        self.assertIn('another one', self.assertRaisesOf(
            'NotPrepared', 'new', self.space.known))


class Listing(SpaceCase):

    def test_regular_files_only(self):
        self.make_special()
        self.put('new', 'b')
        self.put('new', 'a')
        with self.no_blocking():
            self.assertEqual(['a', 'b'], listed(self.space))

    def test_names_of_whatever_there_is(self):
        self.put('new', '.nfs0001')
        os.symlink('a', self.path / 'new' / 'b')
        self.assertEqual(['.nfs0001', 'b'], sorted(self.space.names()))
        self.assertEqual(['.nfs0001', 'b'], sorted(self.space.names()))

    def test_names_that_may_not_be_read(self):
        self.forbid(self.path / 'new', 0o300)
        with self.be_nobody(), self.assertRaises(PermissionError) as raised:
            self.space.names()
        self.assertEqual(str(self.path / 'new'), raised.exception.filename)

    def test_names_with_a_leading_dot_are_nobodys(self):
        self.put('new', '.nfs0001')
        self.put('new', 'a')
        self.assertEqual(['a'], listed(self.space))

    def test_is_fresh_each_time(self):
        self.assertEqual([], listed(self.space))
        self.put('new', 'a')
        self.assertEqual(['a'], listed(self.space))

    def test_two_at_once_have_a_position_each(self):
        for name in 'abc':
            self.put('new', name)
        first, second = self.space.entries(), self.space.entries()
        pairs = [(a.name, b.name) for a, b in zip(first, second, strict=True)]
        self.assertEqual(3, len(pairs))

    def test_that_fails_once_where_other_hosts_change_it(self):
        self.put('new', 'a')
        for number, times, is_told in (
                (errno.EIO, 1, True), (errno.EIO, 2, False),
                (errno.EACCES, 1, False)):
            errors = [OSError(number, 'broken')] * times

            def scandir(path, errors=errors):
                if errors:
                    raise errors.pop()
                return os.scandir(path)

            if is_told:
                self.assertEqual(['a'], [
                    entry.name for entry in self.space._listed(scandir)])
            else:
                self.assertRaises(OSError, self.space._listed, scandir)
            self.assertEqual([], errors)

    def test_abandoned_listing_closes_its_descriptors(self):
        for name in 'abc':
            self.put('new', name)
        before = self.descriptors()
        entries = self.space.entries()
        next(entries)
        entries.close()
        self.assertEqual(before, os.listdir('/proc/self/fd'))

    def test_inode(self):
        path = self.put('new', 'a')
        self.put('new', 'b')
        self.assertEqual(os.stat(path).st_ino, self.space.inode('a'))

    def test_inode_of_nothing(self):
        self.put('new', 'a')
        self.assertIsNone(self.space.inode('b'))

    def test_inode_of_a_link(self):
        os.symlink('a', self.path / 'new' / 'b')
        self.assertIsNone(self.space.inode('b'))

    def test_gone_before_its_type_was_asked_for(self):
        entry = Entry(OSError(errno.ESTALE, 'Stale file handle'))
        self.assertFalse(gocept.filestore.disk.space.is_file(entry))


class Entry:
    """An entry of a file system that does not know types, of a gone file."""

    name = 'a'

    def __init__(self, error):
        self.error = error

    def is_file(self, follow_symlinks):
        raise self.error


class Opening(SpaceCase):

    @gocept.filestore.tests.case.slow
    def test_special_files_are_not_opened(self):
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
            self.refuse(flags)

    def refuse(self, flags):
        gc.collect()  # what other tests have left
        before = self.descriptors()
        for name in self.special:
            with self.no_blocking(), self.subTest(name=name, flags=flags):
                reason = self.assertRaisesOf(
                    'NotRegular', name, self.space.open, name, flags)
                self.assertIn("in 'new'", reason)
        self.assertEqual(before, os.listdir('/proc/self/fd'))

    def setUp(self):
        super().setUp()
        self.special = self.make_special()

    def test_pipe_with_a_reader_is_not_written_to(self):
        reader = os.open(
            self.path / 'new' / 'pipe', os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        with self.no_blocking():
            self.refuse(os.O_WRONLY)

    @gocept.filestore.tests.case.needs_root('make a device')
    def test_device(self):
        os.mknod(self.path / 'new' / 'null', 0o020666, os.makedev(1, 3))
        self.assertRaisesOf(
            'NotRegular', 'null', self.space.open, 'null', os.O_RDWR)

    def test_nothing(self):
        self.assertRaisesOf('NoSuchFile', 'x', self.space.open, 'x')

    def test_reads(self):
        self.put('new', 'a', 'text')
        with open(self.space.open('a')) as file:
            self.assertEqual('text', file.read())

    def test_descriptor_is_not_inherited(self):
        self.put('new', 'a')
        with open(self.space.open('a')) as file:
            self.assertFalse(os.get_inheritable(file.fileno()))

    def test_forbidden(self):
        self.put('new', 'a').chmod(0)
        with self.be_nobody(), self.assertRaises(PermissionError) as raised:
            self.space.open('a')
        self.assertEqual(
            str(self.path / 'new' / 'a'), raised.exception.filename)
        self.assertEqual(
            '[Errno 13] Permission denied: %r' % str(self.path / 'new' / 'a'),
            str(raised.exception))


class Creating(SpaceCase):

    def create(self, mode=None):
        os.close(self.space.create('a', os.O_WRONLY | os.O_TRUNC, mode))
        return self.path / 'new' / 'a'

    def test_umask(self):
        with self.umask(0o027):
            self.assertMode(0o640, self.create())

    def test_exact_mode(self):
        for mode in (0o600, 0o640, 0o664, 0o666, 0o404):
            with self.umask(0o777):
                path = self.create(mode)
            self.assertMode(mode, path)
            path.unlink()

    def test_taken(self):
        self.create()
        self.assertRaisesOf(
            'NameTaken', 'a', self.space.create, 'a', os.O_WRONLY)

    def test_taken_by_a_dangling_link(self):
        outside = self.directory / 'outside'
        os.symlink(outside, self.path / 'new' / 'a')
        self.assertRaisesOf(
            'NameTaken', 'a', self.space.create, 'a', os.O_WRONLY)
        self.assertFalse(outside.exists())


class Looking(SpaceCase):

    def test_status(self):
        path = self.put('new', 'a')
        for is_local in (True, False):
            self.space.is_local = is_local
            self.assertTrue(
                os.path.samestat(os.stat(path), self.space.stat('a')))
            self.assertIsNone(self.space.stat('b'))
        self.assertEqual({'new': ['a']}, self.tree())

    def test_nothing(self):
        self.assertIsNone(self.space.stat('a'))
        self.assertIsNone(self.space.check('a'))

    def test_forbidden(self):
        (self.path / 'new').chmod(0o600)
        with self.be_nobody(), self.assertRaises(PermissionError) as raised:
            self.space.stat('a')
        self.assertEqual(
            str(self.path / 'new' / 'a'), raised.exception.filename)

    def test_special_files(self):
        for name in self.make_special():
            self.assertRaisesOf('NotRegular', name, self.space.check, name)

    def test_regular_file(self):
        self.put('new', 'a')
        self.assertIsNone(self.space.check('a'))


class Moving(SpaceCase):

    def setUp(self):
        super().setUp()
        self.target = self.open_space('cur')

    def both(self):
        return self.space.move, self.space.replace

    def test_taken_name_is_that_of_the_target(self):
        self.put('new', 'a')
        self.put('cur', 'b')
        reason = self.assertRaisesOf(
            'NameTaken', 'b', self.space.move, 'a', self.target, 'b')
        self.assertEqual("there is one in 'cur'", reason)

    def test_missing_name_is_that_of_the_source(self):
        for verb in self.both():
            reason = self.assertRaisesOf(
                'NoSuchFile', 'a', verb, 'a', self.target, 'b')
            self.assertEqual("there is none in 'new'", reason)

    def test_directory_is_not_replaced(self):
        self.put('new', 'a')
        (self.path / 'cur' / 'a').mkdir()
        reason = self.assertRaisesOf(
            'NotRegular', 'a', self.space.replace, 'a', self.target, 'a')
        self.assertIn("in 'cur'", reason)

    def test_forbidden_in_either(self):
        self.put('new', 'a')
        for forbidden in 'new', 'cur':
            self.forbid(self.path / forbidden)
            for verb in self.both():
                with (self.subTest(forbidden, verb=verb), self.be_nobody(),
                      self.assertRaises(PermissionError) as raised):
                    verb('a', self.target, 'b')
                self.assertEqual(
                    "'%s' -> '%s': Permission denied" % (
                        self.path / 'new' / 'a', self.path / 'cur' / 'b'),
                    gocept.filestore.disk.space.described(raised.exception))
            (self.path / forbidden).chmod(0o777)


class Syncing(SpaceCase):

    def test_durable(self):
        self.put('new', 'a')
        self.space.sync_file('a')
        self.space.sync()

    def test_error_tells_the_path(self):
        # What is in there has no place on any disk.
        space = gocept.filestore.disk.space.Space(
            str(self.path), 'new', f'/proc/{os.getpid()}', True)
        with self.assertRaises(
                gocept.filestore.interfaces.NotSynced) as raised:
            space.sync_file('status')
        self.assertEqual(
            str(self.path / 'new' / 'status'), raised.exception.filename)

    def test_what_is_not_there_can_not_be_synced(self):
        self.assertRaisesOf('NoSuchFile', 'a', self.space.sync_file, 'a')

    def test_not_durable(self):
        space = gocept.filestore.disk.space.Space(
            str(self.path), 'new', str(self.path / 'new'), False)
        space.sync_file('is not even opened')
        space.sync()
