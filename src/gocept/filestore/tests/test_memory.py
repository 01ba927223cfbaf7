"""The store in memory: what the one on a disk does, and its edge cases."""

import contextlib
import gc
import gocept.filestore.consumer
import gocept.filestore.datamanager
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.memory
import gocept.filestore.retry
import gocept.filestore.testing
import gocept.filestore.tests.case
import hypothesis
import hypothesis.strategies
import io
import os
import re
import shutil
import tempfile
import threading
import time
import transaction
import unittest
import warnings
import zope.event
import zope.interface.verify


EXAMPLES = int(os.environ.get('MEMORY_EXAMPLES', 40))
POLICY = gocept.filestore.retry.RetryPolicy(attempts=3, first=0)
UNIQUE = re.compile(r'[0-9]+\.M[0-9]+P[0-9]+Q[0-9]+\.[\w.-]+')
SPACES = ('tmp', 'new', 'cur', 'failed', 'work', 'attempts')
ERRORS = {
    'failed': 'no paper',
    'now': gocept.filestore.interfaces.Retry(after=0),
    'later': gocept.filestore.interfaces.Retry(after=1000),
    'given up': gocept.filestore.interfaces.Reject('no order')}


class Side:
    """Does what it is told with one store, and says what came of it."""

    def __init__(self, open_store):
        self.open_store = open_store
        self.open_store().prepare()
        self.claims, self.drafts, self.publications = {}, {}, {}
        self.batch = None
        self.events = []

    def do(self, verb, *args):
        self.events.clear()
        zope.event.subscribers.append(self.events.append)
        try:
            answer = getattr(self, verb)(*args)
        except (gocept.filestore.interfaces.FileStoreError, OSError,
                ValueError, TypeError) as error:
            answer = type(error).__name__, told(error)
        finally:
            zope.event.subscribers.remove(self.events.append)
        return answer, [
            (type(event).__name__, UNIQUE.sub('unique', event.filename),
             getattr(event, 'attempt', None)) for event in self.events]

    @property
    def store(self):
        return self.open_store()

    def create(self, name, mode, size):
        if name in self.drafts:
            return self.drafts.pop(name).close()
        self.drafts[name] = self.store.create(name, mode)
        self.drafts[name].write(size * '.')
        self.drafts[name].flush()

    def publish(self, name, replace, size):
        with self.store.publish(name, replace=replace) as file:
            file.write(size * '.')

    def publish_slowly(self, name, replace, size):
        publication = self.publications.pop(name, None)
        if publication is not None:
            return publication.__exit__(None, None, None)
        publication = self.store.publish(name, replace=replace)
        publication.__enter__().write(size * '.')
        self.publications[name] = publication

    def move(self, *args):
        self.store.move(*args)

    def copy(self, *args):
        self.store.copy(*args)

    def remove(self, *args):
        self.store.remove(*args)

    def clean(self, space):
        return [UNIQUE.sub('unique', name)
                for name in self.store.clean(space, 0)]

    def retry(self, name):
        self.store.retry(name)

    def claim(self, order, pattern):
        claim = self.store.select([pattern], order=order).claim()
        if claim is None:
            return None
        self.claims[claim.filename] = claim
        with claim.open() as file:
            return claim.filename, claim.attempt, file.read()

    def finish(self, name, keep):
        if name in self.claims:
            self.claims[name].finish(keep)

    def fail(self, name, how):
        if name in self.claims:
            self.claims[name].fail(ERRORS[how])

    def release(self, name):
        if name in self.claims:
            self.claims[name].release()

    def lose(self, name):
        self.claims.pop(name, None)

    def begin(self, two_phase):
        if self.batch is None:
            self.batch = self.store.batch(two_phase)
            self.savepoint = 0
        else:
            self.savepoint = self.batch.savepoint()

    def add(self, what, name, flag, space):
        if self.batch is None:
            return
        if what == 'publish':
            with self.batch.publish(name, replace=flag) as file:
                file.write('batch')
        elif what == 'remove':
            self.batch.remove(name, space)
        elif name in self.claims:
            self.batch.finish(self.claims[name], flag)

    def go_on(self, what):
        if self.batch is None:
            return
        if what == 'rollback':
            return self.batch.rollback(self.savepoint)
        if what == 'vote':
            return self.vote()
        batch, self.batch = self.batch, None
        if what != 'drop':
            return getattr(batch, what)()
        del batch
        self.claims.clear()
        gc.collect()  # it refers to itself

    def vote(self):
        try:
            self.batch.vote()
        except BaseException:
            # Whoever gets an error calls `abort`.
            self.batch.abort()
            self.batch = None
            raise

    def settle(self, commit):
        return len(self.store.settle(commit))

    def close(self):
        for publication in self.publications.values():
            publication.__exit__(ValueError, None, None)
        for file in self.drafts.values():
            file.close()
        if self.batch is not None:
            self.batch.abort()
        for claim in self.claims.values():
            with contextlib.suppress(
                    gocept.filestore.interfaces.FileStoreError):
                claim.release()
        self.batch = None
        self.claims.clear()
        gc.collect()

    def look(self):
        store = self.store
        status = store.status()
        return {
            'names': {space: sorted(
                UNIQUE.sub('unique', os.path.basename(path))
                for path in store.list(space)) for space in SPACES},
            'intents': [len(store.list(space))
                        for space in ('voted', 'committed')],
            'sizes': {name: (space['files'], space['bytes'])
                      for name, space in status['spaces'].items()
                      if name != 'attempts'},
            'claims': [(claim['filename'], claim['attempt'], claim['alive'])
                       for claim in status['claims']],
            'waiting': (status['waiting']['files'],
                        status['waiting']['next'] not in (0, None)),
            # What is removed from `new` is a claim that is finished, too.
            'described': [
                (intent['decided'], intent['publish'],
                 sorted(intent['finish'] + intent['remove']))
                for intent in status['intents']],
            'failures': sorted(
                (failure['filename'], failure['attempts'], failure['error'])
                for failure in store.failures())}


