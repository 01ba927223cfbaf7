import errno
import gocept.filestore.batch.settlement
import gocept.filestore.batch.tests.test_batch
import gocept.filestore.batch.tests.test_settlement
import gocept.filestore.disk.lock
import gocept.filestore.interfaces
import gocept.filestore.testing
import gocept.filestore.tests.case
import json
import os
import unittest
import zope.event


interfaces = gocept.filestore.interfaces
MARKED = gocept.filestore.batch.tests.test_settlement.MARKED
OBSTACLE = gocept.filestore.testing.obstacle()


class Publishing(gocept.filestore.batch.tests.test_batch.BatchCase):

    def test_names_of_its_own(self):
        with self.store.batch() as batch:
            publications = [batch.publish(), batch.publish()]
            for publication in publications:
                with publication as file:
                    file.write('text')
        self.assertEqual(
            sorted(publication.filename for publication in publications),
            self.tree()['new'])

    def test_options_of_a_publication(self):
        with self.store.batch() as batch:
            self.publish(batch, 'a', 'ä\n', encoding='latin-1',
                         newline='\r\n')
            self.publish(batch, 'b', b'\0', mode='wb')
        self.assertEqual(
            b'\xe4\r\n', (self.path / 'new' / 'a').read_bytes())
        self.assertEqual(b'\0', (self.path / 'new' / 'b').read_bytes())

    def test_file_that_was_closed_in_the_block(self):
        self.store = self.open_store(durable=True)
        with self.store.batch() as batch:
            with batch.publish('a') as file:
                file.write('text')
                file.close()
        self.assertEqual('text', self.read('new', 'a'))

    @unittest.skipIf(OBSTACLE, OBSTACLE)
    def test_draft_that_a_library_puts_another_file_in_the_place_of(self):
        def action():
            with self.store.batch() as batch:
                with batch.publish('a', replace=True) as file:
                    os.rename(self.put('tmp', 'new', 'text'), file.name)

        self.store = self.open_store(durable=True)
        synced = [call.text for call in gocept.filestore.testing.calls(
            action, lambda: None) if call.name == 'fsync']
        self.assertNotIn('(deleted)', ''.join(synced))
        self.assertEqual('text', self.read('new', 'a'))

    def test_what_others_could_not_write_may_be_ours(self):
        gocept.filestore.tests.case.sync_at_once(self, errno.EIO)
        self.store = self.open_store(durable=True)
        with (self.assertRaises(interfaces.NotSynced) as caught,
              self.store.batch() as batch):
            for name in 'ab':
                self.publish(batch, name)
        self.assertEqual(str(self.path / 'tmp'), caught.exception.filename)
        self.assertEqual({}, self.files())

    def test_replacing(self):
        self.put('new', 'a', 'older')
        with self.store.batch() as batch:
            self.publish(batch, 'a', replace=True)
            self.publish(batch, 'b', replace=True)
        self.assertEqual('text', self.read('new', 'a'))

    def test_twice(self):
        with self.store.batch() as batch:
            publication = batch.publish('a')
            with publication:
                pass
            with self.assertRaises(interfaces.Settled):
                publication.__enter__()
        self.assertEqual({'new': ['a']}, self.files())


class Alone(gocept.filestore.batch.tests.test_batch.BatchCase):
    """A block with one publication, which is all or nothing by itself."""

    def test_needs_no_intent(self):
        self.alone()
        self.assertEqual('text', self.read('new', 'a'))
        self.assertFalse((self.path / 'voted').exists())

    def test_is_synced_and_told(self):
        told = []
        zope.event.subscribers.append(told.append)
        self.addCleanup(zope.event.subscribers.remove, told.append)
        self.store = self.open_store(durable=True)
        self.alone()
        self.assertEqual(['a'], [event.filename for event in told])
        self.assertEqual({'new': ['a']}, self.files())

    @unittest.skipIf(OBSTACLE, OBSTACLE)
    def test_is_synced_before_and_after_it_moves(self):
        self.store = self.open_store(durable=True)
        self.assertEqual(['fsync', 'renameat2', 'fsync'], [
            call.name for call in gocept.filestore.testing.calls(
                self.alone, lambda: self.path.joinpath(
                    'new', 'a').unlink(missing_ok=True))
            if call.name in ('fsync', 'renameat2')])

    def test_ends_with_its_block(self):
        with self.store.batch() as batch:
            self.publish(batch, 'a')
        with self.assertRaises(interfaces.Settled):
            batch.publish('b')
        batch.abort()
        self.assertEqual({'new': ['a']}, self.files())

    def test_name_that_is_taken(self):
        self.put('new', 'a', 'theirs')
        self.refuse(interfaces.NameTaken, "there is one in 'new'", self.alone)
        self.assertEqual({'new': ['a']}, self.files())
        self.assertEqual('theirs', self.read('new', 'a'))

    def test_two_phases_are_written_down(self):
        with self.store.batch(two_phase=True) as batch:
            self.publish(batch, 'a')
        self.assertTrue((self.path / 'committed').exists())

    def test_after_a_vote(self):
        with self.assertRaises(interfaces.Settled):
            with self.store.batch() as batch:
                self.publish(batch, 'a')
                batch.vote()
        self.assertEqual({}, self.files())


