import gocept.filestore.batch.settlement
import gocept.filestore.batch.tests.test_batch
import gocept.filestore.interfaces
import os
import time
import zope.testing.wait


NoSuchFile = gocept.filestore.interfaces.NoSuchFile
BATCH = """
for name in 'xy':
    with store.publish(name) as file:
        _ = file.write('work')
claims = [store.claim(), store.claim()]
batch = store.batch(two_phase=%r)
for name in 'abc':
    with batch.publish(name) as file:
        _ = file.write('text')
batch.finish(claims[0])
batch.finish(claims[1], keep=False)
"""
# What a process has not come to any more.
VOTED = BATCH + 'batch.vote()'
MARKED = VOTED + '\nbatch._intent.mark()'
HALF = MARKED + """
for deed in batch._intent.deeds[1::2]:
    _ = deed.carry_out(batch._layout, batch._attempts)
"""
NOTHING = {'new': [], 'cur': [], 'work': ['x', 'y']}
ALL = {'new': ['a', 'b', 'c'], 'cur': ['x'], 'work': []}


class SettlementCase(gocept.filestore.batch.tests.test_batch.BatchCase):

    def outcome(self):
        found = self.tree()
        self.assertFalse(found.get('committed'))
        return {space: found.get(space, [])
                for space in ('new', 'cur', 'work')}

    def in_doubt(self, two_phase=True):
        self.dies(VOTED % two_phase)
        return self.store.status()['intents'][0]['intent']


class Decided(SettlementCase):

    def test_by_a_claim(self):
        for source in (MARKED, HALF):
            with self.subTest(source=source):
                self.dies(source % True)
                names = []
                for claim in self.store.claims():
                    self.assertEqual(1, claim.attempt)
                    names.append(claim.filename)
                    claim.finish(keep=False)
                self.assertEqual(['a', 'b', 'c'], sorted(names))
                self.assertEqual({'cur': ['x']}, self.files())
                self.store.remove('x', 'cur')

    def test_by_a_publication(self):
        self.dies(HALF % True)
        store = self.open_store()
        with store.publish('z') as file:
            file.write('text')
        self.assertEqual({**ALL, 'new': ['a', 'b', 'c', 'z']}, self.outcome())

    def test_by_a_batch(self):
        self.dies(MARKED % True)
        with self.open_store().batch():
            self.assertEqual(ALL, self.outcome())

    def test_not_while_its_process_lives(self):
        child = self.child()
        child.run(MARKED % True)
        self.assertIsNone(self.store.claim())
        self.assertEqual([], self.store.status()['intents'])
        self.assertEqual(NOTHING, {
            **self.tree_of('new', 'cur'), 'work': ['x', 'y']})
        child.kill()
        with self.store.claim() as claim:
            self.assertEqual('a', claim.filename)

    def tree_of(self, *spaces):
        return {space: self.tree().get(space, []) for space in spaces}

    def test_noticed_by_a_store_that_has_looked_just_now(self):
        self.assertIsNone(self.store.claim())
        self.dies(MARKED % True)
        with self.store.claim() as claim:
            self.assertEqual('a', claim.filename)

    def test_noticed_in_time_while_others_wait(self):
        for name in 'pqr':
            self.put('new', name)
        self.store.claim().finish()
        self.dies('batch = store.batch(two_phase=True)\n'
                  'with batch.publish("a") as file:\n'
                  '    pass\n'
                  'batch.vote(); batch._intent.mark()')
        end = time.monotonic() + self.store._layout.interval
        zope.testing.wait.wait(lambda: time.monotonic() > end)
        self.store.claim().finish()
        self.assertIn('a', self.tree()['new'])

    def test_one_deed_that_is_refused_keeps_no_other(self):
        self.dies(MARKED % True)
        os.rename(self.path / 'cur', self.path / 'aside')
        self.path.joinpath('cur').write_text('in the way')
        refused = []
        self.store._settlement.settle(refused)
        self.assertIsInstance(refused[0], OSError)
        self.assertEqual(['a', 'b', 'c'], self.tree_new())
        os.remove(self.path / 'cur')
        os.rename(self.path / 'aside', self.path / 'cur')
        self.store._settlement.settle([])
        self.assertEqual(['x'], os.listdir(self.path / 'cur'))

    def tree_new(self):
        return sorted(os.listdir(self.path / 'new'))

    def test_what_is_refused_is_told_when_nothing_else_waits(self):
        self.dies(MARKED % True)
        os.rename(self.path / 'cur', self.path / 'aside')
        self.path.joinpath('cur').write_text('in the way')
        for _ in range(3):
            self.store.claim().finish(keep=False)
        with self.assertRaises(gocept.filestore.interfaces.InTheWay):
            self.store.claim()


