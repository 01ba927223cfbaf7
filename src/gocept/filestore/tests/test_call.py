"""Each verb meets with a fault at each of its system calls.

The process is killed there, or the disk fails, or it is full; then others go
on, twice. The kinds of moves are those of test_race.py.
"""

import collections
import errno
import gocept.filestore
import gocept.filestore.datamanager
import gocept.filestore.disk.layout
import gocept.filestore.testing
import gocept.filestore.tests.case
import gocept.filestore.tests.test_race
import itertools
import json
import logging
import os
import shutil
import transaction
import unittest
import warnings


OBSTACLE = gocept.filestore.testing.obstacle()
SYNCS = 'fsync', 'fdatasync', 'syncfs', 'sync_file_range'
WHOLE = ('ours' * 1000, 'newer' * 1000, 'older' * 1000)
OURS, NEWER, OLDER = WHOLE
SOON = gocept.filestore.RetryPolicy(attempts=5, first=0)
NAMES = {OURS: 'ours', NEWER: 'newer', OLDER: 'older'}
OUTSIDE_TMP = ('new', 'work', 'cur', 'failed')
# A full disk is met with in the same places as a failing one.
VARIANTS = (('plain', 'SIGKILL'), ('by_link', 'SIGKILL'), ('plain', 'EIO'),
            ('by_link', 'EIO'), ('plain', 'ENOSPC'))


def synced(call):
    """Return what a call brings to the disk, as `5</store/new/a>`, or None."""
    if call.name in SYNCS:
        return call.text.partition('(')[2].replace(',', ')').partition(')')[0]


def look_once():
    """Let no look that comes after a time depend on how slow a machine is."""
    gocept.filestore.disk.layout.Layout.interval = 3600


@unittest.skipIf(OBSTACLE, OBSTACLE)
class CallCase(gocept.filestore.tests.case.Case):

    options = {'durable': True, 'retry_policy': SOON}
    variants = VARIANTS
    variant = 'plain'
    fault = 'SIGKILL'
    unnamed = ()  # calls of a file object that belongs to the caller

    def prove(self, check, action):
        """Do an action again and again, with a fault at each of its calls."""
        def act():
            warnings.simplefilter('ignore', ResourceWarning)
            gocept.filestore.tests.test_race.VARIANTS[self.variant]()
            look_once()
            action(self.open_store())

        count = 0
        for call in gocept.filestore.testing.each_call(
                act, self.prepare, self.fault):
            count += 1
            with self.subTest(call=call):
                self.check_error(call)
                self.check_whole()
                check(self.open_store())
                self.check_whole()
        self.assertGreater(count, 5)

    def prepare(self):
        shutil.rmtree(self.path)
        self.open_store().prepare()
        for space in ('work', 'failed', 'attempts'):
            (self.path / space).mkdir()
        self.fill()
        self.more()

    def fill(self):
        self.put('new', 'a', OURS)

    def more(self):
        pass

    def check_error(self, call):
        """It is the disk's own error, or all is as without the fault."""
        if self.fault == 'SIGKILL':
            return
        if call.name in SYNCS:
            self.check_sync(call)
        if call.error is not None:
            self.assertIsInstance(call.error, OSError)
            self.assertEqual(
                self.fault, errno.errorcode[call.error.errno], call.error)
            if call.name not in self.unnamed:
                self.assertIsNotNone(call.error.filename, call.error)

    def check_sync(self, call):
        self.assertIsNotNone(call.error, 'it was swallowed')
        self.assertNotIn(
            synced(call), [synced(later) for later in call.later],
            'it was tried again')

    def check_whole(self):
        """Nothing is half-written outside of tmp."""
        for space in OUTSIDE_TMP:
            for path in (self.path / space).iterdir():
                self.assertIn(path.read_text(), WHOLE, path)
        for path in (self.path / 'attempts').iterdir():
            for line in path.read_text().splitlines():
                json.loads(line)

    def documents(self, *spaces):
        """Return the names of the texts in some spaces, each file once."""
        found = {path.stat().st_ino: NAMES[path.read_text()]
                 for space in spaces
                 for path in (self.path / space).iterdir()}
        return sorted(found.values())

    def work(self, store):
        """Let somebody do what is left; return what it was."""
        texts = []
        for _ in range(2):  # the second time there is nothing to do
            for claim in store.claims():
                self.assertLessEqual(claim.attempt, 4)
                texts.append(NAMES[self.text(claim)])
                claim.finish()
        return texts

    def finished(self):
        """Everything is done, once, and nothing is left of the work."""
        found = self.tree()
        found.pop('tmp', None)
        self.assertEqual({'cur': ['a']}, found)