def told(error):
    """Return what an error says, as far as it is the same on a disk."""
    if isinstance(error, gocept.filestore.interfaces.NoSuchFile):
        # That another process has just taken it is one more reason.
        return UNIQUE.sub('unique', error.filename)
    return UNIQUE.sub('unique', str(error))


FLAGS = False, True
SPACES_TO_USE = 'tmp', 'new', 'cur', 'failed', 'work'
PARTS = ('publish', 'remove', 'finish'), 'ab', FLAGS, ('new', 'cur', 'failed')
# What is done, in proportion, with what may be each argument.
STEPS = [
    ('create', 'ab', ('w', 'x', 'a', 'r+'), range(10)),
    *2 * [('publish', 'ab', FLAGS, range(10))],
    ('publish_slowly', 'ab', FLAGS, range(10)),
    ('move', 'ab', SPACES_TO_USE, SPACES_TO_USE, FLAGS),
    ('copy', 'ab', SPACES_TO_USE, SPACES_TO_USE, FLAGS),
    ('remove', 'ab', SPACES_TO_USE),
    ('clean', SPACES_TO_USE),
    ('retry', ('a', 'b', 'a.~1~')),
    *3 * [('claim', ('age', 'name'), ('*', 'a*'))],
    ('finish', 'ab', FLAGS),
    *2 * [('fail', 'ab', sorted(ERRORS))],
    ('release', 'ab'),
    ('lose', 'ab'),
    ('begin', FLAGS),
    *2 * [('add', *PARTS)],
    ('go_on', ('rollback', 'vote', 'vote', 'commit', 'commit', 'abort',
               'drop')),
    ('settle', FLAGS)]
ACTIONS = hypothesis.strategies.lists(
    hypothesis.strategies.one_of(*[
        hypothesis.strategies.tuples(
            hypothesis.strategies.just(verb),
            *map(hypothesis.strategies.sampled_from, args))
        for verb, *args in STEPS]),
    min_size=10, max_size=50)


# Each verb, and each case of it.
FIRST = [(verb, *(values[0] for values in args)) for verb, *args in STEPS]
EMPTY = [step for step in reversed(FIRST) if step[0] != 'begin']
SETTLED = [
    ('begin', False), ('add', 'finish', 'a', True, 'new'), ('go_on', 'abort'),
    ('publish_slowly', 'b', False, 1), ('publish_slowly', 'b', False, 1),
    ('claim', 'age', '*'), ('finish', 'b', False),
    ('publish', 'a', False, 1), ('publish', 'b', False, 2),
    ('claim', 'age', '*'), ('fail', 'a', 'later'), ('release', 'b'),
    ('retry', 'a'), ('claim', 'name', 'a*'), ('finish', 'a', True),
    ('publish', 'a', False, 3), ('claim', 'age', '*'), ('begin', True),
    ('begin', True), ('add', 'finish', 'b', True, 'new'),
    ('add', 'publish', 'a', True, 'new'), ('add', 'remove', 'a', True, 'cur'),
    ('go_on', 'vote'), ('go_on', 'drop'), ('settle', True),
    ('begin', False), ('go_on', 'rollback'), ('go_on', 'vote'),
    ('go_on', 'commit'), ('lose', 'b'), ('claim', 'age', '*'),
    ('publish', 'b', False, 4), ('begin', True),
    ('add', 'publish', 'b', False, 'new'), ('go_on', 'vote')]


