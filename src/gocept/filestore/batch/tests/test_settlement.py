import gocept.filestore.batch.deed
import gocept.filestore.batch.tests.test_batch
import gocept.filestore.disk.lock
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import json
import os
import shutil
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

    def test_second_name_of_an_intent(self):
        # A crash between the two steps of the mark, or of a deed.
        self.dies(MARKED % True)
        committed = self.path / 'committed'
        name, = os.listdir(committed)
        os.link(committed / name, self.path / 'voted' / name)
        draft = json.loads((committed / name).read_text())['deeds'][0]['draft']
        os.link(self.path / 'tmp' / draft, self.path / 'new' / 'a')
        os.link(self.path / 'work' / 'x', self.path / 'cur' / 'x')
        with self.open_store().batch():
            self.assertEqual(ALL, self.outcome())
        self.assertEqual({'new': ['a', 'b', 'c'], 'cur': ['x']}, self.files())

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

    def test_finished_claim_that_somebody_looks_at(self):
        self.dies(MARKED % True)
        held = gocept.filestore.disk.lock.hold(self.store._layout['work'], 'x')
        for _ in range(3):
            self.store.claim().finish(keep=False)
        self.assertIsNone(self.store.claim())
        self.assertEqual(1, len(os.listdir(self.path / 'committed')))
        held.release()
        self.assertIsNone(self.store.claim())
        self.assertEqual({'cur': ['x']}, self.files())

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

    def test_removal_that_has_gone(self):
        path = self.put('cur', 'old')
        self.dies('batch = store.batch(two_phase=True)\n'
                  'batch.remove("old", "cur")\n'
                  'batch.vote()')
        path.unlink()
        self.assertEqual(1, len(self.store.settle(True)))

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

    def test_spoilt_intent(self):
        name = self.in_doubt()
        for text in ('no JSON', '{}', '[]', '{"deeds": [{"deed": "x"}]}',
                     '{"deeds": [{}]}', '{"deeds": 1}', '{"deeds": []}'):
            (self.path / 'voted' / name).write_text(text)
            self.assertEqual([], self.store.settle(True), text)
            self.assertFalse(self.store._intents.has_draft('draft'))
            self.assertEqual([], self.store.status()['intents'])

    def test_intent_that_goes_while_it_is_looked_at(self):
        self.store._layout.made('voted')
        self.assertIsNone(self.store._intents._read('voted', 'none'))
        self.assertIsNone(self.store._intents._take('voted', 'none'))

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

    def test_another_file_gets_the_inode(self):
        self.in_doubt()
        path = self.path / 'work' / 'x'
        os.rename(path, self.path / 'work' / 'another')
        with self.store.claim() as claim:
            self.assertEqual('another', claim.filename)


class Removals(SettlementCase):

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


class Moving(SettlementCase):
    """An intent is committed while somebody looks."""

    def late(self, child):
        """Return intents that are listed before a commit, and read after it.
        """
        intents = self.store._intents
        found = intents._found

        def late():
            intents._found = found
            result = found()
            child.run('batch._intent.mark()')
            return result

        intents._found = late
        return intents

    def voted(self):
        child = self.child()
        child.run(VOTED % True)
        return child

    def test_draft(self):
        child = self.voted()
        draft = os.path.basename(self.store.list('tmp')[0])
        self.assertTrue(self.late(child).has_draft(draft))

    def test_claim(self):
        child = self.voted()
        inode = os.stat(self.path / 'work' / 'x').st_ino
        self.assertTrue(self.late(child).has_claim('x', inode))

    def test_name(self):
        child = self.voted()
        self.assertEqual(
            {'a', 'b', 'c'}, self.late(child).published(but=None))

    def test_space_that_has_gone(self):
        self.store._layout.made('voted')
        self.assertIsNone(self.store._intents._read('voted', 'x'))