class Publishing(CallCase):

    def test_publish(self):
        def action(store):
            with store.publish('b') as file:
                file.write(NEWER)

        def check(store):
            published = self.documents('new')
            self.assertIn(published, (['ours'], ['newer', 'ours']))
            self.assertEqual(published, sorted(self.work(store)))

        self.prove(check, action)

    def test_group(self):
        self.prove(self.check_group, self.publish_group)

    def test_group_that_is_synced_at_once(self):
        def action(store):
            gocept.filestore.tests.case.sync_at_once(self)
            self.publish_group(store)

        self.prove(self.check_group, action)

    def publish_group(self, store):
        errors = []
        with store.group(errors.append) as group:
            for name in 'bcd':
                with group.publish(name) as file:
                    file.write(NEWER)
        if errors:
            raise errors[0]

    def check_group(self, store):
        published = self.documents('new')
        self.assertEqual('ours', published[-1])
        self.assertLessEqual(set(published[:-1]), {'newer'})
        self.assertEqual(published, sorted(self.work(store)))

    def test_batch_that_is_synced_at_once(self):
        def action(store):
            gocept.filestore.tests.case.sync_at_once(self)
            with store.batch() as batch:
                for name in 'bc':
                    batch.write_text(name, NEWER)

        def check(store):
            texts = sorted(self.work(store))
            self.assertIn(texts, (['ours'], ['newer', 'newer', 'ours']))

        self.prove(check, action)

    def test_replace(self):
        def action(store):
            with store.publish('a', replace=True) as file:
                file.write(NEWER)

        def check(store):
            self.assertIn(self.documents('new'), (['ours'], ['newer']))
            self.work(store)
            self.finished()

        self.prove(check, action)

    def test_copy(self):
        def check(store):
            self.assertEqual(['ours'], self.documents('new'))
            self.assertIn(self.documents('cur'), (['older'], ['ours']))

        self.prove(check, lambda store: store.copy('a', 'new', 'cur'))

    def test_lineage(self):
        def action(store):
            with store.create('b') as file:
                file.write(NEWER)
            store.move('b', 'tmp', 'new')

        self.unnamed = ('write', 'close')

        def check(store):
            self.assertIn(
                self.documents('new'), (['ours'], ['newer', 'ours']))
            self.assertIn(sorted(self.work(store)),
                          (['ours'], ['newer', 'ours']))

        self.prove(check, action)

    def fill(self):
        self.put('new', 'a', OURS)
        self.put('cur', 'a', OLDER)


class Announced(CallCase):
    """Whoever sees a file finds what goes with it."""

    variants = VARIANTS[:3]

    def fill(self):
        for space in ('voted', 'committed'):
            (self.path / space).mkdir()
        self.publish(self.open_store(), 'a', OURS)

    def publish(self, place, name, text, **options):
        place.write_text(name, text, metadata={'is': NAMES[text]}, **options)

    def check_whole(self):
        super().check_whole()
        texts = collections.defaultdict(set)
        for space in OUTSIDE_TMP:
            for path in (self.path / space).iterdir():
                texts[path.name].add(NAMES[path.read_text()])
        for name, found in texts.items():
            # A file that a crash has left with two names is told once.
            self.assertEqual(found, {
                place['metadata'].get('is')
                for place in self.open_store().history(name)})

    def check_published(self, store):
        published = self.documents('new', 'work')
        self.assertIn('ours', published)
        self.assertEqual(published, sorted(self.work(store)))

    def test_publish(self):
        self.prove(self.check_published, lambda store: self.publish(
            store, 'b', NEWER))

    def test_finish(self):
        def check(store):
            self.work(store)
            self.finished()

        self.prove(check, lambda store: store.claim().finish())

    def finished(self):
        self.assertEqual({'cur': ['a'], 'attempts': ['a']}, {
            space: files for space, files in self.tree().items()
            if space != 'tmp'})


