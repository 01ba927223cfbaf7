import gc
import gocept.filestore.disk.lock
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import os
import unittest.mock
import warnings
import weakref


interfaces = gocept.filestore.interfaces
MEASURED = """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
"""


class BatchCase(gocept.filestore.tests.case.Case):

    def publish(self, batch, name, text='text', **options):
        with batch.publish(name, **options) as file:
            file.write(text)

    def claimed(self, name):
        self.put('new', name)
        return self.store.claim()

    def alone(self):
        with self.store.batch() as batch:
            self.publish(batch, 'a')

    def files(self):
        """Return what is there, less what is empty or unique."""
        found = self.tree()
        if 'tmp' in found:
            found['tmp'] = len(found['tmp'])
        return found

    def refuse(self, kind, text, action, *args, **options):
        with self.assertRaises(kind) as raised:
            action(*args, **options)
        self.assertIn(text, str(raised.exception))
        self.assertEqual(str(self.path), raised.exception.store)

    def dies(self, source, **options):
        """Let another process die at the end of a piece of Python."""
        child = self.child(**options)
        child.run(source)
        child.kill()


class Together(BatchCase):

    def test_all_of_it_happens_at_the_end(self):
        claims = [self.claimed(name) for name in 'xy']
        self.put('cur', 'old')
        with self.store.batch() as batch:
            self.publish(batch, 'a')
            self.publish(batch, 'b')
            batch.finish(claims[0])
            batch.finish(claims[1], keep=False)
            batch.remove('old', 'cur')
            self.assertEqual(
                {'tmp': 2, 'work': ['x', 'y'], 'cur': ['old']}, self.files())
        self.assertEqual({'new': ['a', 'b'], 'cur': ['x']}, self.files())
        self.assertEqual('text', self.read('new', 'a'))

    def test_an_error_undoes_all_of_it(self):
        self.put('cur', 'old')
        with self.assertRaises(ZeroDivisionError):
            with self.claimed('x') as claim, self.store.batch() as batch:
                self.publish(batch, 'a')
                batch.finish(claim)
                batch.remove(self.store.path + '/cur/old', 'cur')
                raise ZeroDivisionError('zero')
        self.assertEqual(
            {'work': ['x'], 'attempts': ['x'], 'cur': ['old']}, self.files())

    def test_where_the_disk_can_not_be_told_to_begin(self):
        self.store = self.open_store(durable=True)
        with unittest.mock.patch.object(os, 'posix_fadvise'):
            del os.posix_fadvise
            self.test_all_of_it_happens_at_the_end()

    def test_nothing_writes_nothing(self):
        with self.store.batch():
            pass
        self.assertEqual({'tmp', 'new', 'cur'}, set(os.listdir(self.path)))

    def test_durable(self):
        store = self.store = self.open_store(durable=True)
        claim = self.claimed('x')
        with store.batch() as batch:
            self.publish(batch, 'a')
            batch.finish(claim)
        self.assertEqual({'new': ['a'], 'cur': ['x']}, self.files())