class Spaces(SettlementCase):
    """Spaces are removed by hand, or the store is exchanged."""

    def test_voted(self):
        self.dies(MARKED % True)
        os.rmdir(self.path / 'voted')
        self.store.claim().finish(keep=False)
        self.assertEqual(['x'], self.tree()['cur'])
        self.assertNotIn('committed', self.tree())

    def test_committed(self):
        self.in_doubt()
        os.rmdir(self.path / 'committed')
        self.assertEqual(1, len(self.store.settle(True)))
        self.assertEqual(ALL, self.outcome())

    def test_voted_before_an_abort(self):
        self.put('cur', 'old')
        batch = self.store.batch()
        self.publish(batch, 'a')
        batch.remove('old', 'cur')
        batch.vote()
        shutil.rmtree(self.path / 'voted')
        batch.abort()
        self.assertEqual({'cur': ['old']}, self.files())
        self.assertEqual(['old'], self.store.clean('cur', 0))

    def test_store_is_exchanged_before_the_vote(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        os.rename(self.path, self.directory / 'aside')
        self.store.prepare()
        with self.assertRaises(NoSuchFile):
            batch.vote()
        batch.abort()
        self.assertEqual({}, self.files())

    def test_draft_goes_after_the_vote(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        self.publish(batch, 'b')
        batch.vote()
        os.remove(self.store.list('tmp')[0])
        with self.assertRaises(NoSuchFile) as raised:
            batch.commit()
        self.assertIn('its draft has gone', str(raised.exception))


class Errors(SettlementCase):
    """A commit is not done to its end by the process that has decided."""

    def commit(self, error):
        """Let an error come after the decision, and return the claim."""
        claim = self.claimed('x')
        claim.fail(gocept.filestore.interfaces.Retry(after=0))
        self.put('cur', 'old')

        def fail(*args):
            raise error

        self.store._attempts.forget = fail
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
            def carry_out(self, layout, attempts):
                calls.append(self)
                raise gocept.filestore.interfaces.NotSynced(5, 'failing')

        with self.assertRaises(gocept.filestore.interfaces.NotSynced):
            gocept.filestore.batch.deed.carry_out_all([Deed(), Deed()], None,
                                                      None)
        self.assertEqual(1, len(calls))

    @gocept.filestore.tests.case.needs_root('become somebody else')
    def test_intent_of_somebody_else_that_may_not_be_read(self):
        name = self.in_doubt()
        for path in self.path.rglob('*'):
            path.chmod(0o777)
        (self.path / 'voted' / name).chmod(0o600)
        self.put('new', 'z').chmod(0o666)
        with self.be_nobody():
            store = self.open_store()
            with store.publish('w'):
                pass
            self.assertEqual({'w', 'z'}, self.claimed_by(store))

    def claimed_by(self, store):
        names = set()
        with self.assertRaises(PermissionError):
            for claim in store.claims():
                names.add(claim.filename)
                claim.finish()
        return names


class Overtaking(SettlementCase):

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
        self.dies(MARKED % True)
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


class Hostile(SettlementCase):
    """Somebody writes an intent by hand."""

    def setUp(self):
        super().setUp()
        self.victim = self.directory / 'victim'
        self.victim.write_text('precious')
        self.put('tmp', 'draft', 'text')
        self.put('cur', 'old')

    deeds = (
        {'deed': 'publish', 'filename': 'a', 'draft': '../../victim',
         'replace': False},
        {'deed': 'publish', 'filename': '../../victim', 'draft': 'draft',
         'replace': True},
        {'deed': 'publish', 'filename': '.hidden', 'draft': 'draft',
         'replace': False},
        {'deed': 'publish', 'filename': 'a\0', 'draft': 'draft',
         'replace': False},
        {'deed': 'publish', 'filename': '\ud800', 'draft': 'draft',
         'replace': False},
        {'deed': 'publish', 'filename': 5, 'draft': 'draft',
         'replace': False},
        {'deed': 'publish', 'filename': 'a', 'draft': 'draft', 'replace': 1},
        {'deed': 'publish', 'filename': 'a'},
        {'deed': 'finish', 'filename': '../../victim', 'inode': 1,
         'changed': 1, 'attempt': 1, 'keep': False},
        {'deed': 'finish', 'filename': 'a', 'inode': '1', 'changed': 1,
         'attempt': 1, 'keep': False},
        {'deed': 'remove', 'filename': 'victim', 'space': '..', 'inode': 1,
         'changed': 1},
        {'deed': 'remove', 'filename': 'a', 'space': [], 'inode': 1,
         'changed': 1},
        {'deed': 'burn', 'filename': 'a'},
        'no deed')

    def test_nothing_is_done(self):
        for deed in self.deeds:
            self.check([deed], {})

    def test_other_facts(self):
        good = [{'deed': 'publish', 'filename': 'a', 'draft': 'draft',
                 'replace': False}]
        for facts in ({'time': 'x'}, {'time': 10 ** 400}, {'two_phase': 1},
                      {'time': None}):
            self.check(good, facts)

    def check(self, deeds, facts):
        before = self.tree()
        for space in ('voted', 'committed'):
            self.put(space, 'intent', json.dumps({
                'time': 1, 'two_phase': False, 'deeds': deeds, **facts}))
            with self.subTest(space=space, deeds=deeds, facts=facts):
                self.assertIsNone(self.store.claim())
                with self.store.batch():
                    pass
                self.assertEqual([], self.store.status()['intents'])
                self.assertEqual([], self.store.settle(False))
                self.assertEqual('precious', self.victim.read_text())
            os.remove(self.path / space / 'intent')
            self.assertEqual(before, self.tree())

    def test_draft_that_is_none(self):
        os.symlink(self.victim, self.path / 'tmp' / 'link')
        os.mkfifo(self.path / 'tmp' / 'pipe')
        (self.path / 'tmp' / 'directory').mkdir()
        for draft in ('link', 'pipe', 'directory'):
            self.put('committed', 'intent', json.dumps({
                'time': 1, 'two_phase': False, 'deeds': [{
                    'deed': 'publish', 'filename': 'a', 'draft': draft,
                    'replace': False}]}))
            with self.assertRaises(gocept.filestore.interfaces.NotRegular):
                self.store.claim()
            self.assertNotIn('new', self.tree())
