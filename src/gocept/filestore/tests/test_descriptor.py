"""Descriptors that others close, and what then gets their numbers."""
import errno
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import os
import unittest.mock


# Close all that a store keeps open, or one space; something else may get the
# numbers.
TAKE = """
import contextlib, gc, os

def link(number):
    with contextlib.suppress(OSError):
        return os.readlink('/proc/self/fd/%s' % number)
    return ''

def opened(path):
    return [int(number) for number in os.listdir('/proc/self/fd')
            if link(number).startswith(path)]

def take(space=''):
    path = os.path.join(store.path, space)
    numbers = [number for number in opened(path) if os.path.isdir(
        link(number))] if one_by_one or space else range(
            3, max(opened(path), default=0) + 1)
    for number in numbers:
        with contextlib.suppress(OSError):
            os.close(number)
    for number in numbers if is_used_again else ():
        other = os.open(foreign, os.O_RDONLY)
        if other != number:
            os.dup2(other, number)
            os.close(other)
    taken.update(numbers if is_used_again else ())

def names(*spaces):
    return tuple(sorted(map(os.path.basename, store.list(space)))
                 for space in spaces)

taken = set()
foreign = os.path.dirname(store.path) + '/foreign'
with store.publish('0') as file:
    file.write('text')
store.claim().fail('no reason')
answer = []
"""
WAYS = ((False, False), (False, True), (True, False), (True, True))
NAMES = ['0', 'a', 'b', 'c']
KEPT = """
gc.collect()
answer = [number for number in opened(foreign) if number not in taken]
answer += [number for number in taken if link(number) != foreign]
"""
VERBS = """
take()
with store.publish('c') as file:
    file.write('c')
take()
store.copy('c', 'new', 'cur')
take()
store.claim().finish()
take()
store.clean('cur', -9)
take()
with store.batch() as batch:
    batch.remove('b', 'new')
take()
answer = names('new', 'work', 'cur')
"""
VOTED = """
for number in range(2):
    batch = store.batch()
    with batch.publish() as file:
        file.write('c')
    batch.vote()
    take()
    try:
        batch.commit()
    except ValueError:
        batch.abort()
answer = [len(each) for each in names('tmp', 'new')]
"""
PUBLISH = """
for number, space in enumerate(('tmp', 'new', 'new', 'tmp')):
    with store.publish(str(number), replace=number > 1) as file:
        file.write('c')
        take(space)
answer = names('tmp', 'new')
"""
CLAIMS = """
for number in range(20):
    with store.publish() as file:
        file.write('content')
for space in 'work', 'cur', 'new', 'attempts':
    for settle, where in [
            (lambda: claim.finish(), 'cur'),
            (lambda: claim.finish(keep=False), ''),
            (lambda: claim.fail('no reason'), 'work'),
            (lambda: claim.release(), 'new')]:
        claim = store.claim()
        with claim.open() as file:
            take(space)
            with claim.open() as file:
                assert file.read() == 'content'
        take(space)
        settle()
        assert where in ('', *(
            space for space in ('new', 'work', 'cur')
            if claim.filename in os.listdir(store.path + '/' + space)))
        with contextlib.suppress(FileNotFoundError):
            os.remove('%s/new/%s' % (store.path, claim.filename))
"""
WAITING = """
import threading

def publish():
    with store.publish() as file:
        file.write('text')

watch = store.watch(poll=60)
for number in range(5):
    if number > 1:
        threading.Timer(.05, publish).start()
    next(watch).finish()
    take()
answer = watch.notifies
watch.pause(0)
take()
watch.stop()
watch.pause(60)
"""
LOST = """
def tell(verb):
    global claim
    claim = store.claim()
    take()
    verbs = [lambda: claim.open(), lambda: claim.fileno(),
             lambda: claim.finish(), lambda: claim.finish(keep=False),
             lambda: claim.fail('no reason'), lambda: claim.release(),
             lambda: claim.__enter__()]
    if verb == len(verbs):
        return
    try:
        verbs[verb]()
    except OSError as error:
        return type(error).__name__, error.errno
answer = [tell(verb) for verb in range(8)]
"""