class Accompanied(Announced):
    """Killed only, and without syncs, which make no difference to that."""

    options = {**CallCase.options, 'durable': False}
    variants = VARIANTS[:2]
    test_publish = test_finish = None

    def test_replace(self):
        def check(store):
            self.assertIn(self.documents('new'), (['ours'], ['newer']))
            self.work(store)

        self.prove(check, lambda store: self.publish(
            store, 'a', NEWER, replace=True))

    def test_group(self):
        def action(store):
            errors = []
            with store.group(errors.append) as group:
                for name in 'bc':
                    self.publish(group, name, NEWER)
            if errors:
                raise errors[0]

        self.prove(self.check_published, action)

    def test_batch(self):
        def action(store):
            batch = store.batch(two_phase=True)
            batch.finish(store.claim())
            for name in 'bc':
                self.publish(batch, name, NEWER)
            batch.vote()
            batch.commit()

        def check(store):
            if store.status()['intents']:
                store.settle(commit=True)
            self.assertIn('ours', self.documents('new', 'work', 'cur'))
            self.work(store)

        self.prove(check, action)

    def test_gone(self):
        """What goes has it until then, and leaves nothing at rest."""
        def action(store):
            store.claim().finish(keep=False)
            store.clean('cur', 0)

        def check(store):
            self.work(store)
            store.clean('cur', 0)
            self.publish(store, 'b', OURS)
            for claim in store.claims():
                claim.finish(keep=False)
            self.assertEqual([], self.documents('new', 'work', 'cur'))

        self.more = lambda: self.done(self.open_store())
        self.prove(check, action)

    def done(self, store):
        self.publish(store, 'b', OLDER)
        store.move('b', 'new', 'cur')

    def test_copy(self):
        def check(store):
            self.assertEqual(['ours'], self.documents('new'))

        self.prove(check, lambda store: store.copy('a', 'new', 'cur'))


class Lineage(CallCase):

    unnamed = ('write', 'close')

    def test_move(self):
        self.prove(self.check_moved, lambda store: store.move(
            'a', 'new', 'cur'))

    def test_move_without_replacing(self):
        self.prove(self.check_moved, lambda store: store.move(
            'a', 'new', 'cur', replace=False))

    def check_moved(self, store):
        self.assertEqual(['ours'], self.documents('new', 'cur'))
        if store.list('new'):
            store.move('a', 'new', 'cur')
        self.finished()

    def test_create_over_what_was_left(self):
        def action(store):
            with store.create('draft') as file:
                file.write(NEWER)

        def check(store):
            with store.create('draft') as file:
                file.write(OURS)
            self.assertEqual(['ours'], self.documents('tmp'))

        self.more = lambda: self.put('tmp', 'draft', OLDER)
        self.prove(check, action)


class Preparing(CallCase):

    def prepare(self):
        if self.path.exists():
            shutil.rmtree(self.path)

    def check_whole(self):
        """There is no file."""

    def test_prepare(self):
        def check(store):
            store.prepare()
            for space in store.sub_dirs:
                self.assertEqual([], store.list(space))

        self.prove(check, lambda store: store.prepare())


