import gc
import gocept.filestore.batch.tests.test_batch
import gocept.filestore.datamanager
import gocept.filestore.filestore
import gocept.filestore.interfaces
import logging
import os
import threading
import transaction
import transaction.interfaces
import warnings
import ZODB
import ZODB.FileStorage
import zope.interface.verify


interfaces = gocept.filestore.interfaces


class DataManagerCase(gocept.filestore.batch.tests.test_batch.BatchCase):

    def setUp(self):
        super().setUp()
        self.manager = transaction.TransactionManager()
        self.files = self.joining(self.store)

    def joining(self, store):
        return gocept.filestore.datamanager.TransactionalFileStore(
            store, self.manager)

    def publish(self, name, text='text', files=None, **options):
        super().publish(files or self.files, name, text, **options)

    def join(self, *args, **answers):
        other = Other(*args, **answers)
        self.manager.get().join(other)
        return other


@zope.interface.implementer(transaction.interfaces.IDataManager)
class Other:
    """Another part of the transaction, which may say no."""

    def __init__(self, sort_key, **errors):
        self._sort_key = sort_key
        self._errors = errors
        self.seen = []

    def sortKey(self):
        return self._sort_key

    def _called(self, name):
        self.seen.append(name)
        if name in self._errors:
            raise self._errors[name]

    def abort(self, transaction):
        self._called('abort')

    def tpc_begin(self, transaction):
        self._called('tpc_begin')

    def commit(self, transaction):
        self._called('commit')

    def tpc_vote(self, transaction):
        self._called('tpc_vote')

    def tpc_finish(self, transaction):
        self._called('tpc_finish')

    def tpc_abort(self, transaction):
        self._called('tpc_abort')