class Descriptors(gocept.filestore.tests.case.Case):
    """Nothing happens in a foreign directory, and all in ours."""

    options = {'durable': True}

    def each_way(self, source, expected, ways=WAYS):
        for one_by_one, is_used_again in ways:
            with self.subTest(one_by_one=one_by_one, again=is_used_again):
                self.doCleanups()
                self.setUp()
                child = self.prepared(one_by_one, is_used_again)
                self.assertEqual(expected, child.run(source))
                self.check_foreign(child)

    def prepared(self, *way):
        self.foreign = self.directory / 'foreign'
        self.foreign.mkdir()
        for name in NAMES:
            (self.foreign / name).write_text('foreign')
        child = self.child()
        child.run(TAKE)
        child.run('one_by_one, is_used_again = %r' % (way,))
        for name in 'ab':
            self.put('new', name)
        return child

    def check_foreign(self, child):
        """All that others have opened is still theirs, and as it was."""
        self.assertEqual(
            dict.fromkeys(NAMES, 'foreign'),
            {path.name: path.read_text() for path in self.foreign.iterdir()})
        for name in ('claim', 'batch', 'file', 'watch', 'store'):
            self.assertEqual([], child.run('%s = None\n%s' % (name, KEPT)))

    @gocept.filestore.tests.case.slow
    def test_verbs(self):
        self.each_way(VERBS, (['c'], ['0'], []))

    @gocept.filestore.tests.case.slow
    def test_batch_in_between(self):
        self.each_way(VOTED, [0, 4], WAYS[2:])
        self.each_way(VOTED, [0, 2], WAYS[:2])

    @gocept.filestore.tests.case.slow
    def test_publication_in_between(self):
        self.each_way(PUBLISH, ([], ['0', '1', '2', '3', 'a', 'b']),
                      WAYS[2:])

    @gocept.filestore.tests.case.slow
    def test_claim_in_between(self):
        self.each_way(
            CLAIMS, None, WAYS[2:])

    @gocept.filestore.tests.case.slow
    def test_watch(self):
        with self.no_blocking():
            self.each_way(WAITING, True, WAYS[:2])

    @gocept.filestore.tests.case.slow
    def test_claim_whose_lock_is_gone(self):
        self.each_way(LOST, [('ClaimLost', errno.EBADF)] * 7 + [None],
                      WAYS[:2])


STORES = """
import os, resource
from gocept.filestore import FileStore
resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))
os.chdir(os.path.dirname(store.path))
stores = [FileStore('s%s' % number, durable=False, prepare=True)
          for number in range(130)]
names = []
for number in range(2):
    for each in stores:
        with each.publish('a') as file:
            file.write('x')
        claim = each.claim()
        names.append(claim.filename)
        claim.finish()
answer = len(names), len(os.listdir('/proc/self/fd')) < 300
"""


class Many(gocept.filestore.tests.case.Case):

    @gocept.filestore.tests.case.slow
    def test_stores(self):
        self.assertEqual((260, True), self.child().run(STORES))


FORKS = """
import ctypes, os, threading, time

raw = ctypes.PyDLL(None).fork  # runs no hooks of Python

def forked(fork, work):
    pid = fork()
    if not pid:
        try:
            work()
        except BaseException as error:
            os._exit(error.errno if isinstance(error, OSError) else 99)
        os._exit(0)
    end = time.monotonic() + 120
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() > end:
            os.kill(pid, 9)
            return 'hangs'
        time.sleep(.001)
    return os.waitstatus_to_exitcode(ended[1])

def claim_one(files):
    claim = files.claim()
    claim and claim.release()
"""
THREADS = """
def loop():
    while not stop:
        claim_one(files)

stop = []
files = store.select(order='directory')
threads = [threading.Thread(target=loop) for number in range(3)]
for thread in threads:
    thread.start()
# Beside threads, only Python's own fork lets the child have the interpreter.
answer = {forked(os.fork, lambda: claim_one(files)) for number in range(40)}
stop.append(True)
for thread in threads:
    thread.join()
"""
PARENT = """
import gc, sys, transaction, warnings
from gocept.filestore.datamanager import TransactionalFileStore
warnings.simplefilter('ignore')

def refused(verb):
    try:
        verb()
    except ValueError:
        return True

def work():
    assert refused(claim.finish) and refused(claim.release)
    assert refused(lambda: claim.fail('no'))
    assert claim.open().read() == 'content'
    claim.__exit__(None, None, None)
    batch.abort()
    batch.__exit__(None, None, None)
    assert refused(batch.vote) and refused(batch.commit)
    transaction.abort()
    publication.__exit__(None, None, None)
    publication.__exit__(ValueError, ValueError(), None)
    globals().update(dict.fromkeys(['claim', 'batch', 'file', 'publication']))
    gc.collect()

answer = []
for fork in (os.fork, raw):
    claim, batch = store.claim(), store.batch()
    transactional = TransactionalFileStore(store)
    publication = store.publish()
    file = publication.__enter__()
    file.write('ours')
    with batch.publish() as draft:
        draft.write('ours')
    batch.vote()
    transactional.claim()
    with transactional.publish() as draft:
        draft.write('ours')
    answer.append(forked(fork, work))
    publication.__exit__(None, None, None)
    batch.commit()
    transaction.commit()
    claim.finish()
"""


class Forks(gocept.filestore.tests.case.Case):
    """A child does nothing for its parent, and waits for nobody."""

    @gocept.filestore.tests.case.slow
    def test_beside_threads_that_claim(self):
        for number in range(300):
            self.put('new', str(number))
        # A thread may hold a lock of coverage's at the moment of the fork, and
        # the child waits for it for ever: so nobody measures here.
        with unittest.mock.patch.dict(os.environ):
            for name in list(os.environ):
                if name.startswith('COVERAGE_'):
                    del os.environ[name]
            child = self.child()
        self.assertEqual({0}, child.run(FORKS + THREADS))

    def test_nothing_is_settled_for_the_parent(self):
        for name in 'abcd':
            self.put('new', name)
        child = self.child()
        self.assertEqual([0, 0], child.run(FORKS + PARENT))
        tree = self.tree()
        self.assertEqual({'new', 'cur'}, set(tree))
        self.assertEqual(['a', 'c'], tree['cur'])
        self.assertEqual(
            ['content'] * 2 + ['ours'] * 6,
            sorted(self.read('new', name) for name in tree['new']))