class Working(CallCase):

    def test_finish(self):
        def check(store):
            self.assertEqual(['ours'], self.documents('new', 'work', 'cur'))
            self.work(store)
            self.finished()

        def action(store):
            claim = store.claim()
            claim.read_bytes()
            claim.finish()

        self.prove(check, action)

    def test_finish_over_an_older_one(self):
        def check(store):
            self.assertIn('ours', self.documents('new', 'work', 'cur'))
            self.work(store)
            self.finished()
            self.assertEqual(OURS, self.read('cur', 'a'))

        self.more = lambda: self.put('cur', 'a', OLDER)
        self.prove(check, lambda store: store.claim().finish())

    def test_finish_without_keeping(self):
        def action(store):
            claim = store.claim()
            os.mkdir(self.path / 'tmp' / 'claimed')
            claim.finish(keep=False)

        def check(store):
            if not (self.path / 'tmp' / 'claimed').exists():
                self.assertEqual(['ours'], self.documents('new', 'work'))
            self.assertIn(self.work(store), ([], ['ours']))
            self.assertEqual([], self.documents('new', 'work', 'failed'))

        self.prove(check, action)

    def test_release(self):
        def check(store):
            self.assertEqual(['ours'], self.work(store))
            self.finished()

        self.prove(check, lambda store: store.claim().release())

    def test_release_while_a_newer_one_waits(self):
        def action(store):
            claim = store.claim()
            os.rename(self.path / 'tmp' / 'a', self.path / 'new' / 'a')
            claim.release()

        def check(store):
            self.assertIn(self.work(store), (['ours'], ['ours', 'newer']))
            self.finished()

        self.more = lambda: self.put('tmp', 'a', NEWER)
        self.prove(check, action)

    def test_fail(self):
        def check(store):
            claim = store.claim()
            # One more if looking at the claimed file was what has failed.
            self.assertIn(claim.attempt, (1, 2, 3))
            claim.release()
            self.assertEqual(['ours'], self.work(store))
            self.finished()

        self.prove(check, lambda store: store.claim().fail('no paper'))

    def test_reject_over_an_older_one(self):
        def check(store):
            self.assertIn('ours', self.documents('new', 'work', 'failed'))
            for _ in range(2):
                reject(store)
            self.assertEqual(OURS, self.read('failed', 'a'))
            self.assertIn(
                self.documents('failed'), (['ours'], ['older', 'ours']))
            self.assertEqual([], self.documents('new', 'work'))
            for failure in store.failures():
                if failure['filename'] == 'a':
                    self.assertIsNotNone(failure['error'])

        self.more = lambda: self.put('failed', 'a', OLDER)
        self.prove(check, reject)


class Upkeep(CallCase):

    def fill(self):
        self.put('new', 'a', OURS)
        reject(self.open_store())
        self.put('cur', 'a', OLDER)

    def test_retry(self):
        def check(store):
            self.assertEqual(['ours'], self.documents('new', 'failed'))
            claim = store.claim()
            if claim is None:
                store.retry('a')
                claim = store.claim()
            self.assertEqual(1, claim.attempt)
            claim.finish()
            self.assertEqual([], self.work(store))
            self.finished()

        self.prove(check, lambda store: store.retry('a'))

    def test_clean(self):
        for space in ('cur', 'failed'):
            with self.subTest(space=space):
                self.prove(self.check_clean, lambda store, space=space:
                           store.clean(space, 0))

    def check_clean(self, store):
        for _ in range(2):
            for space in ('tmp', 'cur', 'failed'):
                store.clean(space, 0)
        self.assertEqual({}, self.tree())

    def test_clean_drafts(self):
        self.more = lambda: self.put('tmp', 'draft', 'half')
        self.prove(self.check_clean, lambda store: store.clean('tmp', 0))

    def test_remove(self):
        self.prove(self.check_clean, lambda store: store.remove(
            'a', 'failed'))


class TakingOver(CallCase):
    """Who sets right what another one has left dies as well."""

    def fill(self):
        self.put('work', 'a', OURS)

    def act(self, store):
        claim = store.claim()
        if claim is not None:
            claim.finish()

    def check(self, store):
        self.assertEqual(['ours'], self.documents(*OUTSIDE_TMP))
        self.assertIn(self.work(store), ([], ['ours']))
        self.finished()

    def test_abandoned(self):
        self.prove(self.check, self.act)

    def test_due(self):
        def action(store):
            store.claim().fail('no paper')
            store.claim().finish()

        self.prove(self.check, action)

    def test_last_attempt_of_a_file_that_kills(self):
        def check(store):
            for _ in range(2):
                self.assertIsNone(store.claim())
            failure, = store.failures()
            self.assertEqual(1, failure['attempts'])
            self.assertEqual(['ours'], self.documents('failed'))
            self.assertEqual([], self.documents('new', 'work'))

        self.options = {
            'retry_policy': gocept.filestore.tests.case.ONCE}
        self.prove(check, self.act)

    def test_move_to_work(self):
        self.more = lambda: self.link('work', 'new')
        self.prove(self.check, self.act)

    def test_move_to_cur(self):
        self.more = lambda: self.link('work', 'cur')
        self.prove(self.check, self.act)

    def test_move_to_failed(self):
        def check(store):
            self.assertEqual(['ours'], self.documents('work', 'failed'))
            for _ in range(2):
                self.assertIsNone(store.claim())
            self.assertEqual([], self.documents('new', 'work', 'cur'))
            self.assertEqual(['ours'], self.documents('failed'))

        self.more = lambda: self.link('work', 'failed')
        self.prove(check, self.act)

    def test_retry(self):
        self.fill = lambda: self.put('failed', 'a', OURS)
        self.more = lambda: self.link('failed', 'new')
        self.prove(self.check, self.act)

    def link(self, source, target):
        self.move_by_link()  # or nobody would have left that
        os.link(self.path / source / 'a', self.path / target / 'a')