class Outcome(DataManagerCase):

    def test_commit(self):
        self.put('new', 'x')
        self.put('new', 'y')
        self.put('cur', 'old')
        self.publish('a')
        with self.files.claim():
            pass
        self.files.finish(self.files.claim(), keep=False)
        self.files.remove('old', 'cur')
        self.assertEqual(
            {'tmp': 1, 'work': ['x', 'y'], 'cur': ['old']}, self.files_())
        self.manager.commit()
        self.assertEqual({'new': ['a'], 'cur': ['x']}, self.files_())

    def files_(self):
        return gocept.filestore.batch.tests.test_batch.BatchCase.files(self)

    def test_in_one_call(self):
        self.put('new', 'x', 'ours')
        with self.files.claim() as claim:
            self.assertEqual(b'ours', claim.read_bytes())
            self.assertEqual('ours', claim.read_text())
        self.files.write_text('a', 'text')
        self.files.write_bytes('b', b'bytes')
        self.assertEqual({'tmp': 2, 'work': ['x']}, self.files_())
        self.manager.commit()
        self.assertEqual({'new': ['a', 'b'], 'cur': ['x']}, self.files_())

    def test_abort(self):
        self.put('new', 'x')
        self.put('cur', 'old')
        self.publish('a')
        with self.files.claim():
            pass
        self.files.remove('old', 'cur')
        self.manager.abort()
        self.assertEqual({'new': ['x'], 'cur': ['old']}, self.files_())
        with self.store.claim() as claim:
            self.assertEqual(1, claim.attempt)

    def test_each_transaction_is_another_one(self):
        for number in range(3):
            self.publish(str(number))
            (self.manager.abort if number == 1 else self.manager.commit)()
        self.assertEqual({'new': ['0', '2']}, self.files_())

    def test_nothing_is_claimed(self):
        self.assertIsNone(self.files.claim())
        self.manager.commit()

    def test_claim_that_was_not_finished_waits_again(self):
        self.put('new', 'x')
        self.assertEqual('x', self.files.claim().filename)
        self.publish('a')
        self.manager.commit()
        self.assertEqual({'new': ['a', 'x']}, self.files_())

    def test_error_in_the_block_counts_no_attempt(self):
        self.put('new', 'x')
        with self.assertRaises(ZeroDivisionError):
            with self.files.claim():
                raise ZeroDivisionError('zero')
        self.manager.abort()
        self.assertEqual({'new': ['x']}, self.files_())

    def test_attempt_that_the_caller_counts(self):
        for end in self.manager.abort, self.manager.commit:
            path = self.put('new', 'x')
            with self.files.claim() as claim:
                claim.fail('no paper')
            end()
            self.assertEqual(
                {'work': ['x'], 'attempts': ['x']}, self.files_())
            self.store.retry('x')
            self.store.claim().finish(keep=False)
            self.assertFalse(path.exists())

    def test_settled_by_hand_in_the_block(self):
        for verb, outcome in (('release', {'new': ['x']}),
                              ('finish', {'cur': ['x']})):
            self.put('new', 'x')
            with self.files.claim() as claim:
                getattr(claim, verb)()
            self.manager.commit()
            self.assertEqual(outcome, self.files_())

    def test_commit_inside_the_block_is_told(self):
        self.put('new', 'x')
        with self.assertRaises(interfaces.Settled):
            with self.files.claim():
                self.manager.commit()
        self.assertEqual({'new': ['x']}, self.files_())

    def test_claim_that_was_made_outside_stays_with_the_caller(self):
        claim = self.claimed('x')
        self.files.finish(claim)
        self.manager.abort()
        self.assertEqual({'work': ['x']}, self.files_())
        self.files.finish(claim)
        self.manager.commit()
        self.assertEqual({'cur': ['x']}, self.files_())

    def test_facts_of_a_claim(self):
        self.put('new', 'x', 'content')
        claim = self.files.claim()
        zope.interface.verify.verifyObject(interfaces.IClaim, claim)
        self.assertEqual(
            ('x', 1, self.store.list('work')),
            (claim.filename, claim.attempt, [claim.path]))
        self.assertEqual('content', self.text(claim))
        self.assertEqual(
            os.stat(claim.path).st_ino, os.fstat(claim.fileno()).st_ino)
        claim.release()
        self.assertEqual({'new': ['x']}, self.files_())
        self.manager.commit()

    def test_default_manager(self):
        files = gocept.filestore.datamanager.TransactionalFileStore(
            self.store)
        self.addCleanup(transaction.abort)
        self.publish('a', files=files)
        self.assertEqual({'tmp': 1}, self.files_())
        transaction.commit()
        self.assertEqual({'new': ['a']}, self.files_())

    def test_two_stores(self):
        other = gocept.filestore.filestore.FileStore(
            str(self.directory / 'other'), durable=False, prepare=True)
        self.publish('a')
        self.publish('b', files=self.joining(other))
        self.assertEqual([], other.list('new'))
        self.manager.commit()
        self.assertNames(['b'], other.list('new'))
        self.assertEqual({'new': ['a']}, self.files_())

    def test_one_data_manager_for_each_store_and_transaction(self):
        self.publish('a')
        self.publish('b', files=self.joining(self.store))
        self.assertEqual(1, len(self.manager.get()._resources))
        self.manager.commit()

    def test_store_is_kept_as_long_as_the_transaction_knows_it(self):
        # It is known by its id, which the next object might have.
        for number in range(20):
            self.publish(str(number), files=self.joining(self.open_store()))
        self.assertEqual(20, len(self.manager.get()._resources))
        self.manager.commit()
        self.assertEqual(20, len(self.files_()['new']))

    def test_given_back_although_another_file_has_gone(self):
        self.put('new', 'x')
        self.put('new', 'y')
        claims = [self.files.claim(), self.files.claim()]
        os.remove(claims[0].path)
        joined = self.manager.get()._resources[0]
        with self.assertRaises(interfaces.NoSuchFile):
            joined.abort(None)
        joined.abort(None)
        self.manager.abort()
        self.assertEqual({'new': ['y']}, self.files_())


