import gocept.filestore.batch.tests.test_batch
import gocept.filestore.batch.tests.test_settlement
import gocept.filestore.disk.lock
import gocept.filestore.interfaces
import gocept.filestore.retry.removal
import os
import unittest.mock


interfaces = gocept.filestore.interfaces


class Removing(gocept.filestore.batch.tests.test_batch.BatchCase):

    def test_from_where_it_removes(self):
        self.claimed('f').fail(interfaces.Reject('no'))
        self.put('new', 'n')
        with self.store.batch() as batch:
            batch.remove('n', 'new')
            batch.remove('f', 'failed')
        self.assertEqual({}, self.files())

    def test_what_is_about_to_be_removed_is_not_claimed(self):
        self.put('new', 'n')
        batch = self.store.batch()
        batch.remove('n', 'new')
        batch.vote()
        self.assertIsNone(self.open_store().claim())
        batch.abort()
        self.open_store().claim().finish()

    def test_what_can_not_be_taken_is_let_go_at_once(self):
        older = self.claimed('n')
        self.put('new', 'n', 'newer')
        batch = self.store.batch()
        batch.remove('n', 'new')
        try:
            batch.vote()
        except interfaces.NameTaken as error:
            kept = error  # and all that it refers to
        batch.abort()
        older.finish()
        with self.open_store().claim() as claim:
            self.assertEqual('newer', self.text(claim))
        self.assertEqual('n', kept.filename)

    def test_beside_another_batch(self):
        self.put('cur', 'old')
        batch = self.store.batch()
        batch.remove('old', 'cur')
        batch.vote()
        with self.open_store().batch() as other:
            self.publish(other, 'old')
        batch.commit()
        self.assertEqual({'new': ['old']}, self.files())


class Errors(gocept.filestore.batch.tests.test_batch.BatchCase):

    def test_remove_what_is_not_there(self):
        batch = self.store.batch()
        for space in ('new', 'cur', 'failed'):
            self.refuse(interfaces.NoSuchFile, 'there is none',
                        batch.remove, 'a', space)
        self.refuse(interfaces.InvalidSpace, 'new, cur, failed',
                    batch.remove, 'a', 'work')
        os.symlink('elsewhere', self.path / 'cur' / 'link')
        self.refuse(interfaces.NotRegular, 'no regular file',
                    batch.remove, 'link', 'cur')

    def test_remove_twice(self):
        self.put('cur', 'a')
        with self.store.batch() as batch:
            batch.remove('a', 'cur')
            self.refuse(interfaces.NoSuchFile, 'twice',
                        batch.remove, 'a', 'cur')

    def test_remove_what_goes_before_the_vote(self):
        self.put('cur', 'a')
        batch = self.store.batch()
        batch.remove('a', 'cur')
        self.store.remove('a', 'cur')
        self.refuse(interfaces.NoSuchFile, 'there is none', batch.vote)
        batch.abort()

    def test_remove_what_somebody_is_taking(self):
        path = self.put('new', 'a')
        batch = self.store.batch()
        batch.remove('a', 'new')
        held = gocept.filestore.disk.lock.hold(self.store._layout['new'], 'a')
        self.refuse(interfaces.NoSuchFile, 'is taking it', batch.vote)
        held.release()
        batch.abort()
        self.assertTrue(path.exists())

    def test_remove_spares_what_has_replaced_it(self):
        self.put('new', 'a')
        batch = self.store.batch()
        batch.remove('a', 'new')
        batch.vote()
        self.put('tmp', 'newer', 'newer').rename(self.path / 'new' / 'a')
        batch.commit()
        self.assertEqual('newer', self.read('new', 'a'))