class SameAsOnADisk(unittest.TestCase):
    """Both kinds of store give the same answers to whatever is asked."""

    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None,
        derandomize='CI' in os.environ,
        suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(ACTIONS)
    @hypothesis.example(FIRST)
    @hypothesis.example(EMPTY)
    @hypothesis.example(SETTLED)
    def test_all_verbs(self, actions):
        directory = tempfile.mkdtemp(prefix='filestore-')
        try:
            self.compare(os.path.join(directory, 'store'), actions)
        finally:
            shutil.rmtree(directory)

    def compare(self, path, actions):
        memory = gocept.filestore.memory.MemoryFileStore(
            path, retry_policy=POLICY)
        sides = [
            # A new one each time looks into all spaces at once.
            Side(lambda: gocept.filestore.filestore.FileStore(
                path, durable=False, retry_policy=POLICY)),
            Side(lambda: memory)]
        with warnings.catch_warnings(), contextlib.ExitStack() as end:
            warnings.simplefilter('ignore', ResourceWarning)
            for side in sides:
                end.callback(side.close)
            # Which of two mistakes is told of depends on it.
            for space in ('failed', 'work'):
                os.mkdir(os.path.join(path, space))
            for action in actions:
                self.compare_answers(sides, action)

    def compare_answers(self, sides, action):
        hypothesis.note(action)
        for question in (action, ('look',)):
            gocept.filestore.testing.tick(
                os.path.dirname(sides[0].store.path))
            disk, memory = [side.do(*question) for side in sides]
            self.assertEqual(disk, memory, action)


class Case(unittest.TestCase):
    """Each test gets a fresh store in memory, and a clock."""

    def setUp(self):
        self.clock = 1000
        self.store = self.open_store()
        self.store.prepare()

    def open_store(self, path='store', **options):
        return gocept.filestore.memory.MemoryFileStore(
            path, now=lambda: self.clock, **{
                'retry_policy': POLICY, **options})

    def publish(self, *filenames):
        for filename in filenames:
            gocept.filestore.testing.publish(self.store, filename, filename)

    def assertNames(self, **names):
        self.assertEqual(names, gocept.filestore.testing.names(self.store))

    @contextlib.contextmanager
    def events(self):
        """Give a list of the names of events that are sent in the block."""
        told = []

        def subscriber(event):
            told.append((type(event).__name__, event.filename))

        with self.subscribed(subscriber):
            yield told

    @contextlib.contextmanager
    def subscribed(self, subscriber):
        zope.event.subscribers.append(subscriber)
        try:
            yield
        finally:
            zope.event.subscribers.remove(subscriber)

    def broken(self):
        """Let a subscriber fail in the block."""
        def subscriber(event):
            raise RuntimeError('broken')

        return self.subscribed(subscriber)

    @contextlib.contextmanager
    def dropping(self):
        """Let claims be dropped in the block, without a warning."""
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', ResourceWarning)
            yield
            gc.collect()


