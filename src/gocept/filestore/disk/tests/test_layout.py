import concurrent.futures
import errno
import gocept.filestore.disk.layout
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import os
import pathlib
import threading
import unittest.mock


class LayoutCase(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        self.place = self.directory / 'a' / 'b' / 'store'

    def make(self, path=None, **options):
        store = gocept.filestore.filestore.FileStore(
            str(path or self.place), **options)
        store.prepare()
        return store

    def in_the_way(self, path, place=None, **options):
        kind = gocept.filestore.interfaces.InTheWay
        with self.assertRaises(kind) as raised:
            self.make(place, **options)
        self.assertEqual(str(path), raised.exception.filename)
        self.assertEqual(str(place or self.place), raised.exception.store)
        self.assertIn(str(path), str(raised.exception))


class Prepare(LayoutCase):

    def test_makes_three_spaces(self):
        self.make()
        self.assertEqual(['cur', 'new', 'tmp'], sorted(
            os.listdir(self.place)))

    def test_not_durable(self):
        self.make(durable=False)
        self.assertEqual(['cur', 'new', 'tmp'], sorted(
            os.listdir(self.place)))

    def test_second_call_does_nothing(self):
        self.make()
        (self.place / 'new' / 'a').write_text('content')
        before = self.states()
        self.make(directory_mode=0o700)
        self.assertEqual(before, self.states())

    def states(self):
        return {path: (status.st_ino, status.st_mode, status.st_ctime_ns)
                for path in (self.place, *self.place.rglob('*'))
                for status in [os.lstat(path)]}

    def test_makes_what_is_missing(self):
        self.make()
        (self.place / 'new').rmdir()
        self.make()
        self.assertEqual(['cur', 'new', 'tmp'], sorted(
            os.listdir(self.place)))

    def test_into_an_existing_directory(self):
        self.place.mkdir(parents=True)
        (self.place / 'README').write_text('ours')
        self.make()
        self.assertEqual(['README', 'cur', 'new', 'tmp'], sorted(
            os.listdir(self.place)))

    def test_path_with_a_slash_at_its_end(self):
        self.make(str(self.place) + '/')
        self.assertTrue((self.place / 'new').is_dir())

    def test_path_object(self):
        store = gocept.filestore.filestore.FileStore(self.place)
        store.prepare()
        self.assertEqual(self.place, store.path)
        self.assertTrue((self.place / 'new').is_dir())

    def test_relative_path(self):
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        store = self.make('x/y')
        self.assertEqual('x/y', store.path)
        self.assertTrue((self.directory / 'x' / 'y' / 'new').is_dir())
        (self.directory / 'x' / 'y' / 'new' / 'a').write_text('content')
        self.assertEqual(['x/y/new/a'], store.list('new'))

    def test_store_may_be_reached_through_a_link(self):
        (self.directory / 'real').mkdir()
        os.symlink('real', self.directory / 'link')
        self.make(self.directory / 'link')
        self.assertTrue((self.directory / 'real' / 'new').is_dir())

    def test_parent_may_be_reached_through_a_link(self):
        (self.directory / 'real').mkdir()
        os.symlink('real', self.directory / 'link')
        self.make(self.directory / 'link' / 'x' / 'store')
        self.assertTrue(
            (self.directory / 'real' / 'x' / 'store' / 'new').is_dir())

    def test_forbidden(self):
        self.forbid(self.directory)
        with self.be_nobody(), self.assertRaises(PermissionError) as raised:
            self.make()
        self.assertEqual(
            str(self.directory / 'a'), raised.exception.filename)

    def test_empty_path_is_a_mistake(self):
        for path in ('', pathlib.PurePosixPath('').name):
            with self.assertRaises(ValueError):
                gocept.filestore.filestore.FileStore(path)


class InTheWay(LayoutCase):

    def test_file_in_the_place_of_the_store(self):
        self.place.parent.mkdir(parents=True)
        self.place.write_text('')
        self.in_the_way(self.place)

    def test_file_in_the_place_of_a_parent(self):
        (self.directory / 'a').write_text('')
        self.in_the_way(self.directory / 'a')

    def test_file_in_the_place_of_a_space(self):
        self.place.mkdir(parents=True)
        (self.place / 'new').write_text('')
        self.in_the_way(self.place / 'new')

    def test_dangling_link_in_the_place_of_the_store(self):
        os.symlink('nowhere', self.directory / 'store-2')
        self.in_the_way(
            self.directory / 'store-2', self.directory / 'store-2')
        self.assertFalse((self.directory / 'nowhere').exists())

    def test_dangling_link_in_the_place_of_a_parent(self):
        os.symlink('nowhere', self.directory / 'a')
        self.in_the_way(self.directory / 'a')
        self.assertFalse((self.directory / 'nowhere').exists())

    def test_link_to_a_file_in_the_place_of_the_store(self):
        (self.directory / 'file').write_text('')
        os.symlink('file', self.directory / 'link')
        self.in_the_way(self.directory / 'link', self.directory / 'link')

    def test_link_into_a_file_in_the_place_of_the_store(self):
        (self.directory / 'file').write_text('')
        os.symlink('file/store', self.directory / 'link')
        self.in_the_way(self.directory / 'link', self.directory / 'link')

    def test_link_to_itself_in_the_place_of_the_store(self):
        os.symlink('loop', self.directory / 'loop')
        self.in_the_way(self.directory / 'loop', self.directory / 'loop')

    def test_link_to_itself_in_the_place_of_a_parent(self):
        os.symlink('a', self.directory / 'a')
        self.in_the_way(self.directory / 'a')

    def test_link_in_the_place_of_a_space(self):
        outside = self.directory / 'outside'
        outside.mkdir()
        self.place.mkdir(parents=True)
        for name, target in (
                ('tmp', outside), ('new', 'nowhere'), ('cur', 'cur')):
            os.symlink(target, self.place / name)
            self.in_the_way(self.place / name, directory_mode=0o700)
            (self.place / name).unlink()
        self.assertEqual([], os.listdir(outside))
        self.assertNotEqual(0o40700, os.stat(outside).st_mode)

    def test_pipe_in_the_place_of_a_space(self):
        self.place.mkdir(parents=True)
        os.mkfifo(self.place / 'new')
        with self.no_blocking():
            self.in_the_way(self.place / 'new')


class IsDirectory(LayoutCase):

    def test_other_errors_are_told(self):
        def refuse(path):
            raise PermissionError(1, 'refused', path)

        with self.assertRaises(PermissionError):
            gocept.filestore.disk.layout.is_directory('store', refuse)


class DirectoryMode(LayoutCase):

    def test_exact_whatever_the_umask(self):
        for number, mode in enumerate(
                (0o700, 0o750, 0o777, 0o2770, 0o1777, 0o3775)):
            place = self.directory / str(number)
            with self.umask(0o077):
                self.make(place, directory_mode=mode)
            for path in (place, *place.iterdir()):
                self.assertMode(mode, path)

    def test_umask(self):
        with self.umask(0o027):
            self.make()
        self.assertMode(0o750, self.place)
        self.assertMode(0o750, self.place / 'new')

    def test_parents_get_what_the_umask_leaves(self):
        with self.umask(0o027):
            self.make(directory_mode=0o2777)
        self.assertMode(0o750, self.place.parent)
        self.assertMode(0o2777, self.place)

    def test_spaces_that_are_made_on_first_use(self):
        with self.umask(0o077):
            store = self.make(directory_mode=0o2770)
            for name in 'ab':
                with store.publish(name):
                    pass
            store.claim().fail(gocept.filestore.interfaces.Reject('no paper'))
        for name in ('work', 'failed', 'attempts'):
            self.assertMode(0o2770, self.place / name)


class Spaces(LayoutCase):
    """How the spaces of a store are found, while the store lives."""

    def put_link(self, space):
        outside = self.directory / 'outside'
        outside.mkdir(exist_ok=True)
        (outside / 'a').write_text('outside')
        path = self.path / space
        if path.exists():
            path.rmdir()
        os.symlink(outside, path)
        return outside

    def test_link_in_the_place_of_a_space(self):
        # Once before the store has opened it, once afterwards.
        for store in (self.open_store(), self.store):
            self.assertEqual([], self.store.list('new'))
            self.put_link('new')
            with self.assertRaises(
                    gocept.filestore.interfaces.InTheWay) as raised:
                store.list('new')
            self.assertEqual(
                str(self.path / 'new'), raised.exception.filename)
            (self.path / 'new').unlink()
            (self.path / 'new').mkdir()

    def test_link_in_the_place_of_a_space_that_is_made_on_first_use(self):
        for space in ('work', 'failed', 'attempts'):
            outside = self.put_link(space)
            with self.assertRaises(gocept.filestore.interfaces.InTheWay):
                self.store.list(space)
            self.assertEqual(['a'], os.listdir(outside))
            (self.path / space).unlink()

    def test_file_in_the_place_of_the_store(self):
        store = gocept.filestore.filestore.FileStore('/etc/hostname')
        with self.assertRaises(gocept.filestore.interfaces.InTheWay):
            store.list('new')

    def test_forbidden(self):
        self.forbid(self.path / 'new', 0)
        with self.be_nobody(), self.assertRaises(PermissionError) as raised:
            self.open_store().list('new')
        self.assertEqual(errno.EACCES, raised.exception.errno)
        self.assertEqual(str(self.path / 'new'), raised.exception.filename)


class PrepareOption(LayoutCase):
    """A store that is made when it is used for the first time."""

    def setUp(self):
        super().setUp()
        self.lazy = gocept.filestore.filestore.FileStore(
            str(self.place), prepare=True)

    def test_nothing_is_made_before_it_is_used(self):
        self.assertFalse(self.place.parent.exists())

    def test_made_by_a_verb(self):
        self.assertEqual([], self.lazy.list('new'))
        self.assertEqual(['cur', 'new', 'tmp'], sorted(
            os.listdir(self.place)))

    def test_made_by_claim(self):
        self.assertIsNone(self.lazy.claim())
        self.assertTrue((self.place / 'new').is_dir())

    def test_made_by_publish(self):
        with self.lazy.publish('a'):
            pass
        self.assertEqual(['a'], os.listdir(self.place / 'new'))

    def test_made_again(self):
        self.lazy.list('new')
        for space in self.place.iterdir():
            space.rmdir()
        self.place.rmdir()
        self.assertEqual([], self.lazy.list('cur'))

    def test_in_the_way(self):
        (self.directory / 'a').write_text('')
        with self.assertRaises(gocept.filestore.interfaces.InTheWay):
            self.lazy.list('new')


class Ready(gocept.filestore.tests.case.Case):

    def test_sync_that_fails_is_told(self):
        def fail(path):
            raise gocept.filestore.interfaces.NotSynced(5, 'failing')

        self.store._layout._sync = fail
        with self.assertRaises(gocept.filestore.interfaces.NotSynced):
            self.store.publish('a').__enter__()
        self.assertEqual({}, self.tree())


class Many(gocept.filestore.tests.case.Case):
    """Directories that are open at once, as if they were many."""

    def test_first_one_goes_unless_it_was_replaced(self):
        module, layout = gocept.filestore.disk.layout, self.store._layout
        with (unittest.mock.patch.object(module, 'MOST', 1),
              unittest.mock.patch.object(module, 'opened', {})):
            older = layout['new']
            os.rename(self.path / 'new', self.path / 'old')
            (self.path / 'new').mkdir()
            newer = layout['new']
            self.assertIsNot(older, newer)
            self.assertIs(newer, layout['new'])
            layout['tmp']
            self.assertIsNot(newer, layout['new'])

    def test_those_that_have_gone_do_not_count(self):
        before = len(gocept.filestore.disk.layout.opened)
        for _ in range(10):
            self.open_store().list('new')
        self.assertEqual(before, len(gocept.filestore.disk.layout.opened))


class Threads(gocept.filestore.tests.case.Case):

    @gocept.filestore.tests.case.slow
    def test_find_the_spaces_at_once(self):
        for number in range(60):
            store = gocept.filestore.filestore.FileStore(
                str(self.directory / str(number)), durable=False)
            store.prepare()
            together = threading.Barrier(8, timeout=60)

            def publish(number, store=store, together=together):
                together.wait()
                with store.publish():
                    pass

            with concurrent.futures.ThreadPoolExecutor(8) as threads:
                list(threads.map(publish, range(8)))
            self.assertEqual(8, len(store.list('new')))
