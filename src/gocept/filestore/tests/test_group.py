import errno
import gocept.filestore.disk.move
import gocept.filestore.interfaces
import gocept.filestore.publish
import gocept.filestore.testing
import gocept.filestore.tests.case
import os
import resource
import unittest
import unittest.mock
import zope.event
import zope.interface.verify


OBSTACLE = gocept.filestore.testing.obstacle()
MOST = gocept.filestore.publish.MOST


def at_rest():
    """A time that does not pass, however slow a machine is."""
    return 0


class GroupCase(gocept.filestore.tests.case.Case):

    options = {'durable': True, 'now': at_rest}

    def setUp(self):
        super().setUp()
        self.refused = []

    def group(self):
        return self.store.group(self.refused.append)

    def publish(self, *names, content='ours', **kw):
        with self.group() as group:
            for name in names:
                self.write(group, name, content, **kw)

    def write(self, group, name, content='ours', **kw):
        with group.publish(name, **kw) as file:
            file.write(content)

    def assertRefused(self, kind, reason):
        error, = self.refused
        self.assertIs(kind, type(error))
        self.assertIn(reason, str(error))
        self.assertIn(str(self.path), str(error))


class Publish(GroupCase):

    def test_visible_together(self):
        with self.group() as group:
            for name in 'abc':
                self.write(group, name, name)
                self.assertEqual([], self.store.list('new'))
        self.assertEqual({'new': ['a', 'b', 'c']}, self.tree())
        self.assertEqual('b', self.read('new', 'b'))

    def test_not_durable(self):
        self.store = self.open_store(durable=False)
        self.publish('a', 'b')
        self.assertEqual({'new': ['a', 'b']}, self.tree())

    def test_nothing(self):
        self.publish()
        self.assertEqual({}, self.tree())

    def test_contract(self):
        self.assertTrue(zope.interface.verify.verifyObject(
            gocept.filestore.interfaces.IGroup, self.group()))

    def test_options_of_a_publication(self):
        with self.group() as group:
            self.write(group, 'a', 'ä\n', encoding='latin-1', newline='\r\n')
            with group.publish(mode='wb') as file:
                file.write(b'\0')
        self.assertEqual(
            b'\xe4\r\n', (self.path / 'new' / 'a').read_bytes())
        self.assertEqual(2, len(self.store.list('new')))

    def test_as_many_as_there_may_be(self):
        with self.group() as group:
            for number in range(MOST):
                self.assertEqual([], self.store.list('new'))
                self.write(group, str(number))
            self.assertEqual(MOST, len(self.store.list('new')))
            self.write(group, 'a')
            self.assertEqual(MOST, len(self.store.list('new')))
        self.assertEqual(MOST + 1, len(self.store.list('new')))

    def test_few_descriptors(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(
            resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for limit, expected in ((hard, MOST), (MOST, MOST // 8), (5, 1)):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            found = gocept.filestore.publish.most()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            self.assertEqual(expected, found)

    def test_the_first_one_waits_for_a_second(self):
        now = 0
        self.store = self.open_store(now=lambda: now)
        with self.group() as group:
            self.write(group, 'a')
            now = 0.9
            self.write(group, 'b')
            self.assertEqual([], self.store.list('new'))
            now = 1.5
            self.write(group, 'c')
            self.assertEqual(3, len(self.store.list('new')))
            self.write(group, 'd')
            self.assertEqual(3, len(self.store.list('new')))

    def test_closed_or_replaced_by_the_caller(self):
        with self.group() as group:
            with group.publish('a') as file:
                file.write('ours')
                file.close()
            with group.publish('b') as file:
                os.rename(self.put('tmp', 'other', 'other'), file.name)
        self.assertEqual({'new': ['a', 'b']}, self.tree())
        self.assertEqual('other', self.read('new', 'b'))

    def test_what_nobody_may_read(self):
        self.store = self.open_store(file_mode=0o200)
        for space in ('tmp', 'new'):
            (self.path / space).chmod(0o777)
        with self.be_nobody():
            self.publish('a')
        self.assertEqual([], self.refused)
        self.assertMode(0o200, self.path / 'new' / 'a')

    def test_a_batch_of_a_dead_process_goes_first(self):
        child = self.child()
        child.run('batch = store.batch(two_phase=True)\n'
                  'with batch.publish("a") as file: file.write("first")\n'
                  'batch.vote()\n'
                  'batch._intent.mark()')
        with self.group() as group:
            self.write(group, 'a', 'second')
            child.kill()
            self.store._settlement.look_at = 0
        self.assertEqual('first', self.read('new', 'a'))
        self.assertRefused(gocept.filestore.interfaces.NameTaken, "'a'")

    def test_events(self):
        def tell(event):
            told.append((event.filename, sorted(os.listdir(
                self.path / 'new'))))

        told = []
        zope.event.subscribers.append(tell)
        self.addCleanup(zope.event.subscribers.remove, tell)
        self.publish('a', 'b')
        self.assertEqual([('a', ['a', 'b']), ('b', ['a', 'b'])], told)

    @unittest.skipIf(OBSTACLE, OBSTACLE)
    def test_all_are_synced_before_one_moves_and_the_directory_once(self):
        self.assertEqual(
            ['fsync', 'fsync', 'renameat2', 'renameat2', 'fsync'],
            self.calls(lambda: self.publish('a', 'b')))

    @unittest.skipIf(OBSTACLE, OBSTACLE)
    def test_all_are_synced_at_once(self):
        gocept.filestore.tests.case.sync_at_once(self)
        self.assertEqual(
            ['syncfs', 'fsync', *2 * ['sync_file_range'],
             *3 * ['renameat2'], 'fsync'],
            self.calls(lambda: self.publish('a', 'b', 'c')))

    def test_what_others_could_not_write_may_be_ours(self):
        gocept.filestore.tests.case.sync_at_once(self, errno.EIO)
        with self.assertRaises(
                gocept.filestore.interfaces.NotSynced) as caught:
            self.publish('a', 'b')
        self.assertEqual(str(self.path / 'tmp'), caught.exception.filename)
        self.assertEqual({}, self.tree())
        self.publish('a', 'b')
        self.assertEqual({'new': ['a', 'b']}, self.tree())
        self.assertEqual([], self.refused)

    @unittest.skipIf(OBSTACLE, OBSTACLE)
    def test_one_by_one_where_at_once_can_not_be_tried(self):
        with unittest.mock.patch.object(
                gocept.filestore.disk.move, 'sync_all',
                side_effect=OSError(errno.EMFILE, 'too many open files')):
            self.assertEqual(
                [*2 * ['fsync'], *2 * ['renameat2'], 'fsync'],
                self.calls(lambda: self.publish('a', 'b')))
        self.assertEqual([], self.refused)

    @unittest.skipIf(OBSTACLE, OBSTACLE)
    def test_what_is_written_after_its_block_is_synced_as_well(self):
        def publish():
            with self.group() as group:
                with group.publish('a') as file:
                    file.write('ours')
                file.write(' too')

        gocept.filestore.tests.case.sync_at_once(self)
        self.assertEqual(['write', 'write', 'syncfs'], self.calls(
            publish, 'write', 'syncfs'))
        self.assertEqual('ours too', self.read('new', 'a'))

    def test_link_in_the_place_of_a_draft(self):
        for is_at_once in (False, True):
            is_at_once and gocept.filestore.tests.case.sync_at_once(self)
            with self.group() as group:
                with group.publish('a') as file:
                    os.unlink(file.name)
                    os.symlink(os.devnull, file.name)
                self.write(group, 'b', replace=True)
            self.assertRefused(gocept.filestore.interfaces.NotRegular,
                               "it is a symbolic link, in 'tmp'")
            self.refused.clear()
            self.assertEqual({'new': ['b']}, self.tree())

    def calls(self, action, *names):
        names = names or ('syncfs', 'sync_file_range', 'fsync', 'renameat2')
        return [call.name for call in gocept.filestore.testing.calls(
            action, self.prepare) if call.name in names]

    def prepare(self):
        for path in (self.path / 'new').iterdir():
            path.unlink()


class Errors(GroupCase):

    def test_name_that_is_taken_does_not_keep_others(self):
        self.put('new', 'b', 'theirs')
        self.publish('a', 'b', 'c')
        self.assertEqual({'new': ['a', 'b', 'c']}, self.tree())
        self.assertEqual('theirs', self.read('new', 'b'))
        self.assertRefused(
            gocept.filestore.interfaces.NameTaken, "there is one in 'new'")

    def test_one_name_twice(self):
        with self.group() as group:
            self.write(group, 'a', 'first')
            self.write(group, 'a', 'second')
        self.assertEqual('first', self.read('new', 'a'))
        self.assertRefused(gocept.filestore.interfaces.NameTaken, "'a'")

    def test_replacing(self):
        self.put('new', 'a', 'theirs')
        self.publish('a', 'b', replace=True)
        self.assertEqual('ours', self.read('new', 'a'))

    def test_error_in_its_own_block(self):
        with self.group() as group:
            self.write(group, 'a')
            with self.assertRaises(ZeroDivisionError):
                with group.publish('b'):
                    1 / 0  # noqa: B018
            with self.assertRaises(gocept.filestore.interfaces.InvalidName):
                group.publish('.c')
        self.assertEqual({'new': ['a']}, self.tree())
        self.assertEqual([], self.refused)

    def test_error_drops_what_is_not_published(self):
        with self.assertRaises(ZeroDivisionError):
            with self.group() as group:
                for number in range(MOST):
                    self.write(group, str(number))
                self.write(group, 'a')
                1 / 0  # noqa: B018
        self.assertEqual([], self.store.list('tmp'))
        self.assertEqual(MOST, len(self.store.list('new')))

    def test_error_of_a_subscriber_undoes_nothing(self):
        def fail(event):
            raise OSError('no ears')

        zope.event.subscribers.append(fail)
        self.addCleanup(zope.event.subscribers.remove, fail)
        with self.assertRaisesRegex(OSError, 'no ears'):
            self.publish('a', 'b')
        self.assertEqual({'new': ['a', 'b']}, self.tree())
        self.assertEqual([], self.refused)

    def test_draft_that_has_gone(self):
        with self.group() as group:
            for name in 'abc':
                self.write(group, name, name)
            os.remove(self.store.list('tmp')[1])
        self.assertEqual({'new': ['a', 'c']}, self.tree())
        error, = self.refused
        self.assertIsInstance(error, gocept.filestore.interfaces.NoSuchFile)

    def test_draft_is_not_cleaned(self):
        with self.group() as group:
            self.write(group, 'a')
            self.assertEqual([], self.open_store().clean('tmp', 0))
        self.assertEqual({'new': ['a']}, self.tree())

    def test_after_its_end(self):
        with self.group() as group:
            late = group.publish('late')
            late.__enter__()
        with self.assertRaises(gocept.filestore.interfaces.Settled):
            late.__exit__(None, None, None)
        for verb in (group.publish, group.__enter__):
            with self.assertRaises(gocept.filestore.interfaces.Settled):
                verb()
        group.__exit__(None, None, None)  # as in a forked child
        self.assertEqual({}, self.tree())

    def test_forked_child(self):
        with self.group() as group:
            self.write(group, 'a')
            pid = os.fork()
            if not pid:
                refused = []
                try:
                    self.write(group, 'b')
                except gocept.filestore.interfaces.Settled as error:
                    refused.append(error)
                group.__exit__(None, None, None)
                os._exit(len(self.store.list('new')) or 1 - len(refused))
            self.assertEqual(0, os.waitpid(pid, 0)[1])
        self.assertEqual({'new': ['a']}, self.tree())

    def test_directory_is_exchanged(self):
        with self.group() as group:
            self.write(group, 'a')
            os.rename(self.path / 'new', self.path / 'aside')
            os.rmdir(self.path / 'aside')
            os.mkdir(self.path / 'new')
        self.assertEqual({'new': ['a']}, self.tree())

    def test_store_that_is_gone(self):
        with self.assertRaises(gocept.filestore.interfaces.NotPrepared):
            with self.group() as group:
                self.write(group, 'a')
                os.rename(self.path, self.directory / 'aside')
                os.rmdir(self.directory / 'aside' / 'new')
        self.assertEqual([], os.listdir(self.directory / 'aside' / 'tmp'))
        self.assertEqual([], self.refused)
