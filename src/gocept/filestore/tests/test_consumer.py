import gocept.filestore.consumer
import gocept.filestore.datamanager
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import itertools
import os
import signal
import threading
import time
import transaction
import transaction.interfaces
import zope.interface.verify
import zope.testing.wait


class ConsumerCase(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        self.seen = []

    def consumer(self, handler=None, selection=None, **options):
        return gocept.filestore.consumer.Consumer(
            selection or self.store, handler or self.see, **options)

    def see(self, claim):
        self.seen.append((claim.filename, claim.attempt))

    def drain(self, handler=None, selection=None, **options):
        """Drain the store; return what was logged."""
        with self.assertLogs('gocept.filestore.consumer', 'INFO') as logs:
            self.consumer(handler, selection, **options).drain()
        return [record.levelname for record in logs.records]


class Loop(ConsumerCase):

    def test_contract(self):
        zope.interface.verify.verifyObject(
            gocept.filestore.interfaces.IConsumer, self.consumer())

    def test_drain(self):
        for name in 'ab':
            self.put('new', name)
        self.assertEqual(['INFO', 'INFO'], self.drain())
        self.assertEqual([('a', 1), ('b', 1)], self.seen)
        self.assertEqual({'cur': ['a', 'b']}, self.tree())

    def test_quiet_when_nothing_happens(self):
        with self.assertNoLogs('gocept.filestore.consumer'):
            self.consumer().drain()

    def test_one_that_fails_does_not_stop_the_rest(self):
        def handler(claim):
            if claim.filename == 'a':
                raise ValueError('no paper')

        for name in 'ab':
            self.put('new', name)
        self.assertEqual(['ERROR', 'INFO'], self.drain(handler))
        self.assertEqual(
            {'work': ['a'], 'attempts': ['a'], 'cur': ['b']}, self.tree())

    def test_run_until_it_is_stopped(self):
        child = self.child()
        child.send(
            'import gocept.filestore.consumer, signal\n'
            'names = []\n'
            'consumer = gocept.filestore.consumer.Consumer(\n'
            '    store, lambda claim: names.append(claim.filename))\n'
            'signal.signal(signal.SIGTERM, consumer.stop)\n'
            'consumer.run()\n'
            'answer = names')
        for name in 'ab':
            self.put('new', name)
            gocept.filestore.tests.story.wait(
                (self.path / 'cur' / name).exists)
        child.process.send_signal(signal.SIGTERM)
        self.assertEqual(['a', 'b'], child.answer())

    def test_stopped_by_the_handler(self):
        def handler(claim):
            consumer.stop()

        for name in 'ab':
            self.put('new', name)
        for verb in ('drain', 'run'):
            consumer = self.consumer(handler)
            getattr(consumer, verb)()
        self.assertEqual({'cur': ['a', 'b']}, self.tree())

    def test_handler_that_settles(self):
        for settle, outcome in (
                (lambda claim: claim.finish(keep=False), {}),
                (lambda claim: claim.fail('no'),
                 {'work': ['a'], 'attempts': ['a']})):
            self.put('new', 'a')
            self.assertEqual(['INFO'], self.drain(settle))
            self.assertEqual(outcome, self.tree())

    def test_handler_that_settles_and_fails(self):
        def handler(claim):
            claim.finish()
            raise ValueError('too late')

        self.put('new', 'a')
        self.assertEqual(['ERROR'], self.drain(handler))
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_interrupted(self):
        def handler(claim):
            raise KeyboardInterrupt

        self.put('new', 'a')
        with self.assertRaises(KeyboardInterrupt):
            self.consumer(handler).drain()
        self.assertEqual({'new': ['a']}, self.tree())

    def test_options(self):
        for name in ('b.csv', 'a.csv', 'c.txt'):
            self.put('new', name)
            gocept.filestore.tests.story.tick(self.path)
        selection = self.store.select(include=['*.csv'], exclude=['b*'])
        self.drain(selection=selection, keep=False)
        self.assertEqual([('a.csv', 1)], self.seen)
        self.assertEqual({'new': ['b.csv', 'c.txt']}, self.tree())

    def test_store_that_makes_trouble(self):
        # It is told once, and again after it has worked.
        self.put('new', 'a')
        consumer = self.consumer()
        pauses = []

        def pause(seconds):
            pauses.append(seconds)
            if len(pauses) == 8:
                os.rename(self.directory / 'aside', self.path)

        consumer._watch.pause = pause
        os.rename(self.path, self.directory / 'aside')
        with self.assertLogs('gocept.filestore.consumer', 'ERROR') as logs:
            consumer.drain()
        self.assertEqual(1, len(logs.records))
        self.assertEqual([1, 2, 4, 8, 16, 32, 60, 60], pauses[:8])
        self.assertEqual([('a', 1)], self.seen)
        self.assertEqual(0, consumer._errors)

    def test_stopped_while_the_store_makes_trouble(self):
        consumer = self.consumer()
        os.rename(self.path, self.directory / 'aside')
        with self.assertLogs('gocept.filestore.consumer', 'ERROR') as logs:
            thread = threading.Thread(target=lambda: (
                zope.testing.wait.wait(lambda: logs.output), consumer.stop()))
            thread.start()
            consumer.run()
        thread.join()

    def test_file_that_the_handler_takes_away(self):
        for name in 'ab':
            self.put('new', name)
        self.assertEqual(['ERROR', 'ERROR'], self.drain(
            lambda claim: os.remove(claim.path)))
        self.assertEqual({}, self.tree())

    def test_claim_that_can_not_be_settled(self):
        def handler(claim):
            (self.path / 'attempts').write_text('in the way')
            raise ValueError('no paper')

        self.put('new', 'a')
        consumer = self.consumer(handler)
        claim = self.store.claim()
        with self.assertLogs('gocept.filestore.consumer', 'ERROR') as logs:
            consumer._process(claim)
        self.assertIn('not settled', logs.output[1])
        (self.path / 'attempts').unlink()
        claim.release()
        self.assertEqual({'new': ['a']}, self.tree())


class Limits(ConsumerCase):

    def test_time(self):
        def handler(claim):
            time.sleep(60)

        self.put('new', 'a')
        before = signal.getsignal(signal.SIGALRM)
        self.assertEqual(['ERROR'], self.drain(handler, timeout=.05))
        self.assertIs(before, signal.getsignal(signal.SIGALRM))
        self.assertEqual({'work': ['a'], 'attempts': ['a']}, self.tree())
        self.assertIn('it took longer than 0.05 seconds',
                      self.read('attempts', 'a'))

    def test_in_time(self):
        self.put('new', 'a')
        self.assertEqual(['INFO'], self.drain(timeout=60))
        self.assertEqual((0, 0), signal.getitimer(signal.ITIMER_REAL))

    def test_rate(self):
        for name in 'abc':
            self.put('new', name)
        times = itertools.count(step=.25)
        consumer = self.consumer(rate=2, now=lambda: next(times))
        pauses = []
        consumer._watch.pause = pauses.append
        consumer.drain()
        self.assertEqual(3, len(pauses))
        self.assertTrue(all(pause < .5 for pause in pauses), pauses)

    def test_bad_ones(self):
        for options in ({'rate': 0}, {'rate': -1}, {'timeout': 0},
                        {'timeout': float('inf')}, {'poll': 0}):
            with self.assertRaises(ValueError):
                self.consumer(**options)


class Transactions(ConsumerCase):

    def setUp(self):
        super().setUp()
        self.manager = transaction.TransactionManager()
        self.files = gocept.filestore.datamanager.TransactionalFileStore(
            self.store, self.manager)
        self.put('new', 'x')

    def handler(self, *errors):
        errors = list(errors)

        def handler(claim):
            self.see(claim)
            with self.files.publish('a') as file:
                file.write('text')
            if errors:
                raise errors.pop()

        return handler

    def conflict(self):
        return transaction.interfaces.TransientError('conflict')

    def test_commit(self):
        self.assertEqual(['INFO'], self.drain(
            self.handler(), self.store.select(['x']),
            transaction_manager=self.manager))
        self.assertEqual({'new': ['a'], 'cur': ['x']}, self.tree())

    def work_once(self, handler):
        consumer = self.consumer(
            handler, self.store.select(['x']),
            transaction_manager=self.manager)
        claim = self.store.claim()
        with self.assertLogs('gocept.filestore.consumer', 'INFO') as logs:
            consumer._process(claim)
        return [record.levelname for record in logs.records]

    def test_conflicts(self):
        self.assertEqual(['INFO'], self.work_once(
            self.handler(self.conflict(), self.conflict())))
        self.assertEqual([('x', 1)] * 3, self.seen)
        self.assertEqual({'new': ['a'], 'cur': ['x']}, self.tree())

    def test_too_many_conflicts(self):
        self.assertEqual(['ERROR'], self.work_once(
            self.handler(*[self.conflict() for _ in range(3)])))
        self.assertEqual({'new': ['x']}, self.tree())

    def test_error(self):
        self.assertEqual(['ERROR'], self.work_once(
            self.handler(ValueError('no paper'))))
        self.assertEqual({'work': ['x'], 'attempts': ['x']}, self.tree())

    def test_vote_that_fails(self):
        self.put('new', 'a', 'theirs')
        self.assertEqual(['ERROR'], self.work_once(self.handler()))
        self.assertEqual('theirs', self.read('new', 'a'))
        self.assertEqual(['x'], self.tree()['work'])

    def test_settled_by_the_handler(self):
        self.assertEqual(['INFO'], self.work_once(
            lambda claim: claim.fail('no')))
        self.assertEqual({'work': ['x'], 'attempts': ['x']}, self.tree())

    def test_without_the_package(self):
        error = self.child().run(
            'import sys\n'
            'sys.modules["transaction"] = None\n'
            'import gocept.filestore.consumer\n'
            'gocept.filestore.consumer.Consumer(store, print)\n'
            'try:\n'
            '    gocept.filestore.consumer.Consumer(\n'
            '        store, print, transaction_manager=1)\n'
            'except ValueError as error:\n'
            '    answer = str(error)')
        self.assertEqual('the package transaction is not installed', error)
