import gocept.filestore.batch.settlement
import gocept.filestore.batch.tests.test_batch
import gocept.filestore.batch.tests.test_settlement
import gocept.filestore.disk.lock
import gocept.filestore.filestore
import gocept.filestore.interfaces
import os
import zope.testing.wait


interfaces = gocept.filestore.interfaces


class Finishing(gocept.filestore.batch.tests.test_batch.BatchCase):

    def test_claim_is_still_up_to_the_caller_after_an_abort(self):
        claim = self.claimed('x')
        batch = self.store.batch()
        batch.finish(claim)
        batch.vote()
        batch.abort()
        self.assertEqual({'work': ['x']}, self.files())
        claim.finish()

    def test_attempts_of_what_is_finished_are_forgotten(self):
        claim = self.claimed('x')
        claim.fail(interfaces.Retry(after=0))
        with self.store.batch() as batch:
            batch.finish(self.store.claim())
        self.assertEqual({'cur': ['x']}, self.files())


class Errors(gocept.filestore.batch.tests.test_batch.BatchCase):

    def test_claim_of_another_store(self):
        other = gocept.filestore.filestore.FileStore(
            str(self.directory / 'other'), durable=False, prepare=True)
        with other.publish('a') as file:
            file.write('text')
        self.put('new', 'a')
        ours = self.store.claim()
        with other.claim() as claim:
            self.refuse(interfaces.ForeignClaim, 'not claimed from here',
                        self.store.batch().finish, claim)
        ours.finish()

    def test_claim_of_a_file_that_was_taken_away(self):
        claim = self.claimed('x')
        (self.path / 'work' / 'x').unlink()
        self.refuse(interfaces.NoSuchFile, "none in 'work'",
                    self.store.batch().finish, claim)
        with self.assertRaises(interfaces.NoSuchFile):
            claim.finish()

    def test_what_is_no_claim(self):
        for claim in (None, 'a', self.store):
            with self.assertRaises(TypeError):
                self.store.batch().finish(claim)

    def test_claim_that_is_settled(self):
        claim = self.claimed('x')
        claim.finish()
        self.refuse(interfaces.Settled, 'settled before',
                    self.store.batch().finish, claim)

    def test_claim_that_is_settled_before_the_vote(self):
        claim = self.claimed('x')
        batch = self.store.batch()
        batch.finish(claim)
        claim.release()
        self.refuse(interfaces.Settled, 'settled before', batch.vote)
        batch.abort()
        self.assertEqual({'new': ['x']}, self.files())

    def test_claim_that_is_settled_after_the_vote(self):
        claim = self.claimed('x')
        batch = self.store.batch()
        self.publish(batch, 'a')
        batch.finish(claim)
        batch.vote()
        claim.release()
        self.wait_for_the_clock()
        self.refuse(interfaces.Settled, 'settled before', batch.commit)
        # What can be done is done, the others find nothing more to do.
        self.assertEqual(['x', 'a'], [
            claim.filename for claim in self.store.claims()
            if claim.finish() is None])
        self.assertEqual({'cur': ['a', 'x']}, self.files())

    def wait_for_the_clock(self):
        """Wait until a file that changes now is younger than all others."""
        begin = self.put('tmp', 'clock').stat().st_ctime_ns
        zope.testing.wait.wait(
            lambda: self.put('tmp', 'clock').stat().st_ctime_ns > begin)
        os.remove(self.path / 'tmp' / 'clock')

    def test_claim_twice(self):
        claim = self.claimed('x')
        with self.store.batch() as batch:
            batch.finish(claim)
            self.refuse(interfaces.Settled, 'twice', batch.finish, claim)

    def test_claimed_file_that_has_gone(self):
        claim = self.claimed('x')
        batch = self.store.batch()
        batch.finish(claim)
        os.remove(claim.path)
        self.refuse(interfaces.NoSuchFile, "none in 'work'", batch.vote)
        batch.abort()
        with self.assertRaises(interfaces.NoSuchFile):
            claim.finish()


class Others(gocept.filestore.batch.tests.test_settlement.SettlementCase):
    """Somebody goes on with it."""

    def test_finished_claim_that_somebody_looks_at(self):
        self.dies(gocept.filestore.batch.tests.test_settlement.MARKED % True)
        held = gocept.filestore.disk.lock.hold(self.store._layout['work'], 'x')
        for _ in range(3):
            self.store.claim().finish(keep=False)
        self.assertIsNone(self.store.claim())
        self.assertEqual(1, len(os.listdir(self.path / 'committed')))
        held.release()
        self.assertIsNone(self.store.claim())
        self.assertEqual({'cur': ['x']}, self.files())

    def test_another_file_gets_the_inode(self):
        self.in_doubt()
        path = self.path / 'work' / 'x'
        os.rename(path, self.path / 'work' / 'another')
        with self.store.claim() as claim:
            self.assertEqual('another', claim.filename)


class ByHand(gocept.filestore.batch.tests.test_settlement.SettlementCase):
    """Somebody removes a claimed file between vote and commit."""

    def voted(self, keep, newer):
        self.claimed('x').fail(interfaces.Retry(after=0))
        self.batch = self.store.batch()
        self.batch.finish(self.store.claim(), keep)
        self.publish(self.batch, 'a')
        self.batch.vote()
        os.remove(self.path / 'work' / 'x')
        if newer:
            self.put('work', 'x', 'newer')

    def test_the_rest_is_done_and_it_is_told_once(self):
        for newer in (False, True):
            self.voted(True, newer)
            with self.assertRaises(interfaces.NoSuchFile) as raised:
                self.batch.commit()
            self.assertEqual("'x' in the file store %r: it has gone from "
                             "work" % str(self.path), str(raised.exception))
            work = {'work': ['x']} if newer else {}
            self.assertEqual({'new': ['a'], **work}, self.files())
            self.store.claim().finish(keep=False)
            self.assertEqual([], self.store.list('cur'))

    def test_to_be_removed_it_is_done(self):
        for newer in (False, True):
            self.voted(False, newer)
            self.batch.commit()
            work = {'work': ['x']} if newer else {}
            self.assertEqual({'new': ['a'], **work}, self.files())
            self.store.claim().finish(keep=False)

    def test_with_its_directory(self):
        self.voted(True, False)
        os.rmdir(self.path / 'work')
        with self.assertRaises(interfaces.NoSuchFile):
            self.batch.commit()
        self.assertEqual({'new': ['a']}, self.files())

    def test_who_goes_on_can_not_tell_and_does_the_rest(self):
        self.dies(gocept.filestore.batch.tests.test_settlement.MARKED % True)
        for name in 'xy':
            os.remove(self.path / 'work' / name)
        os.rmdir(self.path / 'work')
        with self.open_store().batch():
            self.assertEqual({'new': ['a', 'b', 'c']}, self.files())

    def test_who_settles_is_told(self):
        self.in_doubt()
        left = self.store._intents.left([])
        intent = next(left)  # held as long as we do not go on
        intent.mark()
        for name in 'xy':
            os.remove(self.path / 'work' / name)
        with self.assertRaises(interfaces.NoSuchFile) as raised:
            gocept.filestore.batch.settlement.carry_out(
                intent, self.store._attempts)
        self.assertEqual('x', raised.exception.filename)
        self.assertEqual({'new': ['a', 'b', 'c']}, self.files())

    def test_to_be_removed_can_be_committed(self):
        self.in_doubt()
        os.remove(self.path / 'work' / 'y')
        self.assertEqual(1, len(self.store.settle(True)))
        self.assertEqual({'new': ['a', 'b', 'c'], 'cur': ['x']}, self.files())