class Undecided(SettlementCase):

    def test_plain_batch_is_aborted(self):
        self.dies(VOTED % False)
        names = []
        for claim in self.store.claims():
            names.append((claim.filename, claim.attempt))
            claim.finish()
        self.assertEqual([('x', 2), ('y', 2)], sorted(names))
        self.assertEqual({'cur': ['x', 'y']}, self.files())

    def test_plain_batch_is_never_in_doubt(self):
        self.dies(VOTED % False)
        self.assertEqual([], self.store.status()['intents'])
        self.assertEqual([], self.store.settle(True))
        for claim in self.store.claims():
            claim.finish()
        self.assertEqual({'cur': ['x', 'y']}, self.files())

    def test_in_doubt_nothing_of_it_is_touched(self):
        self.in_doubt()
        store = self.open_store()
        self.assertIsNone(store.claim())
        self.assertEqual([], store.clean('tmp', 0))
        self.assertEqual(3, len(store.list('tmp')))
        self.assertEqual(NOTHING, self.outcome())

    def test_status(self):
        name = self.in_doubt()
        intent, = self.store.status()['intents']
        self.assertLess(intent.pop('age'), 60)
        self.assertEqual(
            {'intent': name, 'decided': False, 'publish': ['a', 'b', 'c'],
             'finish': ['x', 'y'], 'remove': []}, intent)

    def test_commit(self):
        name = self.in_doubt()
        self.assertEqual([name], self.store.settle(True))
        self.assertEqual(ALL, self.outcome())
        self.assertEqual([], self.store.settle(True))

    def test_abort(self):
        name = self.in_doubt()
        self.assertEqual([name], self.store.settle(False, [name]))
        self.assertEqual({'work': ['x', 'y']}, self.files())
        with self.store.claim() as claim:
            self.assertEqual(2, claim.attempt)

    def test_policy(self):
        for policy, outcome in ('commit', ALL), ('abort', NOTHING):
            with self.subTest(policy=policy):
                self.in_doubt()
                with self.open_store(in_doubt=policy).batch():
                    self.assertEqual(outcome, self.outcome())
                self.assertEqual({}, {
                    name: files for name, files in self.tree().items()
                    if name in ('tmp', 'voted', 'committed')})
                for space in ('new', 'work', 'cur'):
                    for path in self.store.list(space):
                        os.remove(path)

    def test_bad_policy(self):
        with self.assertRaises(ValueError) as raised:
            self.open_store(in_doubt='perhaps')
        self.assertIn("'commit', 'abort'", str(raised.exception))

    def test_one_of_several(self):
        first = self.in_doubt()
        self.dies('batch = store.batch(two_phase=True)\n'
                  'with batch.publish("z"): pass\n'
                  'batch.vote()')
        second, = {intent['intent'] for intent in
                   self.store.status()['intents']} - {first}
        self.assertEqual([second], self.store.settle(True, [second]))
        self.assertEqual({**NOTHING, 'new': ['z']}, self.outcome())
        self.assertEqual([first], self.store.settle(False, [first]))

    def test_one_that_is_not_there(self):
        self.in_doubt()
        with self.assertRaises(NoSuchFile) as raised:
            self.store.settle(True, ['unknown'])
        self.assertIn("'unknown'", str(raised.exception))

    def test_not_while_its_process_lives(self):
        child = self.child()
        child.run(VOTED % True)
        self.assertEqual([], self.store.settle(False))
        child.run('batch.commit()')
        self.assertEqual(ALL, self.outcome())

    def test_what_has_gone_can_not_be_committed(self):
        for space in ('tmp', 'work'):
            with self.subTest(space=space):
                name = self.in_doubt()
                gone = self.store.list(space)[0]
                os.rename(gone, self.directory / 'gone')
                with self.assertRaises(NoSuchFile) as raised:
                    self.store.settle(True)
                self.assertIn(repr(name), str(raised.exception))
                os.rename(self.directory / 'gone', gone)
                self.store.settle(False)
                for claim in self.store.claims():
                    claim.finish(keep=False)

    def test_draft_that_has_gone_can_be_aborted(self):
        self.in_doubt()
        for path in self.store.list('tmp'):
            os.remove(path)
        self.assertEqual(1, len(self.store.settle(False)))

    def test_name_that_was_taken_meanwhile(self):
        self.in_doubt()
        self.put('new', 'a', 'theirs')
        self.store.settle(True)
        self.assertEqual('theirs', self.read('new', 'a'))
        texts = []
        for claim in self.store.claims():
            texts.append(self.text(claim))
            claim.finish(keep=False)
        self.assertEqual(['text', 'text', 'text', 'theirs'], sorted(texts))

    def test_which_ones(self):
        name = self.in_doubt()
        self.assertEqual([], self.store.settle(False, []))
        with self.assertRaises(TypeError):
            self.store.settle(False, name)
        self.assertEqual([name], self.store.settle(False, iter([name])))

    def test_one_that_can_not_be_committed_keeps_no_other(self):
        self.in_doubt()
        os.rename(self.path / 'work' / 'x', self.directory / 'gone')
        self.dies('batch = store.batch(two_phase=True)\n'
                  'with batch.publish("z"): pass\n'
                  'batch.vote()')
        with self.assertRaises(NoSuchFile):
            self.store.settle(True)
        self.assertEqual(['z'], self.tree()['new'])