class Removals(gocept.filestore.batch.tests.test_settlement.SettlementCase):

    def left(self, space, end='batch.vote()'):
        self.put(space, 'old')
        self.dies('batch = store.batch(two_phase=True)\n'
                  'batch.remove("old", %r)\n%s' % (space, end))

    def test_are_told_as_such(self):
        for space in ('new', 'cur'):
            self.left(space)
            intent, = self.store.status()['intents']
            self.assertEqual(([], [], ['old']), (
                intent['publish'], intent['finish'], intent['remove']))
            self.store.settle(True)

    def test_of_new_in_doubt_is_not_claimed(self):
        self.left('new')
        self.assertIsNone(self.store.claim())
        self.store.settle(False)
        with self.store.claim() as claim:
            self.assertEqual(('old', 2), (claim.filename, claim.attempt))

    def test_of_new_is_carried_on(self):
        self.left('new', 'batch.vote(); batch._intent.mark()')
        self.assertIsNone(self.store.claim())
        self.assertEqual({}, self.files())

    def test_of_cur_that_was_done_meanwhile(self):
        for space in ('cur', 'failed'):
            self.left(space)
            self.store.clean(space, 0)
            self.assertEqual(1, len(self.store.settle(True)))
        os.rmdir(self.path / 'failed')
        self.assertEqual({}, self.files())

    def test_space_that_has_gone(self):
        self.left('failed')
        os.remove(self.path / 'failed' / 'old')
        os.rmdir(self.path / 'failed')
        self.assertEqual(1, len(self.store.settle(True)))

    def test_removal_that_somebody_looks_at(self):
        self.put('cur', 'old')
        self.dies('batch = store.batch(two_phase=True)\n'
                  'batch.remove("old", "cur")\n'
                  'batch.vote(); batch._intent.mark()')
        held = gocept.filestore.disk.lock.hold(self.store._layout['cur'],
                                               'old')
        self.assertIsNone(self.store.claim())
        self.assertEqual(['old'], self.tree()['cur'])
        held.release()
        self.assertIsNone(self.store.claim())
        self.assertEqual({}, self.files())

    def test_removal_spares_another_file(self):
        path = self.put('cur', 'old')
        self.dies('batch = store.batch(two_phase=True)\n'
                  'batch.remove("old", "cur")\n'
                  'batch.vote(); batch._intent.mark()')
        path.unlink()
        self.put('cur', 'old', 'another')
        self.assertIsNone(self.store.claim())
        self.assertEqual('another', self.read('cur', 'old'))

    def test_removal_that_has_gone(self):
        path = self.put('cur', 'old')
        self.dies('batch = store.batch(two_phase=True)\n'
                  'batch.remove("old", "cur")\n'
                  'batch.vote()')
        path.unlink()
        self.assertEqual(1, len(self.store.settle(True)))

    def test_another_file_that_somebody_has_put_there(self):
        self.left('cur', 'batch.vote(); batch._intent.mark()')
        path = self.path / 'cur' / 'old'
        intent, = self.store._intents.left([])
        path.unlink()
        path.write_text('another')
        deed, = intent.deeds
        self.assertTrue(deed.carry_out(
            self.store._layout, self.store._attempts))
        self.assertEqual('another', path.read_text())
        intent.release()


class ByHand(gocept.filestore.batch.tests.test_settlement.SettlementCase):
    """Somebody removes the file between vote and commit: that is done."""

    def each(self):
        """Yield a batch that has voted, and the path that goes, for each."""
        for space, place in (
                ('new', 'work'), ('cur', 'cur'), ('failed', 'failed')):
            yield self.voted(space), self.path / place / 'old'

    def voted(self, space):
        self.put(space, 'old')
        batch = self.store.batch(two_phase=True)
        batch.remove('old', space)
        batch.vote()
        return batch

    def test_it_is_done(self):
        for batch, path in self.each():
            path.unlink()
            batch.commit()
            self.assertEqual({}, self.files())

    def test_with_its_directory(self):
        for batch, path in self.each():
            path.unlink()
            path.parent.rmdir()
            if path.parent.name == 'cur':
                with self.assertRaises(interfaces.NotPrepared):
                    batch.commit()
                self.store.prepare()
                self.assertIsNone(self.open_store().claim())
            else:
                batch.commit()
            self.assertEqual({}, self.files())

    def test_another_file_of_this_name_is_spared(self):
        for batch, path in self.each():
            path.unlink()
            path.write_text('another')
            batch.commit()
            self.assertEqual({path.parent.name: ['old']}, self.files())
            self.assertEqual('another', path.read_text())
            path.unlink()

    def test_by_who_goes_on(self):
        for batch, path in self.each():
            batch._intent.mark()
            del batch
            path.unlink()
            with self.open_store().batch():
                self.assertEqual({}, self.files())

    def test_abort(self):
        for batch, path in self.each():
            path.unlink()
            if path.parent.name == 'work':
                with self.assertRaises(interfaces.NoSuchFile):
                    batch.abort()
            else:
                batch.abort()
            self.assertEqual({}, self.files())

    def test_it_is_replaced_at_the_very_moment(self):
        remove = gocept.filestore.retry.removal.remove_aside

        def late(attempts, space, filename, held):
            path = self.path / space.name / filename
            path.unlink()
            return remove(attempts, space, filename, held)

        for batch, _ in self.each():
            with unittest.mock.patch.object(
                    gocept.filestore.retry.removal, 'remove_aside', late):
                batch.commit()
            self.assertEqual({}, self.files())