class Errors(gocept.filestore.batch.tests.test_batch.BatchCase):

    def test_name_twice(self):
        with self.store.batch() as batch:
            self.publish(batch, 'a')
            self.refuse(interfaces.NameTaken, 'twice',
                        self.publish, batch, 'a', 'newer', replace=True)
        self.assertEqual({'new': ['a']}, self.files())
        self.assertEqual('text', self.read('new', 'a'))

    def test_name_that_is_taken(self):
        self.put('new', 'b', 'theirs')
        batch = self.store.batch()
        self.publish(batch, 'a')
        self.publish(batch, 'b')
        self.refuse(interfaces.NameTaken, "there is one in 'new'", batch.vote)
        batch.abort()
        self.assertEqual({'new': ['b']}, self.files())

    def test_name_that_is_taken_in_a_block(self):
        self.put('new', 'a', 'theirs')
        with self.assertRaises(interfaces.NameTaken):
            with self.store.batch() as batch:
                self.publish(batch, 'a')
        self.assertEqual({'new': ['a']}, self.files())

    def test_name_that_another_batch_has(self):
        other, batch = self.store.batch(), self.open_store().batch()
        for each in (other, batch):
            self.publish(each, 'a')
        other.vote()
        self.refuse(interfaces.NameTaken, 'another batch', batch.vote)
        self.refuse(interfaces.NameTaken, 'another batch', self.alone)
        batch.abort()
        other.commit()
        self.assertEqual({'new': ['a']}, self.files())

    def test_name_that_is_a_link(self):
        os.symlink('elsewhere', self.path / 'new' / 'a')
        batch = self.store.batch()
        self.publish(batch, 'a', replace=True)
        self.refuse(interfaces.NotRegular, 'no regular file', batch.vote)
        batch.abort()

    def test_draft_that_has_gone(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        self.store.clean('tmp', 0)
        with self.assertRaises(interfaces.NoSuchFile):
            batch.vote()
        batch.abort()
        self.assertEqual({}, self.files())

    def test_draft_that_somebody_is_removing(self):
        # Who removes it has locked it before our intent could be seen.
        batch = self.store.batch()
        self.publish(batch, 'a')
        draft = self.store.list('tmp')[0]
        held = gocept.filestore.disk.lock.hold(
            self.store._layout['tmp'], os.path.basename(draft))
        self.refuse(interfaces.NoSuchFile, 'draft has gone', batch.vote)
        held.release()
        batch.abort()
        self.assertEqual({}, self.files())

    def test_bad_name(self):
        batch = self.store.batch()
        self.refuse(interfaces.InvalidName, 'dot', batch.publish, '.a')
        self.refuse(interfaces.InvalidName, 'separator',
                    batch.publish, '../a')

    def test_bad_mode(self):
        with self.assertRaises(ValueError):
            self.store.batch().publish('a', 'r')


class Outsiders(gocept.filestore.batch.tests.test_batch.BatchCase):
    """Somebody who knows nothing of batches is faster than the commit."""

    def setUp(self):
        super().setUp()
        batch = self.store.batch()
        self.publish(batch, 'a', 'ours')
        self.publish(batch, 'b', 'ours')
        batch.vote()
        self.put('new', 'a', 'theirs')
        batch.commit()

    def test_theirs_goes_first_and_ours_next(self):
        self.assertEqual({'new': ['a', 'b'], 'tmp': 1}, {
            name: files for name, files in self.files().items()
            if name != 'committed'})
        self.assertEqual('theirs', self.read('new', 'a'))
        texts = []
        for claim in self.store.claims():
            texts.append((claim.filename, self.text(claim)))
            claim.finish(keep=False)
        self.assertEqual(
            [('a', 'theirs'), ('b', 'ours'), ('a', 'ours')], texts)
        self.assertEqual({}, self.files())

    def test_status_tells(self):
        intent, = self.store.status()['intents']
        self.assertEqual((True, ['a', 'b']),
                         (intent['decided'], intent['publish']))

    def test_a_batch_does_not_overtake(self):
        os.remove(self.path / 'new' / 'a')
        with self.assertRaises(interfaces.NameTaken):
            batch = self.store.batch()
            self.publish(batch, 'a')
            try:
                batch.vote()
            finally:
                batch.abort()


class Overtaking(gocept.filestore.batch.tests.test_settlement.SettlementCase):

    def test_publications_do_not(self):
        batch = self.store.batch()
        self.publish(batch, 'a', 'first')
        batch.vote()
        self.put('new', 'a', 'theirs')
        batch.commit()
        store = self.open_store()
        with store.publish('z'):
            pass
        os.remove(self.path / 'new' / 'a')
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            with store.publish('a') as file:
                file.write('second')
        self.assertEqual('first', self.read('new', 'a'))

    def test_draft_with_two_names_is_published_once(self):
        self.move_by_link()
        self.dies(gocept.filestore.batch.tests.test_settlement.MARKED % True)
        name, = os.listdir(self.path / 'committed')
        held = gocept.filestore.disk.lock.hold(
            self.store._layout['committed'], name)
        draft = json.loads((self.path / 'committed' / name).read_text())[
            'deeds'][0]['draft']
        os.link(self.path / 'tmp' / draft, self.path / 'new' / 'a')
        self.store.claim().finish(keep=False)
        held.release()
        names = [claim.filename for claim in self.store.claims()
                 if not claim.finish(keep=False)]
        self.assertEqual(['b', 'c'], sorted(names))


class ByHand(gocept.filestore.batch.tests.test_settlement.SettlementCase):
    """Somebody removes a draft between vote and commit."""

    def voted(self, *names):
        batch = self.store.batch()
        batch.finish(self.claimed('x'))
        for name in names:
            self.publish(batch, name, name)
        batch.vote()
        self.drafts = {self.read('tmp', os.path.basename(path)): path
                       for path in self.store.list('tmp')}
        return batch

    def commit(self, batch):
        with self.assertLogs('gocept.filestore.batch', 'ERROR') as logs:
            with self.assertRaises(interfaces.NoSuchFile) as raised:
                batch.commit()
        self.assertIn('draft has gone', str(raised.exception))
        return raised.exception.filename, len(logs.records)

    def test_all_the_others_are_published_and_it_is_told_once(self):
        batch = self.voted('a', 'b', 'c')
        for name in 'ab':
            os.remove(self.drafts[name])
        self.assertEqual(('a', 2), self.commit(batch))
        self.assertEqual({'new': ['c'], 'cur': ['x']}, self.files())
        batch.abort()
        self.assertEqual([], self.store.status()['intents'])
        self.open_store().claim().finish()
        self.assertIsNone(self.open_store().claim())

    def test_another_one_waits_for_its_name(self):
        batch = self.voted('a', 'b')
        os.remove(self.drafts['a'])
        self.put('new', 'b', 'theirs')
        self.assertEqual(('a', 1), self.commit(batch))
        texts = []
        for claim in self.open_store().claims():
            texts.append(self.text(claim))
            claim.finish(keep=False)
        self.assertEqual(['theirs', 'b'], texts)
        self.assertEqual({'cur': ['x']}, self.files())

    def test_something_else_is_wrong_as_well(self):
        batch = self.store.batch()
        self.publish(batch, 'a', 'a')
        self.publish(batch, 'b', 'b', replace=True)
        batch.vote()
        (self.path / 'new' / 'b').mkdir()
        for path in self.store.list('tmp'):
            if self.read('tmp', os.path.basename(path)) == 'a':
                os.remove(path)
        self.assertEqual(('a', 1), self.commit(batch))
        (self.path / 'new' / 'b').rmdir()
        with self.open_store().batch():
            self.assertEqual({'new': ['b']}, self.files())

    def test_who_goes_on_can_not_tell_and_does_the_rest(self):
        self.dies(MARKED % True)
        os.remove(self.store.list('tmp')[0])
        names = []
        for claim in self.store.claims():
            names.append(claim.filename)
            claim.finish(keep=False)
        self.assertEqual(['b', 'c'], sorted(names))
        self.assertEqual({'cur': ['x']}, self.files())

    def test_who_settles_is_told(self):
        self.in_doubt()
        left = self.store._intents.left([])
        intent = next(left)  # held as long as we do not go on
        intent.mark()
        os.remove(self.store.list('tmp')[0])
        with self.assertRaises(interfaces.NoSuchFile):
            gocept.filestore.batch.settlement.carry_out(
                intent, self.store._attempts)
        self.assertEqual({'new': ['b', 'c'], 'cur': ['x']}, self.files())

    def test_abort_by_another(self):
        self.dies(gocept.filestore.batch.tests.test_settlement.VOTED % False)
        os.remove(self.store.list('tmp')[0])
        with self.open_store().batch():
            self.assertEqual({'work': ['x', 'y']}, self.files())

    def test_directory_is_exchanged_after_the_vote(self):
        batch = self.voted('a')
        os.rename(self.path / 'new', self.path / 'aside')
        (self.path / 'aside').rmdir()
        (self.path / 'new').mkdir()
        batch.commit()
        self.assertEqual({'new': ['a'], 'cur': ['x']}, self.files())