class Phases(DataManagerCase):

    def setUp(self):
        super().setUp()
        logging.disable()
        self.addCleanup(logging.disable, logging.NOTSET)

    def test_after_databases(self):
        self.publish('a')
        joined, = self.manager.get()._resources
        key = joined.sortKey()
        self.assertEqual(key, joined.sortKey())
        for other in ('/var/Data.fs:1234', 'zope.app', 'relstorage', 'ZZZ'):
            self.assertGreater(key, other)
        # These commit in their vote, and so have to be the last to vote.
        for other in ('~sqlalchemy:1', '~gocept.amqprun:1.0'):
            self.assertLess(key, other)

    def test_nothing_is_visible_before_the_others_have_finished(self):
        seen = []
        other = self.join('before')
        other._called = lambda name: seen.append(
            (name, self.store.list('new')))
        self.publish('a')
        self.manager.commit()
        self.assertIn(('tpc_finish', []), seen)
        self.assertNames(['a'], self.store.list('new'))

    def test_another_one_says_no_after_our_vote(self):
        self.put('new', 'x')
        for phase in ('tpc_begin', 'commit', 'tpc_vote'):
            with self.subTest(phase=phase):
                self.join('~~~', **{phase: RuntimeError('no')})
                self.publish('a')
                with self.files.claim():
                    pass
                with self.assertRaises(RuntimeError):
                    self.manager.commit()
                self.manager.abort()
                self.assertEqual(['x'], self.tree()['new'])
                self.assertEqual([], self.store.list('tmp'))
                self.assertEqual([], self.store.list('voted'))

    def test_name_is_taken(self):
        self.publish('a')
        self.publish('b')
        self.put('new', 'b', 'theirs')
        with self.assertRaises(interfaces.NameTaken):
            self.manager.commit()
        self.manager.abort()
        self.assertEqual('theirs', self.read('new', 'b'))
        self.assertEqual({'new': ['b']}, self.tree())

    def test_abort_in_each_phase_and_twice(self):
        phases = ('tpc_begin', 'commit', 'tpc_vote')
        for count in range(len(phases) + 1):
            for abort in ('abort', 'tpc_abort'):
                self.put('new', 'x')
                self.publish('a')
                with self.files.claim():
                    pass
                joined, = self.manager.get()._resources
                for phase in phases[:count]:
                    getattr(joined, phase)(None)
                for _ in range(2):
                    getattr(joined, abort)(None)
                self.manager.abort()
                self.assertEqual({'new': ['x']}, self.tree())

    def test_abort_after_the_end_does_nothing(self):
        self.publish('a')
        joined, = self.manager.get()._resources
        self.manager.commit()
        joined.abort(None)
        joined.tpc_abort(None)
        self.assertEqual({'new': ['a']}, self.tree())

    def test_error_while_finishing_gives_nothing_back(self):
        # It was decided, so the others finish it.
        self.put('new', 'x')
        self.publish('a')
        with self.files.claim():
            pass
        joined, = self.manager.get()._resources
        joined.tpc_vote(None)
        (self.path / 'cur').rmdir()
        (self.path / 'cur').write_text('in the way')
        with self.assertRaises(interfaces.InTheWay):
            joined.tpc_finish(None)
        joined.tpc_abort(None)
        self.assertEqual(['x'], self.tree_of('work'))
        self.assertEqual(['a'], self.tree_of('new'))
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', ResourceWarning)
            self.manager = joined = self.files = None
            gc.collect()

    def tree_of(self, space):
        return sorted(os.listdir(self.path / space))


class Savepoints(DataManagerCase):

    def test_nested(self):
        for name in 'wxyz':
            self.put('new', name)
        self.publish('a')
        with self.files.claim():
            pass
        first = self.manager.savepoint()
        self.publish('b')
        with self.files.claim() as second_claim:
            pass
        second = self.manager.savepoint()
        self.publish('c')
        third_claim = self.claimed('v')
        self.files.finish(third_claim)
        self.files.remove('z', 'new')
        second.rollback()
        self.assertIn('b', self.published())
        first.rollback()
        self.assertEqual(['a'], self.published())
        with self.assertRaises(interfaces.Settled):
            second_claim.fileno()
        self.publish('b', 'again')
        self.manager.commit()
        self.assertEqual(['a', 'b'], [
            name for name in self.tree()['new'] if name in 'abc'])
        self.assertEqual('again', self.read('new', 'b'))
        self.assertEqual(1, len(self.tree()['cur']))
        third_claim.release()
        self.assertIn('z', self.tree()['new'])

    def published(self):
        joined, = self.manager.get()._resources
        return [key[1] for key in joined.batch._parts if key[0] == 'publish']

    def test_older_than_the_first_publication(self):
        savepoint = self.manager.savepoint()
        self.publish('a')
        savepoint.rollback()
        self.assertEqual({}, self.tree())
        self.publish('b')
        savepoint.rollback()
        self.publish('c')
        self.manager.commit()
        self.assertEqual({'new': ['c']}, self.tree())

    def test_block_that_is_open(self):
        # A publication counts when its block is left.
        with self.files.publish('a') as file:
            savepoint = self.manager.savepoint()
            file.write('text')
        savepoint.rollback()
        self.manager.commit()
        self.assertEqual({}, self.tree())

    def test_contract(self):
        self.publish('a')
        joined, = self.manager.get()._resources
        zope.interface.verify.verifyObject(
            transaction.interfaces.ISavepointDataManager, joined)
        zope.interface.verify.verifyObject(
            transaction.interfaces.IDataManagerSavepoint,
            joined.savepoint())
        self.manager.abort()