class Store(Case):

    def test_attributes(self):
        self.assertTrue(zope.interface.verify.verifyObject(
            gocept.filestore.interfaces.IFileStore, self.store))
        self.assertEqual(
            ('store', ('tmp', 'new', 'cur'), False, None, None, None, None),
            (self.store.path, self.store.sub_dirs, self.store.durable,
             self.store.file_mode, self.store.directory_mode,
             self.store.quiet, self.store.in_doubt))
        self.assertIs(POLICY, self.store.retry_policy)
        self.assertEqual(
            5, self.open_store(retry_policy=None).retry_policy.attempts)

    def test_each_verb_wants_it_prepared(self):
        store = self.open_store()
        for verb, *args in (
                ('create', 'a'), ('copy', 'a', 'new', 'cur'),
                ('move', 'a', 'new', 'cur'), ('remove', 'a', 'new'),
                ('list', 'work'), ('claim',), ('settle', True),
                ('failures',), ('retry', 'a'), ('clean', 'tmp'),
                ('status',)):
            with self.assertRaises(
                    gocept.filestore.interfaces.NotPrepared, msg=verb):
                getattr(store, verb)(*args)
        for publication in store.publish(), store.batch().publish():
            with self.assertRaises(gocept.filestore.interfaces.NotPrepared):
                publication.__enter__()

    def test_prepares_itself(self):
        store = self.open_store(prepare=True)
        self.assertIsNone(store.claim())
        self.assertEqual([], store.list('voted'))

    def test_clean_goes_by_age(self):
        for name in 'ab':
            self.store.create(name).close()
            self.clock += 10
        self.assertEqual(['a'], self.store.clean('tmp', 15))
        self.assertEqual([], self.store.clean('tmp'))
        with self.assertRaises(ValueError):
            self.store.clean('cur')
        for verb, *args in ('clean', 'new', 0), ('list', 'old'):
            with self.assertRaises(gocept.filestore.interfaces.InvalidSpace):
                getattr(self.store, verb)(*args)

    def test_status(self):
        self.publish('a')
        self.clock += 5
        self.assertEqual(
            {'files': 1, 'bytes': 1, 'oldest': 5},
            self.store.status()['spaces']['new'])
        self.store.claim().fail(gocept.filestore.interfaces.Retry(after=7))
        self.clock += 2
        self.assertEqual(
            {'files': 1, 'next': 5}, self.store.status()['waiting'])
        self.clock += 10
        self.assertEqual(0, self.store.status()['waiting']['next'])
        with self.store.claim() as claim:
            self.assertEqual(
                [{'filename': 'a', 'age': 12, 'attempt': 2, 'alive': True}],
                self.store.status()['claims'])
            self.assertEqual(2, claim.attempt)

    def test_failures(self):
        for text in 'one', 'two':
            gocept.filestore.testing.publish(self.store, 'a', text)
            self.store.claim().fail(
                gocept.filestore.interfaces.Reject(text))
            self.clock += 1
        self.assertEqual(
            [('a.~1~', 1, 'Reject: one'), ('a', 1, 'Reject: two')],
            [(failure['filename'], failure['attempts'], failure['error'])
             for failure in self.store.failures()])
        self.store.retry('a.~1~')
        self.assertNames(new=['a'], failed=['a'])
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            self.store.retry('a')

    def test_retry_of_what_does_not_wait(self):
        self.publish('a')
        with self.store.claim():
            for name in 'ab':
                with self.assertRaises(
                        gocept.filestore.interfaces.NoSuchFile):
                    self.store.retry(name)

    def test_retry_of_what_waits(self):
        self.publish('a')
        self.store.claim().fail(gocept.filestore.interfaces.Retry(after=9))
        self.assertIsNone(self.store.claim())
        self.store.retry('a')
        with self.store.claim() as claim:
            self.assertEqual(1, claim.attempt)

    def test_retry_of_a_name_that_was_cut_short(self):
        names = [255 * 'a', 'b', 'c']
        self.publish(*names)
        for claim in self.store.claims():
            claim.fail(gocept.filestore.interfaces.Reject('no'))
        self.publish(names[0])
        self.store.claim().fail(gocept.filestore.interfaces.Reject('no'))
        [cut] = [failure['filename'] for failure in self.store.failures()
                 if failure['filename'].endswith('.~1~')]
        self.store.retry(cut)
        with self.store.claim() as claim:
            self.assertEqual(names[0], claim.filename)

    def test_moving_a_file_onto_itself(self):
        self.publish('a')
        self.store.move('a', 'new', 'new')
        self.assertNames(new=['a'])
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            self.store.move('a', 'new', 'new', replace=False)

    def test_copies_are_files_of_their_own(self):
        self.publish('a')
        self.store.copy('a', 'new', 'tmp')
        with self.store.create('a', 'a') as file:
            file.write('b')
        with self.store.claim() as claim, claim.open() as file:
            self.assertEqual('a', file.read())
        self.assertEqual(
            'ab', gocept.filestore.testing.read(self.store, 'tmp', 'a'))

    def test_selections(self):
        self.publish('b', 'a')
        claim = self.store.select(order='name').claim()
        self.assertEqual('a', claim.filename)
        claim.release()
        with self.assertRaises(ValueError):
            self.store.select(order='size')
        with self.assertRaises(TypeError):
            self.store.select('*')
        once = self.store.select(
            ['a'], retry_policy=gocept.filestore.tests.case.ONCE)
        for claim in once.claims():
            claim.fail('no')
        self.assertNames(new=['b'], failed=['a'])

    def test_intake_needs_a_disk(self):
        with self.assertRaises(NotImplementedError):
            self.store.intake('folder')


class Drafts(Case):

    def write(self, mode, data, **options):
        with self.store.create('a', mode, **options) as file:
            file.write(data)

    def content(self):
        return gocept.filestore.testing.read(self.store, 'tmp', 'a', 'rb')

    def test_modes(self):
        self.write('wb', b'\xff\n')
        self.assertEqual(b'\xff\n', self.content())
        self.write('w', 'ä\n', newline='\r\n')
        self.assertEqual(b'\xc3\xa4\r\n', self.content())
        self.write('w', 'ä', encoding='latin-1')
        self.assertEqual(b'\xe4', self.content())
        self.write('ab', b'b')
        self.write('r+b', b'a')
        self.assertEqual(b'ab', self.content())
        self.write('w', '')
        self.assertEqual(b'', self.content())

    def test_appends_at_the_end_wherever_it_stands(self):
        self.write('a', 'a')
        with self.store.create('a', 'a+b') as file:
            file.seek(0)
            file.write(b'b')
            file.seek(0)
            self.assertEqual(b'ab', file.read())

    def test_looks_like_a_file(self):
        with self.store.create('a') as file:
            self.assertEqual(('store/tmp/a', 'w'), (file.name, file.mode))
            with self.assertRaises(io.UnsupportedOperation):
                file.read()
        with self.store.create('a', 'wb') as file:
            self.assertEqual(('store/tmp/a', 'wb'), (file.name, file.mode))

    def test_bad_modes(self):
        for mode in 'r', 'wx', 'w+a', 'wbt':
            with self.assertRaises(ValueError, msg=mode):
                self.store.create('a', mode)
        with self.assertRaises(ValueError):
            self.store.publish('a', 'a')
        with self.assertRaises(LookupError):
            self.store.create('a', encoding='nonsense')
        self.assertNames()

    def test_what_is_there(self):
        for mode in 'r+', 'r+b':
            with self.assertRaises(gocept.filestore.interfaces.NoSuchFile):
                self.store.create('a', mode)
        self.write('x', 'a')
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            self.store.create('a', 'x')

    def test_in_use(self):
        with self.store.create('a') as file:
            file.write('text')
            file.flush()
            for verb, *args in (
                    ('create', 'a'), ('create', 'a', 'a'),
                    ('move', 'a', 'tmp', 'new'),
                    ('copy', 'a', 'tmp', 'new'), ('remove', 'a', 'tmp')):
                with self.assertRaises(
                        gocept.filestore.interfaces.DraftInUse, msg=verb):
                    getattr(self.store, verb)(*args)
            self.assertEqual([], self.store.clean('tmp', 0))
            self.assertEqual(4, self.store.status()['spaces']['tmp']['bytes'])
            file.close()
        self.assertEqual(['a'], self.store.clean('tmp', 0))

    def test_closed_twice(self):
        with self.store.create('a', 'wb') as file:
            raw = file.raw
        raw.close()
        self.assertEqual(b'', self.content())

    def test_dropped(self):
        file = self.store.create('a', 'wb')
        file.write(b'text')
        with self.dropping():
            del file
        self.assertEqual(b'text', self.content())