FEW_DESCRIPTORS = """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))
before = len(os.listdir('/proc/self/fd'))
answer = []
def count(*names):
    return [len(os.listdir(store.path + '/' + name)) for name in names]
"""
BATCH = FEW_DESCRIPTORS + """
for end in ('abort', 'commit'):
    batch = store.batch(two_phase=end == 'abort')
    for number in range(600):
        batch.remove(str(number), space)
    batch.vote()
    assert store.claim() is None
    getattr(batch, end)()
    answer.append(count(space, 'voted', 'committed'))
answer.append(len(os.listdir('/proc/self/fd')) - before < 8)
"""


MANY_CLAIMS = FEW_DESCRIPTORS + """
import contextlib, gocept.filestore.interfaces
for end in ('abort', 'commit'):
    batch = store.batch(two_phase=end == 'abort')
    claims = []
    for claim in store.claims():
        assert claim.attempt == 1, claim.attempt
        batch.finish(claim)
        claims.append(claim)
    batch.vote()
    assert store.claim() is None
    getattr(batch, end)()
    for claim in claims:
        with contextlib.suppress(gocept.filestore.interfaces.Settled):
            claim.release()
    answer.append(count('new', 'work', 'cur', 'voted', 'committed'))
answer.append(len(os.listdir('/proc/self/fd')) - before < 10)
"""


class Batches(gocept.filestore.tests.case.Case):

    @gocept.filestore.tests.case.slow
    def test_vote_that_is_refused(self):
        for number in range(600):
            self.put('new', str(number))
        self.put('work', '550')
        held = open(self.path / 'work' / '550')
        self.addCleanup(held.close)
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            with self.store.batch() as batch:
                for number in range(600):
                    batch.remove(str(number), 'new')
        self.assertEqual(
            {'new': 600, 'work': 1},
            {name: len(names) for name, names in self.tree().items()
             if name != 'attempts'})

    @gocept.filestore.tests.case.slow
    def test_process_that_dies_after_the_vote(self):
        for number in range(600):
            self.put('new', str(number))
        child = self.child()
        child.run('batch = store.batch()\n'
                  'for number in range(600):\n'
                  '    batch.remove(str(number), "new")\n'
                  'batch.vote()')
        self.assertIsNone(self.store.claim())
        child.kill()
        self.assertEqual(600, len({
            claim.filename for claim in self.store.claims()
            if claim.finish(keep=False) is None}))

    @gocept.filestore.tests.case.slow
    def test_removals(self):
        for space in ('new', 'cur'):
            for number in range(600):
                self.put(space, str(number))
            self.assertEqual(
                [[600, 0, 0], [0, 0, 0], True],
                self.child().run('space = %r\n' % space + BATCH))

    def publish(self, most):
        for number in range(most):
            self.put('new', str(number))

    @gocept.filestore.tests.case.slow
    def test_claims(self):
        self.publish(600)
        self.assertEqual(
            [[600, 0, 0, 0, 0], [0, 0, 600, 0, 0], True],
            self.child().run(MANY_CLAIMS))

    @gocept.filestore.tests.case.slow
    def test_claims_of_who_dies_before_the_vote(self):
        self.publish(300)
        child = self.child()
        child.run('batch = store.batch()\n'
                  'for claim in store.claims():\n'
                  '    batch.finish(claim)')
        self.assertIsNone(self.store.claim())
        child.kill()
        self.assertEqual([2] * 300, [
            claim.attempt for claim in self.store.claims()
            if claim.finish() is None])

    def test_claims_that_are_rolled_back(self):
        self.publish(252)
        batch, claims = self.store.batch(), self.store.claims()
        batch.finish(next(claims))
        savepoint = batch.savepoint()
        kept = next(claims)
        batch.finish(kept)
        batch.rollback(savepoint)
        for claim in claims:
            batch.finish(claim)
        claim = None
        kept.finish()  # it is not one of them
        batch.vote()
        batch.commit()
        self.assertEqual(252, len(self.tree()['cur']))

    def test_claim_that_is_settled_meanwhile(self):
        self.publish(250)
        batch, claims = self.store.batch(), list(self.store.claims())
        for claim in claims[:-1]:
            batch.finish(claim)
        claims[0].release()
        with self.assertRaises(gocept.filestore.interfaces.Settled):
            batch.finish(claims[-1])
        batch.abort()
        for claim in claims[1:]:
            claim.release()

    def test_claim_that_somebody_takes_by_hand(self):
        self.publish(248)
        self.put('cur', 'old')
        batch = self.store.batch()
        with batch.publish('text'):
            pass
        batch.remove('old', 'cur')
        for claim in self.store.claims():
            batch.finish(claim)
        (self.path / 'work' / '7').unlink()
        batch.abort()
        found = self.tree()
        self.assertEqual((247, ['old'], None), (
            len(found['new']), found['cur'], found.get('work')))
