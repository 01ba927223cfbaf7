import gocept.filestore.intake.intake
import gocept.filestore.intake.tests.test_intake
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest.mock


class Access(gocept.filestore.intake.tests.test_intake.IntakeCase):

    def test_keeps_its_mode(self):
        self.drop('a').chmod(0o604)
        self.take()
        self.assertMode(0o604, self.path / 'new' / 'a')

    def test_gets_the_mode_of_the_store(self):
        self.drop('a').chmod(0o604)
        self.drop('b').chmod(0o660)
        self.store = self.open_store(file_mode=0o660)
        self.take()
        self.assertMode(0o660, self.path / 'new' / 'a')
        self.assertMode(0o660, self.path / 'new' / 'b')


class Sync(gocept.filestore.intake.tests.test_intake.IntakeCase):

    def test_is_not_tried_again(self):
        # What is no file can not be synced.
        self.store = self.open_store(durable=True)
        intake = self.intake()
        intake.take()
        reader, writer = os.pipe()
        os.close(writer)
        with open(reader) as pipe:
            with self.assertRaises(gocept.filestore.interfaces.NotSynced):
                with intake._delivery.together():
                    intake._delivery.deliver('a', pipe)
            with self.assertRaises(OSError) as raised:
                intake._delivery.deliver('a', pipe)
        self.assertNotIsInstance(
            raised.exception, gocept.filestore.interfaces.NotSynced)


@gocept.filestore.intake.tests.test_intake.needs_second_device
class AnotherDevice(gocept.filestore.intake.tests.test_intake.IntakeCase):

    def setUp(self):
        super().setUp()
        self.folder.rmdir()
        memory = gocept.filestore.intake.tests.test_intake.MEMORY
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=memory))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_copies(self):
        self.drop('a', 'content' * 1000).chmod(0o640)
        self.assertEqual(['a'], self.take())
        self.assertEqual('content' * 1000, self.read('new', 'a'))
        self.assertMode(0o640, self.path / 'new' / 'a')
        self.assertEqual({'new': ['a']}, self.tree())
        self.assertEqual([], self.hidden() + self.outside())

    def test_holes_times_and_attributes(self):
        path = self.drop('a')
        os.truncate(path, 1 << 30)
        os.setxattr(path, 'user.colour', b'red')
        os.utime(path, ns=(123, 456))
        self.take()
        path = self.path / 'new' / 'a'
        status = os.stat(path)
        self.assertLess(status.st_blocks * 512, 1 << 20)
        self.assertEqual((1 << 30, 456), (status.st_size, status.st_mtime_ns))
        self.assertEqual(b'red', os.getxattr(path, 'user.colour'))

    @gocept.filestore.tests.case.needs_root('give a file to somebody')
    def test_owner(self):
        path = self.drop('a')
        path.chmod(0o640)
        os.chown(path, 4711, 4712)
        self.take()
        status = os.stat(self.path / 'new' / 'a')
        self.assertEqual((4711, 4712), (status.st_uid, status.st_gid))
        self.assertMode(0o640, self.path / 'new' / 'a')

    def test_mode_of_the_store(self):
        self.drop('a').chmod(0o600)
        self.store = self.open_store(file_mode=0o664)
        self.take()
        self.assertMode(0o664, self.path / 'new' / 'a')

    def test_never_replaces(self):
        self.put('new', 'a', 'older')
        self.drop('a')
        intake = self.intake()
        self.assertWaiting(intake, a=gocept.filestore.intake.intake.TAKEN)
        self.assertEqual(
            ({'new': ['a']}, ['a']), (self.tree(), self.hidden()))
        self.assertEqual('older', self.read('new', 'a'))

    def test_writer(self):
        writer = self.writer()
        intake = self.intake()
        self.assertWaiting(intake, a=gocept.filestore.intake.intake.WRITTEN)
        writer.run('file.write("end")\nfile.close()')
        self.assertTaken(['a'], intake)
        self.assertEqual('begin\nend', self.read('new', 'a'))

    def test_durable(self):
        self.store = self.open_store(durable=True)
        self.drop('a')
        self.assertEqual(['a'], self.take())

    @gocept.filestore.tests.case.needs_mount()
    def test_full_disk(self):
        self.put_store_on_a_small_disk()
        self.drop('a', 'x' * 200000)
        self.drop('b')
        intake = self.intake()
        self.assertTaken(['b'], intake)
        self.assertIn('No space left', str(intake.refused['a']))
        self.assertEqual({'new': ['b']}, self.tree())
        self.assertEqual(['a'], self.hidden())

    def put_store_on_a_small_disk(self):
        shutil.rmtree(self.path)
        self.path.mkdir()
        subprocess.check_call(
            ['mount', '-t', 'tmpfs', '-o', 'size=100k', 'tmpfs', self.path])
        self.addCleanup(subprocess.check_call, ['umount', '-l', self.path])
        self.store = self.open_store()
        self.store.prepare()


