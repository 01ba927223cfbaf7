"""Claims whose lock was given to another host: this one was cut off.

Our lock goes, as when the server gives it away; what this process knows of it
is the same. The real thing is in `tests/test_nfs.py`.
"""
import fcntl
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import gocept.filestore.tests.case


NO_PAPER = gocept.filestore.interfaces.Reject('no paper')
PATIENT = gocept.filestore.retry.policy.RetryPolicy(first=60)
WAYS = {
    'finish': lambda claim: claim.finish(),
    'finish without keeping it': lambda claim: claim.finish(keep=False),
    'fail': lambda claim: claim.fail(NO_PAPER),
    'release': lambda claim: claim.release()}


class Lost(gocept.filestore.tests.case.Case):

    def lost(self, name):
        """Return a claim that has lost its lock without knowing it.

        It is from a store of its own, and so is what it is claimed by next.
        """
        self.path = self.directory / name
        self.store, self.other = self.open_store(), self.open_store()
        self.store.prepare()
        self.put('new', 'a')
        claim = self.store.claim()
        claim._work.is_local = False
        fcntl.flock(claim.fileno(), fcntl.LOCK_UN)
        return claim

    def check(self, theirs, kind):
        """Claim a file elsewhere, and see that it stays as it is there."""
        for name, settle in WAYS.items():
            with self.subTest(name):
                claim = self.lost(name)
                with self.other.claim() as other:
                    self.assertEqual(2, other.attempt)
                    theirs(other)
                    before = self.everything()
                    with self.assertRaises(kind) as raised:
                        settle(claim)
                    self.assertIn(str(self.path), str(raised.exception))
                    self.assertEqual(before, self.everything())
                    self.assertRaises(
                        gocept.filestore.interfaces.Settled, claim.finish)

    def everything(self):
        return {path: path.read_text()
                for path in self.path.rglob('*') if path.is_file()}

    def test_another_one_has_it(self):
        self.check(lambda claim: None, gocept.filestore.interfaces.ClaimLost)

    def test_another_one_has_let_it_wait(self):
        self.options = {**self.options, 'retry_policy': PATIENT}
        self.check(lambda claim: claim.fail(ValueError('later')),
                   gocept.filestore.interfaces.ClaimLost)

    def test_another_one_has_given_it_up(self):
        self.check(lambda claim: claim.fail(NO_PAPER),
                   gocept.filestore.interfaces.ClaimLost)

    def test_another_one_has_put_it_back(self):
        self.check(lambda claim: claim.release(),
                   gocept.filestore.interfaces.ClaimLost)

    def test_another_one_has_finished_it(self):
        self.check(lambda claim: claim.finish(),
                   gocept.filestore.interfaces.NoSuchFile)

    def test_nobody_has_taken_it(self):
        for name, settle in WAYS.items():
            settle(self.lost(name))

    def test_batch(self):
        claim = self.lost('store')
        with self.other.claim() as other:
            with (self.assertRaises(gocept.filestore.interfaces.ClaimLost),
                  self.store.batch() as batch):
                batch.finish(claim)
            self.assertEqual({'work': ['a'], 'attempts': ['a']}, self.tree())
        self.assertEqual({'cur': ['a']}, self.tree())
        self.assertEqual(2, other.attempt)
