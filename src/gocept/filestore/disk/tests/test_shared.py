"""What another host changes, and this one may remember as it was.

The real ones are mounted in the layers. Here a local disk says that it is
shared, and the other host acts when this one is about to look anew.
"""
import contextlib
import errno
import gocept.filestore.disk.layout
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import os
import unittest.mock


class SharedCase(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        self.new = self.space('new')
        self.cur = self.space('cur')

    def space(self, name):
        space = gocept.filestore.disk.space.Space(
            str(self.path), name, str(self.path / name), False)
        space.is_local = False
        return space

    @contextlib.contextmanager
    def meanwhile(self, act, *args):
        """Let another host act, once, before this one looks anew."""
        acts = [act]
        look = gocept.filestore.disk.move.look_anew

        def look_anew(directory, name):
            if acts:
                acts.pop()(*args)
            look(directory, name)

        with unittest.mock.patch.object(
                gocept.filestore.disk.move, 'look_anew', look_anew):
            yield
        self.assertEqual([], acts)


class Names(SharedCase):
    """No verb goes by a name that has gone, or has come."""

    def test_is_free_by_now(self):
        self.put('new', 'a', 'ours')
        for move_by in (list, self.move_by_link):
            move_by()
            path = self.put('cur', 'a', 'theirs')
            with self.meanwhile(os.unlink, path):
                self.new.move('a', self.cur, 'a')
            self.assertEqual('ours', self.read('cur', 'a'))
            os.rename(path, self.path / 'new' / 'a')

    def test_is_taken_still(self):
        self.put('new', 'a')
        self.put('cur', 'a')
        with self.meanwhile(list), self.assertRaises(
                gocept.filestore.interfaces.NameTaken):
            self.new.move('a', self.cur, 'a')
        self.assertEqual({'new': ['a'], 'cur': ['a']}, self.tree())

    def test_are_listed(self):
        self.put('new', 'a')
        self.assertEqual(['a'], self.new.names())
        os.rename(self.path / 'new', self.path / 'elsewhere')
        with self.assertRaises(
                gocept.filestore.interfaces.NotPrepared) as raised:
            self.new.names()
        self.assertEqual('new', raised.exception.filename)

    def test_can_be_created_by_now(self):
        path = self.put('new', 'a', 'theirs')
        with self.meanwhile(os.unlink, path):
            os.close(self.new.create('a', os.O_WRONLY))
        self.assertEqual('', self.read('new', 'a'))

    def test_can_not_be_created(self):
        self.put('new', 'a', 'theirs')
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            self.new.create('a', os.O_WRONLY)
        self.assertEqual('theirs', self.read('new', 'a'))

    def test_has_come_by_now(self):
        look = 'has_file', 'stat', 'open', 'check', 'remove'
        for name in look:
            with self.meanwhile(self.put, 'new', name):
                self.assertIsNot(False, getattr(self.new, name)(name))
        with self.meanwhile(self.put, 'new', 'a'):
            self.new.replace('a', self.cur, 'a')
        with self.meanwhile(self.put, 'new', 'a'):
            held = gocept.filestore.disk.lock.hold(self.new, 'a')
        self.assertTrue(held)
        held.release()

    def test_leads_to_another_file_when_the_lock_is_ours(self):
        path = self.put('new', 'a')
        with open(path) as older:

            def replace():
                os.rename(self.put('tmp', 'a', 'newer'), path)

            # What it opens is what the other host has replaced.
            with (self.meanwhile(replace),
                  unittest.mock.patch('os.open', lambda *args, **options:
                                      os.dup(older.fileno()))):
                self.assertIsNone(gocept.filestore.disk.lock.hold(
                    self.new, 'a'))
        self.assertEqual('newer', self.read('new', 'a'))

    def test_directory_that_has_gone(self):
        os.rmdir(self.path / 'cur')
        self.assertIsNone(self.cur.stat('a'))

    def test_directory_of_which_the_server_knows_no_more(self):
        with unittest.mock.patch('os.open', side_effect=OSError(
                errno.ESTALE, 'Stale file handle')):
            self.assertIsNone(self.cur.stat('a'))

    def test_directory_that_may_not_be_read(self):
        self.forbid(self.path / 'cur', 0o300)
        with self.be_nobody(), self.assertRaises(PermissionError) as raised:
            self.cur.stat('a')
        self.assertEqual(str(self.path / 'cur'), raised.exception.filename)


class Spaces(SharedCase):

    def setUp(self):
        super().setUp()
        self.layout = gocept.filestore.disk.layout.Layout(
            str(self.path), durable=False)
        self.layout['new'].is_local = False

    def look_anew(self, directory, name):
        """Let another host make a space before we look."""
        self.assertEqual(str(self.path), directory)
        (self.path / name).mkdir(exist_ok=True)

    def patch(self):
        patch = unittest.mock.patch(
            'gocept.filestore.disk.layout.look_anew', self.look_anew)
        patch.start()
        self.addCleanup(patch.stop)

    def test_is_made_by_another_host(self):
        self.assertIsNone(self.layout.get('failed'))
        self.assertFalse(self.layout.is_made('failed'))
        self.patch()
        self.assertEqual('failed', self.layout.get('failed').name)

    def test_is_seen(self):
        self.patch()
        self.assertTrue(self.layout.is_made('work'))

    def test_path_is_a_link(self):
        link = self.directory / 'link'
        link.symlink_to(self.path)
        layout = gocept.filestore.disk.layout.Layout(str(link))
        layout['new'].is_local = False
        self.assertIsNone(layout.get('failed'))
        self.assertFalse(layout.is_made('failed'))

    def test_moved_aside_by_another_host(self):
        looked = []

        def look_anew(directory, name):
            looked.append((directory, name))
            raise PermissionError

        moment = self.layout.now()
        self.layout.now = lambda: moment
        new = self.layout['new']
        self.assertIs(new, self.layout['new'])
        with unittest.mock.patch(
                'gocept.filestore.disk.layout.look_anew', look_anew):
            self.assertIs(new, self.layout['new'])
            self.assertEqual([], looked)  # it has just done so
            moment += 1
            self.assertIs(new, self.layout['new'])
            self.assertIs(new, self.layout['new'])
        self.assertEqual([(str(self.directory), 'store'),
                          (str(self.path), 'new')], looked)


class Lock(SharedCase):
    """NFS locks what is open for writing."""

    def setUp(self):
        super().setUp()
        self.new.locking = os.O_RDWR

    def test_works(self):
        self.put('new', 'a')
        with gocept.filestore.disk.lock.hold(self.new, 'a') as held:
            os.write(held.descriptor, b'it can be written')

    def test_second_name_that_only_the_servers_know(self):
        self.put('new', 'a')
        with unittest.mock.patch.object(
                os, 'getxattr', return_value=b'/new/a:/work/a\0'):
            with gocept.filestore.disk.lock.hold(self.new, 'a') as held:
                self.assertEqual(2, held.status.st_nlink)
            self.new.is_local = True
            with gocept.filestore.disk.lock.hold(self.new, 'a') as held:
                self.assertEqual(1, held.status.st_nlink)

    def test_name_that_this_host_takes_for_that_of_an_older_file(self):
        self.put('new', 'a', 'older')
        path = self.put('new', 'b', 'newer')
        with open(path) as newer:
            number, status = newer.fileno(), os.stat(path)
            answers = {self.new.descriptor: b'/new', number: b'/new/a'}
            with unittest.mock.patch.object(os, 'getxattr',
                                            lambda path, name: answers[path]):
                self.assertTrue(self.new.is_at('a', status, number))
                self.assertFalse(self.new.is_at('b', status, number))
                self.assertFalse(self.new.is_at('a', status))
            # No other file system is asked.
            self.assertFalse(self.new.is_at('a', status, number))
            self.assertTrue(self.new.is_at('b', status, number))

    def test_file_that_may_not_be_written(self):
        path = self.put('new', 'a')
        path.chmod(0o444)
        self.path.joinpath('new').chmod(0o755)
        with self.be_nobody(), self.assertRaises(PermissionError) as raised:
            gocept.filestore.disk.lock.hold(self.new, 'a')
        self.assertEqual(str(path), raised.exception.filename)
        self.assertEqual(errno.EACCES, raised.exception.errno)
        self.assertIn(
            'Permission denied (on NFS only who may write a file can lock it; '
            'its mode is 444, of user %s and group %s: chmod u+w or g+w lets '
            'them)' % (os.getuid(), os.stat(path).st_gid),
            str(raised.exception))

    def test_other_errors_are_as_ever(self):
        error = self.new.not_to_lock(OSError(errno.EIO, 'broken'), 'a')
        self.assertEqual((errno.EIO, 'broken'), (error.errno, error.strerror))