class Publications(Case):

    def test_unique_names_sort_by_time(self):
        names = [self.store.publish().filename for _ in range(3)]
        self.assertEqual(sorted(set(names)), names)

    def test_error_inside(self):
        with self.assertRaises(ValueError), self.store.publish('a') as file:
            raise ValueError(file.name)
        self.assertNames()

    def test_used_once(self):
        publication = self.store.publish('a')
        with publication:
            pass
        with self.assertRaises(gocept.filestore.interfaces.Settled):
            publication.__enter__()

    def test_closed_inside_and_cleaned(self):
        with self.assertRaises(gocept.filestore.interfaces.NoSuchFile):
            with self.store.publish('a') as file:
                file.close()
                self.store.clean('tmp', 0)
        self.assertNames()

    def test_detached(self):
        with self.assertRaises(ValueError):
            with self.store.publish('a') as file:
                file.detach()
        self.assertNames()

    def test_errors_of_subscribers_undo_nothing(self):
        with self.assertRaises(RuntimeError), self.broken():
            self.publish('a')
        self.assertNames(new=['a'])


class Claims(Case):

    def setUp(self):
        super().setUp()
        self.publish('a')
        self.claim = self.store.claim()
        self.addCleanup(self.settle)

    def settle(self):
        with contextlib.suppress(gocept.filestore.interfaces.Settled):
            self.claim.release()

    def test_object(self):
        self.assertTrue(zope.interface.verify.verifyObject(
            gocept.filestore.interfaces.IClaim, self.claim))
        self.assertEqual(
            "<gocept.filestore.memory_claim.Claim of 'store/work/a', "
            "attempt 1>", repr(self.claim))

    def test_open(self):
        for mode, content in (('r', 'a'), ('rb', b'a')):
            with self.claim.open(mode) as one, self.claim.open(mode) as two:
                self.assertEqual(
                    (content, content), (one.read(), two.read()))
                self.assertEqual('store/work/a', one.name)
                with self.assertRaises(io.UnsupportedOperation):
                    one.write(content)
        with self.assertRaises(ValueError):
            self.claim.open('r+')

    def test_settled_once(self):
        self.claim.finish()
        for call in (
                self.claim.finish, self.claim.release, self.claim.fileno,
                self.claim.open, self.claim.__enter__,
                lambda: self.claim.fail('no')):
            with self.assertRaises(gocept.filestore.interfaces.Settled):
                call()

    def test_no_descriptor(self):
        with self.assertRaises(io.UnsupportedOperation):
            self.claim.fileno()

    def test_block(self):
        with self.claim:
            self.claim.fail(gocept.filestore.interfaces.Retry(after=0))
        self.claim = self.store.claim()
        with self.assertRaises(KeyboardInterrupt), self.claim:
            raise KeyboardInterrupt
        self.assertNames(new=['a'])
        self.claim = self.store.claim()
        with self.assertRaises(ValueError), self.claim:
            raise ValueError('no')
        self.assertNames(work=['a'])

    def test_one_name_one_file(self):
        self.publish('a', 'b')
        with self.store.claim() as claim:
            self.assertEqual('b', claim.filename)
        self.assertIsNone(self.store.claim())

    def test_released_behind_a_newer_one(self):
        self.publish('a')
        self.claim.release()
        self.assertNames(new=['a'], work=['a'])
        with self.events() as told, self.store.claim() as claim:
            self.assertEqual(1, claim.attempt)
        self.assertEqual([('TakenOver', 'a'), ('Finished', 'a')], told)

    def test_dropped(self):
        with self.assertWarns(ResourceWarning):
            del self.claim
            gc.collect()
        self.assertEqual(
            [False],
            [claim['alive'] for claim in self.store.status()['claims']])
        self.claim = self.store.claim()
        self.assertEqual(2, self.claim.attempt)

    def test_given_up_after_its_last_death(self):
        self.publish('a')
        for _ in range(POLICY.attempts):
            with self.dropping():
                self.claim = None
            with self.events() as told:
                self.claim = self.store.claim()
        self.assertEqual([('GivenUp', 'a'), ('Claimed', 'a')], told)
        self.assertNames(work=['a'], failed=['a'])

    def test_errors_of_subscribers_release(self):
        self.claim.release()
        with self.assertRaises(RuntimeError), self.broken():
            self.store.claim()
        self.assertNames(new=['a'])

    def test_errors_of_subscribers_when_none_is_claimed(self):
        store = self.store.select(
            retry_policy=gocept.filestore.tests.case.ONCE)
        with self.dropping():
            self.claim = None
        with self.assertRaises(RuntimeError), self.broken():
            store.claim()
        self.assertNames(failed=['a'])
        self.claim = store.claim()
        self.assertIsNone(self.claim)
        self.claim = self.retried()

    def retried(self):
        self.store.retry('a')
        return self.store.claim()

    def test_errors_of_policies(self):
        class Broken:
            def delay(self, attempt, error):
                raise RuntimeError('broken')

        self.claim.release()
        self.claim = self.store.select(retry_policy=Broken()).claim()
        with self.assertRaises(RuntimeError):
            self.claim.fail('no')
        self.assertNames(work=['a'])

    def test_exactly_one_thread_gets_a_file(self):
        self.claim.finish(keep=False)
        names = ['%03d' % number for number in range(300)]
        got = []

        def work():
            while len(got) < len(names):
                for claim in self.store.claims():
                    got.append(claim.filename)
                    claim.finish()

        workers = [threading.Thread(target=work) for _ in range(4)]
        writers = [threading.Thread(target=self.publish, args=names[part::2])
                   for part in range(2)]
        for thread in workers + writers:
            thread.start()
        for thread in workers + writers:
            thread.join(60)
        self.assertEqual(names, sorted(got))
        self.assertNames(cur=names)

    def test_consumer(self):
        self.claim.release()
        gocept.filestore.consumer.Consumer(
            self.store, lambda claim: None).drain()
        self.assertNames(cur=['a'])