class Durable(gocept.filestore.intake.tests.test_intake.IntakeCase):

    options = {'durable': True}

    def test_take(self):
        self.drop('a')
        self.assertEqual(['a'], self.take())
        self.assertEqual({'new': ['a']}, self.tree())


class Twins(gocept.filestore.intake.tests.test_intake.IntakeCase):
    """A process has died between the two steps of a move by link."""

    variant = 'by_link'

    def twins(self, space):
        path = self.put(space, 'a')
        intake = self.intake()
        intake.take()
        os.link(path, self.folder / '.filestore' / 'a')
        return intake

    def test_wherever_it_is_meanwhile(self):
        for space in ('new', 'work', 'cur', 'failed'):
            intake = self.twins(space)
            self.assertTaken([], intake)
            self.assertEqual(({}, {}), (intake.waiting, intake.refused))
            self.assertEqual([], self.hidden())
            self.assertEqual({space: ['a']}, self.tree())
            shutil.rmtree(self.path)
            self.store.prepare()

    def test_second_name_that_only_the_servers_know(self):
        path = self.put('work', 'a')
        before = os.stat(path)
        intake = self.intake()
        intake.take()
        parked = self.folder / '.filestore' / 'a'
        os.link(path, parked)
        delivery = intake._delivery
        with open(parked) as file, unittest.mock.patch.object(
                os, 'getxattr', return_value=b'/work/a:/.filestore/a\0'):
            self.assertFalse(delivery.is_done('a', before, file.fileno()))
            delivery.folder.inside.is_local = False
            self.assertTrue(delivery.is_done('a', before, file.fileno()))
        self.assertEqual([], self.hidden())
        self.assertEqual({'work': ['a']}, self.tree())

    def test_put_back(self):
        path = self.drop('a')
        intake = self.intake(exclude=['a'])
        intake.take()
        os.link(path, self.folder / '.filestore' / 'a')
        self.assertWaiting(intake)
        self.assertEqual((['a'], []), (self.outside(), self.hidden()))
        self.assertTaken(['a'], self.intake())


class Linked(gocept.filestore.intake.tests.test_intake.IntakeCase):
    """An equal file was linked to one that was parked and not delivered."""

    def test_is_not_taken_for_delivered(self):
        intake = self.intake()
        intake.take()
        os.link(self.put('cur', 'a'), self.folder / '.filestore' / 'a')
        self.assertTaken([], intake)
        self.assertIn('another name', str(intake.refused['a']))
        self.assertEqual({'cur': ['a']}, self.tree())


class ByLink(gocept.filestore.intake.tests.test_intake.IntakeCase):
    """The file system can not rename without replacing."""

    def setUp(self):
        super().setUp()
        self.other = self.child()
        self.other.run('import gocept.filestore.tests.test_race as race\n'
                       'race.by_link()\n'
                       'intake = store.intake(%r, 0)' % str(self.folder))

    def take(self):
        return self.other.run('answer = intake.take(), intake.waiting')

    def test_moves_into_new(self):
        self.drop('a')
        self.assertEqual((['a'], {}), self.take())
        self.assertEqual({'new': ['a']}, self.tree())
        self.assertEqual([], self.outside() + self.hidden())

    def test_newer_one_of_its_name_waits_in_the_folder(self):
        self.put('new', 'a', 'older')
        self.drop('a')
        waiting = {'a': gocept.filestore.intake.intake.TAKEN}
        self.assertEqual(([], waiting), self.take())
        self.drop('a', 'newer')
        self.assertEqual(([], waiting), self.take())
        self.assertEqual((['a'], ['a']), (self.hidden(), self.outside()))
        self.assertEqual('older', self.read('new', 'a'))

    def test_gone_before_it_is_renamed(self):
        self.take()
        self.assertEqual('NoSuchFile', self.other.run(
            'import gocept.filestore.interfaces\n'
            'try:\n'
            '    intake._folder._hide("a")\n'
            'except gocept.filestore.interfaces.NoSuchFile as error:\n'
            '    answer = type(error).__name__'))