class Errors(BatchCase):

    def test_store_that_is_not_prepared(self):
        store = gocept.filestore.filestore.FileStore(
            str(self.directory / 'none'))
        with self.assertRaises(interfaces.NotPrepared):
            with store.batch() as batch:
                self.publish(batch, 'a')

    def test_after_its_end(self):
        for end in (lambda batch: batch.abort(),
                    lambda batch: (batch.vote(), batch.commit())):
            batch = self.store.batch()
            late = batch.publish('late')
            open_one = batch.publish('open').__enter__()
            self.addCleanup(open_one.close)
            end(batch)
            for action in (batch.publish, batch.savepoint, batch.vote,
                           batch.commit, batch.__enter__, late.__enter__):
                self.refuse(interfaces.Settled, 'in the file store', action)
            self.refuse(interfaces.Settled, 'end', batch.finish, None)
            self.refuse(interfaces.Settled, 'end', batch.remove, 'a', 'cur')
            self.refuse(interfaces.Settled, 'end', batch.rollback, 0)

    def test_block_that_is_left_after_the_end(self):
        batch = self.store.batch()
        with self.assertRaises(interfaces.Settled):
            with batch.publish('a'):
                batch.vote()
                batch.commit()
        self.assertEqual({}, self.files())

    def test_between_vote_and_commit(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        batch.vote()
        for action in (batch.vote, batch.publish, batch.savepoint):
            self.refuse(interfaces.Settled, 'end', action)
        batch.commit()

    def test_commit_after_a_vote_that_has_failed(self):
        batch = self.store.batch()
        for name in ('a', 'b'):
            with batch.publish(name):
                self.put('new', 'a')
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            batch.vote()
        with self.assertRaises(gocept.filestore.interfaces.Settled):
            batch.commit()
        batch.abort()
        self.assertEqual({'new': ['a']}, self.tree())

    def test_commit_without_a_vote(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        self.refuse(interfaces.Settled, 'voted', batch.commit)
        batch.abort()

    def test_abort_is_legal_at_each_moment_and_twice(self):
        steps = (lambda batch: None,
                 lambda batch: self.publish(batch, 'a'),
                 lambda batch: batch.vote())
        for count in range(len(steps) + 1):
            batch = self.store.batch()
            for step in steps[:count]:
                step(batch)
            for _ in range(2):
                batch.abort()
                self.assertEqual({}, self.files())

    def test_abort_undoes_the_others_when_one_can_not_be(self):
        self.put('new', 'x')
        batch = self.store.batch()
        self.publish(batch, 'a')
        batch.remove('x', 'new')
        self.publish(batch, 'b')
        batch.vote()
        os.remove(self.path / 'work' / 'x')
        with self.assertRaises(interfaces.NoSuchFile):
            batch.abort()
        self.assertEqual({}, self.files())

    def test_abort_after_the_commit_does_nothing(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        batch.vote()
        batch.commit()
        batch.abort()
        self.assertEqual({'new': ['a']}, self.files())

    def test_forked_child(self):
        # It leaves the block as well, and must not touch what is ours.
        child = self.child()
        child.run(FORK)
        self.assertEqual({'new': ['a']}, self.files())


FORK = """
import os
status = []
with store.batch() as batch:
    with batch.publish('a') as file:
        _ = file.write('text')
    pid = os.fork()
    if pid == 0:
        try:
            batch.publish('b')
        except ValueError:
            pass
        batch.abort()
        batch.__exit__(None, None, None)
        os._exit(0)
    _ = os.waitpid(pid, 0)
"""


class Savepoints(BatchCase):

    def test_what_came_after_one_is_undone(self):
        claims = [self.claimed(name) for name in 'xy']
        self.put('cur', 'old')
        with self.store.batch() as batch:
            self.publish(batch, 'a')
            batch.finish(claims[0])
            savepoint = batch.savepoint()
            self.publish(batch, 'b')
            batch.finish(claims[1])
            batch.remove('old', 'cur')
            batch.rollback(savepoint)
            self.assertEqual(1, len(self.store.list('tmp')))
            self.publish(batch, 'b', 'again')
        self.assertEqual(
            {'new': ['a', 'b'], 'work': ['y'], 'cur': ['old', 'x']},
            self.files())
        self.assertEqual('again', self.read('new', 'b'))
        claims[1].release()

    def test_nested(self):
        with self.store.batch() as batch:
            first = batch.savepoint()
            self.publish(batch, 'a')
            second = batch.savepoint()
            self.publish(batch, 'b')
            batch.rollback(second)
            self.publish(batch, 'c')
            batch.rollback(second)
            batch.rollback(first)
            batch.rollback(first)
            self.publish(batch, 'd')
        self.assertEqual({'new': ['d']}, self.files())


class Dropped(BatchCase):
    """The last reference goes, without the garbage collector."""

    def setUp(self):
        super().setUp()
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    def lock_of(self, space):
        path, = self.store.list(space)
        return self.hold(space, os.path.basename(path))

    def hold(self, space, name):
        held = gocept.filestore.disk.lock.hold(self.store._layout[space], name)
        if held is None:
            return 'locked'
        held.release()
        return 'free'

    def test_voted(self):
        claim = self.claimed('x')
        self.put('cur', 'old')
        self.put('new', 'n')
        batch = self.store.batch(two_phase=True)
        self.publish(batch, 'a')
        batch.finish(claim)
        batch.remove('old', 'cur')
        batch.remove('n', 'new')
        batch.vote()
        places = (('cur', 'old'), ('work', 'n'),
                  ('voted', os.listdir(self.path / 'voted')[0]))
        self.assertEqual({'locked'}, {self.hold(*place) for place in places})
        del batch
        self.assertEqual({'free'}, {self.hold(*place) for place in places})
        # All of it is as if the process had died, but the claim.
        self.assertEqual(1, len(self.open_store().settle(True)))
        self.assertEqual({'new': ['a'], 'work': ['x']}, {
            name: files for name, files in self.files().items()
            if name != 'committed'})
        claim.finish()
        with self.open_store().batch():
            self.assertEqual({'new': ['a'], 'cur': ['x']}, self.files())

    def test_voted_and_nobody_else_is_to_decide(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        batch.vote()
        del batch
        self.assertIsNone(self.open_store().claim())
        self.assertEqual({}, self.files())

    def test_decided(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        batch.vote()
        batch._intent.mark()
        del batch
        self.open_store().claim().finish()
        self.assertEqual({'cur': ['a']}, self.files())

    def test_not_voted(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        with self.assertRaises(interfaces.NameTaken):
            self.publish(batch, 'a')
        del batch
        self.assertEqual({'tmp': 1}, self.files())
        self.assertEqual(1, len(self.store.clean('tmp', 0)))

    def test_with_an_open_publication(self):
        batch = self.store.batch()
        publication = batch.publish('a')
        publication.__enter__()
        del batch
        self.assertEqual('locked', self.lock_of('tmp'))
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', ResourceWarning)
            del publication
        self.assertEqual('free', self.lock_of('tmp'))

    def test_no_part_leads_back(self):
        for steps in (), ('vote',), ('vote', 'commit'), ('abort',):
            batch = self.store.batch()
            for space in 'new', 'cur':
                self.put(space, 'old')
                batch.remove('old', space)
            publication = batch.publish()
            with publication:
                pass
            for step in steps:
                getattr(batch, step)()
            found = weakref.ref(batch)
            del batch
            self.assertIsNone(found(), steps)
            for claim in self.open_store().claims():
                claim.finish()

    def test_in_a_forked_child(self):
        child = self.child()
        child.run(DROP)
        self.assertEqual([], self.store.settle(False))
        self.assertEqual(1, len(os.listdir(self.path / 'voted')))
        child.run('batch.commit()')
        self.assertEqual({'new': ['a']}, self.files())


DROP = """
import os
batch = store.batch(two_phase=True)
with batch.publish('a') as file:
    _ = file.write('text')
batch.vote()
pid = os.fork()
if pid == 0:
    del batch
    os._exit(0)
_ = os.waitpid(pid, 0)
"""


class Many(BatchCase):

    @gocept.filestore.tests.case.slow
    def test_take_few_descriptors_and_little_memory(self):
        child = self.child()
        child.run(MEASURED)
        descriptors, kibibytes = child.run(
            'before = peak()\n'
            'with store.batch() as batch:\n'
            '    for number in range(10000):\n'
            '        with batch.publish(str(number)) as file:\n'
            '            _ = file.write("text")\n'
            '    descriptors = len(os.listdir("/proc/self/fd"))\n'
            'answer = descriptors, peak() - before')
        self.assertEqual(10000, len(os.listdir(self.path / 'new')))
        self.assertLess(descriptors, 32)
        self.assertLess(kibibytes, 40 * 1024)