class Watch(Case):

    def test_bad_numbers(self):
        for poll in 0, -1, float('inf'), float('nan'):
            with self.assertRaises(ValueError):
                self.store.watch(poll)

    def test_woken(self):
        watch = self.store.watch(poll=60)
        self.assertIsNone(watch.notifies)
        self.assertIs(watch, iter(watch))
        timer = threading.Timer(0.05, self.publish, 'a')
        timer.start()
        next(watch).finish()
        timer.join()
        self.assertTrue(watch.notifies)
        self.publish('b', 'c')
        for name in 'bc':
            with next(watch) as claim:
                self.assertEqual(name, claim.filename)

    def test_looks_from_time_to_time(self):
        self.publish('a')
        self.store.claim().fail(gocept.filestore.interfaces.Retry(after=9))
        timer = threading.Timer(0.05, setattr, [self, 'clock', 2000])
        timer.start()
        next(self.store.watch(poll=0.01)).finish()
        timer.join()

    def test_stopped(self):
        watch = self.store.watch(poll=60)
        timer = threading.Timer(0.05, watch.stop)
        timer.start()
        self.assertEqual([], list(watch))
        timer.join()
        self.assertTrue(watch.is_stopped)
        watch.stop('signal', 'frame')
        watch.pause(60)  # not at all

    def test_pause(self):
        watch = self.store.watch()
        self.publish('a')
        begin = time.monotonic()
        watch.pause(-1)
        watch.pause(0.05)
        self.assertGreaterEqual(time.monotonic() - begin, 0.05)