class Errors(SettlementCase):
    """A commit is not done to its end by the process that has decided."""

    def commit(self, error):
        """Let an error come after the decision, and return the claim."""
        claim = self.claimed('x')
        claim.fail(gocept.filestore.interfaces.Retry(after=0))
        self.put('cur', 'old')

        def fail(*args):
            raise error

        self.store._attempts.settle = fail
        with self.assertRaises(type(error)):
            with self.store.claim() as claim, self.store.batch() as batch:
                batch.finish(claim)
                batch.remove('old', 'cur')
                self.put('new', 'n')
                batch.remove('n', 'new')
                self.publish(batch, 'a')
        return claim

    def test_others_go_on(self):
        for error in KeyboardInterrupt('stop'), OSError(5, 'failing', 'x'):
            with self.subTest(error=error):
                self.commit(error)
                store = self.open_store()
                names = []
                for claim in store.claims():
                    names.append(claim.filename)
                    claim.finish(keep=False)
                self.assertEqual(['a'], names)
                self.assertEqual({'cur': ['x']}, self.files())
                store.remove('x', 'cur')
                self.store = self.open_store()

    def test_first_step_is_refused(self):
        self.put('cur', 'old')
        batch = self.store.batch()
        batch.remove('old', 'cur')
        self.publish(batch, 'a')
        batch.vote()
        (self.path / 'committed').rmdir()
        (self.path / 'committed').write_text('in the way')
        with self.assertRaises(gocept.filestore.interfaces.InTheWay):
            batch.commit()
        (self.path / 'committed').unlink()
        batch.abort()
        self.assertEqual(['old'], self.store.clean('cur', 0))
        self.assertEqual({}, self.files())

    def test_sync_that_has_failed_is_told_and_not_tried_again(self):
        self.dies(MARKED % True)
        store = self.open_store(durable=True)
        sync = store._layout['new'].sync
        calls = []

        def fail():
            calls.append('new')
            raise gocept.filestore.interfaces.NotSynced(5, 'failing')

        store._layout['new'].sync = fail
        with self.assertRaises(gocept.filestore.interfaces.NotSynced):
            store.publish('z')
        store._layout['new'].sync = sync
        self.assertEqual(ALL, self.outcome())
        self.assertEqual([], store.status()['intents'])
        self.assertEqual(['new'], calls)

    def test_directory_that_can_not_be_synced_is_not_synced_again(self):
        calls = []

        class Deed:
            def carry_out(self, *args):
                calls.append(self)
                raise gocept.filestore.interfaces.NotSynced(5, 'failing')

        with self.assertRaises(gocept.filestore.interfaces.NotSynced):
            gocept.filestore.batch.settlement.carry_out_all(
                [Deed(), Deed()], None, None)
        self.assertEqual(1, len(calls))