def reject(store):
    claim = store.claim()
    if claim is not None:
        claim.fail(gocept.filestore.Reject('no paper'))


class Committing(CallCase):
    """A transaction with three publications and two finished claims."""

    def fill(self):
        self.put('new', 'a', OURS)
        self.put('new', 'x', OLDER)
        for space in ('voted', 'committed'):
            (self.path / space).mkdir()

    def test_transaction(self):
        def action(store):
            manager = transaction.TransactionManager()
            files = gocept.filestore.datamanager.TransactionalFileStore(
                store, manager)
            publish_and_finish(files, [files.claim(), files.claim()])
            manager.commit()

        commits = itertools.cycle([True, False])

        def check(store):
            doubts = [intent for intent in store.status()['intents']
                      if not intent['decided']]
            commit = next(commits) if doubts else None
            for _ in range(2):
                doubts and store.settle(commit)
            self.all_or_nothing(store, commit)

        logging.disable()  # an error in the last phase is critical
        self.addCleanup(logging.disable, logging.NOTSET)
        self.prove(check, action)

    def test_batch(self):
        def action(store):
            claims = [store.claim(), store.claim()]
            with store.batch() as batch:
                publish_and_finish(batch, claims)

        self.prove(self.all_or_nothing, action)

    def all_or_nothing(self, store, commit=None):
        """Let somebody come who goes on; then there are two outcomes."""
        with store.batch():
            outcome = (self.names('new') - {'a', 'x'}, self.names('cur'))
        nothing, all_of_it = (set(), set()), ({'b', 'c', 'd'}, {'a', 'x'})
        allowed = {None: (nothing, all_of_it), True: (all_of_it,),
                   False: (nothing,)}[commit]
        self.assertIn(outcome, allowed)
        self.work(store)
        self.assertEqual(set.union(*outcome) | {'a', 'x'}, self.names('cur'))
        for space in ('new', 'work', 'failed', 'voted', 'committed',
                      'attempts'):
            self.assertEqual(set(), self.names(space), space)

    def names(self, space):
        return set(os.listdir(self.path / space))


class CarryingOn(Committing):
    """What another process has decided; who goes on with it dies as well."""

    def more(self):
        pid = os.fork()
        if pid == 0:
            store = self.open_store()
            batch = store.batch(two_phase=True)
            publish_and_finish(batch, [store.claim(), store.claim()])
            batch.vote()
            batch._intent.mark()
            os._exit(0)
        os.waitpid(pid, 0)

    def test_transaction(self):
        def check(store):
            self.all_or_nothing(store, commit=True)

        self.prove(check, lambda store: store.batch())

    test_batch = None


def publish_and_finish(batch, claims):
    for name in 'bcd':
        with batch.publish(name) as file:
            file.write(NEWER)
    for claim in claims:
        batch.finish(claim)


def variants():
    """Return the classes above, for each kind of moves and of faults."""
    for case in (Publishing, Announced, Accompanied, Lineage, Preparing,
                 Working, Upkeep, TakingOver, Committing, CarryingOn):
        for variant, fault in case.variants:
            yield type('%s_%s_%s' % (case.__name__, variant, fault),
                       (case,), {'variant': variant, 'fault': fault})


def test_suite():
    suite = gocept.filestore.tests.case.slow(unittest.TestSuite())
    suite.layer = gocept.filestore.tests.case.Slow
    for case in variants():
        suite.addTests(
            unittest.defaultTestLoader.loadTestsFromTestCase(case))
    return suite