class Batches(Case):

    def voted(self, *filenames, two_phase=True, replace=False):
        batch = self.store.batch(two_phase)
        for filename in filenames:
            with batch.publish(filename, replace=replace) as file:
                file.write('batch')
        batch.vote()
        return batch

    def test_wrong_claims(self):
        other = self.open_store('other', prepare=True)
        gocept.filestore.testing.publish(other, 'a')
        claim = other.claim()
        batch = self.store.batch()
        with self.assertRaises(gocept.filestore.interfaces.ForeignClaim):
            batch.finish(claim)
        claim.finish()
        with self.assertRaises(gocept.filestore.interfaces.Settled):
            other.batch().finish(claim)
        with self.assertRaises(TypeError):
            batch.finish('a')

    def test_twice(self):
        self.publish('a')
        claim = self.store.claim()
        gocept.filestore.testing.publish(self.store, 'b')
        batch = self.store.batch()
        for _ in range(2):
            with contextlib.suppress(gocept.filestore.interfaces.NameTaken):
                with batch.publish('a'):
                    pass
            with contextlib.suppress(gocept.filestore.interfaces.Settled):
                batch.finish(claim)
            with contextlib.suppress(gocept.filestore.interfaces.NoSuchFile):
                batch.remove('b', 'new')
        self.assertEqual(3, batch.savepoint())
        batch.abort()
        batch.abort()
        self.assertNames(new=['b'], work=['a'])
        claim.finish()

    def test_only_what_was_voted_on_is_committed(self):
        self.publish('a')
        batch = self.store.batch()
        with batch.publish('a'):
            pass
        with self.assertRaises(gocept.filestore.interfaces.Settled):
            batch.commit()
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            batch.vote()
        with self.assertRaises(gocept.filestore.interfaces.Settled):
            batch.commit()
        batch.abort()
        self.assertNames(new=['a'])
        self.assertEqual([], self.store.list('voted'))

    def test_without_parts(self):
        with self.store.batch() as batch:
            pass
        for call in batch.vote, batch.commit, batch.publish, batch.savepoint:
            with self.assertRaises(gocept.filestore.interfaces.Settled):
                call()
        batch = self.store.batch()
        with self.assertRaises(ValueError), batch:
            raise ValueError('no')

    def test_bad_arguments(self):
        batch = self.store.batch()
        with self.assertRaises(gocept.filestore.interfaces.InvalidSpace):
            batch.remove('a', 'tmp')
        with self.assertRaises(gocept.filestore.interfaces.InvalidName):
            batch.publish('.a')
        with self.assertRaises(gocept.filestore.interfaces.NoSuchFile):
            batch.remove('a', 'new')

    def test_one_name_in_two(self):
        first = self.voted('a')
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            with self.store.batch() as batch, batch.publish('a'):
                pass
        self.voted('a', replace=True).commit()
        first.abort()
        self.assertNames(new=['a'])

    def test_vote_looks_at_drafts_and_claims(self):
        batch = self.store.batch()
        with batch.publish('a'):
            pass
        self.store.clean('tmp', 0)
        with self.assertRaises(gocept.filestore.interfaces.NoSuchFile):
            batch.vote()
        batch.abort()
        self.publish('b')
        claim = self.store.claim()
        batch = self.store.batch()
        batch.finish(claim)
        claim.release()
        with self.assertRaises(gocept.filestore.interfaces.Settled):
            batch.vote()

    def test_drafts_are_not_cleaned_from_the_vote_on(self):
        batch = self.voted('a')
        self.assertEqual([], self.store.clean('tmp', 0))
        batch.commit()
        self.assertNames(new=['a'])

    def test_nobody_gets_what_is_to_be_removed(self):
        self.publish('a', 'b')
        self.store.move('b', 'new', 'cur')
        batches = []
        for _ in range(2):
            batch = self.store.batch()
            batch.remove('b', 'cur')
            batches.append(batch)
        batches[0].remove('a', 'new')
        batches[0].vote()
        self.assertIsNone(self.store.claim())
        self.assertEqual([], self.store.clean('cur', 0))
        with self.assertRaises(gocept.filestore.interfaces.NoSuchFile):
            batches[1].vote()
        batches[0].abort()
        self.assertNames(new=['a'], cur=['b'])
        self.assertEqual(['b'], self.store.clean('cur', 0))

    def test_removed_by_hand_meanwhile(self):
        self.publish('a')
        self.store.move('a', 'new', 'cur')
        batch = self.store.batch()
        batch.remove('a', 'cur')
        batch.vote()
        self.store.remove('a', 'cur')
        batch.commit()
        self.assertNames()

    def test_one_of_its_name_in_work(self):
        self.publish('a')
        with self.store.claim():
            self.publish('a')
            batch = self.store.batch()
            batch.remove('a', 'new')
            with self.assertRaises(gocept.filestore.interfaces.NameTaken):
                batch.vote()
            batch.abort()
        self.assertNames(new=['a'], cur=['a'])

    def test_settled_after_the_vote(self):
        self.publish('a')
        claim = self.store.claim()
        batch = self.store.batch()
        batch.finish(claim)
        with batch.publish('b'):
            pass
        batch.vote()
        claim.release()
        with self.assertRaises(gocept.filestore.interfaces.Settled):
            batch.commit()
        with self.events() as told:
            self.store.claim().release()
        self.assertIn(('Published', 'b'), told)
        self.assertNames(new=['a', 'b'])

    def test_whoever_was_faster_goes_first(self):
        batch = self.voted('a', 'b')
        self.publish('a')
        with self.events() as told:
            batch.commit()
        self.assertEqual([], told)
        self.assertNames(tmp=self.drafts(), new=['a', 'b'])
        [intent] = self.store.status()['intents']
        self.assertEqual(
            (True, ['a', 'b']), (intent['decided'], intent['publish']))
        self.assertEqual(1, len(self.store.list('committed')))
        with self.events() as told:
            for claim in self.store.claims():
                claim.finish(keep=False)
        self.assertEqual(2, told.count(('Claimed', 'a')))
        self.assertEqual([], self.store.status()['intents'])

    def drafts(self):
        return list(map(os.path.basename, self.store.list('tmp')))