class BadUse(DataManagerCase):

    def test_outside_a_transaction_in_explicit_mode(self):
        self.manager = transaction.TransactionManager(explicit=True)
        files = self.joining(self.store)
        for action in (files.publish, files.claim,
                       lambda: files.finish(None),
                       lambda: files.remove('a', 'cur')):
            with self.assertRaises(interfaces.OutsideTransaction) as raised:
                action()
            self.assertIn('explicit mode', str(raised.exception))
            self.assertIn(repr(str(self.path)), str(raised.exception))

    def test_explicit_mode(self):
        self.manager = transaction.TransactionManager(explicit=True)
        files = self.joining(self.store)
        with self.manager:
            self.publish('a', files=files)
        self.assertEqual({'new': ['a']}, self.tree())

    def test_claim_of_another_store(self):
        other = gocept.filestore.filestore.FileStore(
            str(self.directory / 'other'), durable=False, prepare=True)
        with other.publish('x') as file:
            file.write('text')
        files = self.joining(other)
        with self.assertRaises(interfaces.ForeignClaim):
            self.files.finish(files.claim())
        self.manager.abort()
        self.assertNames(['x'], other.list('new'))

    def test_finished_claim(self):
        self.put('new', 'x')
        with self.files.claim() as claim:
            pass
        with self.assertRaises(interfaces.Settled):
            claim.finish()
        self.manager.commit()
        with self.assertRaises(interfaces.Settled):
            claim.finish()
        with self.assertRaises(interfaces.Settled):
            claim.__enter__()

    def test_store_that_is_not_prepared(self):
        files = self.joining(gocept.filestore.filestore.FileStore(
            str(self.directory / 'none')))
        with self.assertRaises(interfaces.NotPrepared):
            self.publish('a', files=files)
        self.manager.abort()

    def test_name_twice(self):
        self.publish('a')
        with self.assertRaises(interfaces.NameTaken) as raised:
            self.publish('a', 'newer')
        self.assertIn('twice', str(raised.exception))
        self.manager.commit()
        self.assertEqual('text', self.read('new', 'a'))

    def test_use_after_the_commit(self):
        late = self.files.publish('late')
        with self.assertRaises(interfaces.Settled):
            with self.files.publish('a') as file:
                file.write('text')
                self.manager.commit()
        with self.assertRaises(interfaces.Settled):
            late.__enter__()
        self.assertEqual({}, self.tree())


class Threads(DataManagerCase):

    def test_do_not_see_each_other(self):
        manager = transaction.ThreadTransactionManager()
        files = gocept.filestore.datamanager.TransactionalFileStore(
            self.store, manager)
        turns = threading.Barrier(2, timeout=60)

        def work(name, end):
            manager.begin()
            self.publish(name, files=files)
            turns.wait()
            getattr(manager, end)()

        threads = [threading.Thread(target=work, args=args)
                   for args in (('a', 'commit'), ('b', 'abort'))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual({'new': ['a']}, self.tree())


class Database(DataManagerCase):
    """With a ZODB whose storage is a file."""

    def setUp(self):
        super().setUp()
        self.database = ZODB.DB(ZODB.FileStorage.FileStorage(
            str(self.directory / 'Data.fs')))
        self.addCleanup(self.database.close)
        with self.database.transaction() as connection:
            connection.root()['count'] = 0

    def count(self):
        with self.database.transaction() as connection:
            return connection.root()['count']

    def test_write_conflict(self):
        # Both have read the same object before one of them writes.
        both_have_read = threading.Barrier(2, timeout=60)
        attempts = {'a': 0, 'b': 0}
        tries = []

        def work(name):
            manager = transaction.TransactionManager()
            files = gocept.filestore.datamanager.TransactionalFileStore(
                self.store, manager)
            for attempt in manager.attempts(5):
                with attempt:
                    attempts[name] += 1
                    root = self.database.open(manager).root()
                    count = root['count']
                    if attempts[name] == 1:
                        both_have_read.wait()
                    root['count'] = count + 1
                    self.publish(name, str(attempts[name]), files=files)
                    tries.append(name)

        threads = [threading.Thread(target=work, args=(name,))
                   for name in 'ab']
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(3, len(tries))
        self.assertEqual(2, self.count())
        self.assertEqual({'new': ['a', 'b']}, self.tree())
        for name in 'ab':
            self.assertEqual(str(attempts[name]), self.read('new', name))

    def test_database_and_file_go_together(self):
        for end, count, names in (('abort', 0, []), ('commit', 1, ['a'])):
            root = self.database.open(self.manager).root()
            root['count'] += 1
            self.publish('a')
            getattr(self.manager, end)()
            self.assertEqual(count, self.count())
            self.assertEqual(names, self.tree().get('new', []))

    def test_file_that_is_refused_leaves_the_database_alone(self):
        self.put('new', 'a', 'theirs')
        root = self.database.open(self.manager).root()
        root['count'] += 1
        self.publish('a')
        with self.assertRaises(interfaces.NameTaken):
            self.manager.commit()
        self.manager.abort()
        self.assertEqual(0, self.count())