class InDoubt(Case):
    """A batch that was dropped after its vote."""

    def setUp(self):
        super().setUp()
        self.publish('claimed', 'done')
        self.store.move('done', 'new', 'cur')
        self.publish('waiting')

    def leave(self, two_phase=True):
        """Drop a batch, and return its claim."""
        claim = self.store.claim()
        batch = self.store.batch(two_phase)
        with batch.publish('a') as file:
            file.write('batch')
        batch.finish(claim)
        batch.remove('done', 'cur')
        batch.remove('waiting', 'new')
        batch.vote()
        return claim

    def test_shown(self):
        claim = self.leave()
        self.clock += 5
        [intent] = self.store.status()['intents']
        self.assertEqual(
            [intent.pop('intent')],
            list(map(os.path.basename, self.store.list('voted'))))
        self.assertEqual(
            {'age': 5, 'decided': False, 'publish': ['a'],
             'finish': ['claimed'], 'remove': ['done', 'waiting']}, intent)
        self.assertIsNone(self.store.claim())
        self.assertEqual(1, len(self.store.settle(True)))
        with self.assertRaises(gocept.filestore.interfaces.Settled):
            claim.finish()

    def test_committed(self):
        self.leave()
        self.assertEqual(1, len(self.store.settle(True)))
        self.assertNames(new=['a'], cur=['claimed'])
        self.assertEqual([], self.store.settle(True))

    def test_aborted(self):
        claim = self.leave()
        self.assertEqual(1, len(self.store.settle(False)))
        self.assertNames(work=['claimed', 'waiting'], cur=['done'])
        with self.store.claim() as other:
            self.assertEqual('waiting', other.filename)
        claim.release()
        self.assertEqual(['waiting', 'done'], self.store.clean('cur', 0)[::-1])

    def test_by_policies(self):
        for in_doubt, names in (
                ('commit', {'new': ['a'], 'cur': ['claimed']}),
                ('abort', {'work': ['claimed', 'waiting'],
                           'cur': ['done']})):
            self.store = self.open_store(in_doubt=in_doubt, prepare=True)
            self.publish('claimed', 'done')
            self.store.move('done', 'new', 'cur')
            self.publish('waiting')
            claim = self.leave()
            self.store.publish()
            self.assertNames(**names)
            with contextlib.suppress(gocept.filestore.interfaces.Settled):
                claim.release()
        with self.assertRaises(ValueError):
            self.open_store(in_doubt='nonsense')

    def test_of_one_phase(self):
        claim = self.leave(two_phase=False)
        self.store.batch()
        self.assertNames(work=['claimed', 'waiting'], cur=['done'])
        claim.release()

    def test_by_name(self):
        claim = self.leave()
        [path] = self.store.list('voted')
        with self.assertRaises(TypeError):
            self.store.settle(True, 'nonsense')
        with self.assertRaises(gocept.filestore.interfaces.NoSuchFile):
            self.store.settle(True, ['nonsense'])
        name = os.path.basename(path)
        self.assertEqual([name], self.store.settle(False, [name]))
        claim.release()

    def test_what_has_gone(self):
        self.store = self.open_store(in_doubt='commit', prepare=True)
        self.publish('claimed', 'done')
        self.store.move('done', 'new', 'cur')
        self.publish('waiting')
        claim = self.leave()
        claim.release()
        self.publish('another')
        self.store.remove('claimed', 'new')
        with self.store.claim() as other:
            self.assertEqual('another', other.filename)
        for call in self.store.claim, lambda: self.store.settle(True):
            with self.assertRaisesRegex(
                    gocept.filestore.interfaces.NoSuchFile,
                    "'claimed' .* it has gone, so '.*' can not be committed"):
                call()
        self.store.settle(False)
        self.store.claim().finish()
        self.assertNames(cur=['another', 'done', 'waiting'])


class Transactions(Case):

    def setUp(self):
        super().setUp()
        self.manager = transaction.TransactionManager()
        self.files = gocept.filestore.datamanager.TransactionalFileStore(
            self.store, self.manager)

    def test_all_of_it_or_nothing(self):
        self.publish('a', 'b')
        self.store.move('b', 'new', 'cur')
        for end in self.manager.abort, self.manager.commit:
            with self.files.claim() as claim, claim.open() as file:
                self.assertEqual('a', file.read())
            self.files.remove('b', 'cur')
            with self.files.publish('c') as file:
                file.write('text')
            savepoint = self.manager.savepoint()
            with self.files.publish('d') as file:
                file.write('text')
            savepoint.rollback()
            end()
            names = gocept.filestore.testing.names(self.store)
            self.assertEqual(
                {'new': ['a'], 'cur': ['b']} if end == self.manager.abort
                else {'new': ['c'], 'cur': ['a']}, names)

    def test_settled_claims(self):
        self.publish('a')
        claim = self.files.claim()
        claim.fail('no paper')
        with self.assertRaises(gocept.filestore.interfaces.Settled):
            claim.__enter__()
        self.manager.abort()
        self.assertEqual(1, self.store.status()['waiting']['files'])

    def test_vote(self):
        self.publish('a')
        with self.files.publish('a'), self.files.publish('b'):
            pass
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            self.manager.commit()
        self.manager.abort()
        self.assertNames(new=['a'])
