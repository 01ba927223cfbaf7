import asyncio
import contextlib
import gocept.filestore.consumer
import gocept.filestore.datamanager
import gocept.filestore.disk.process
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import itertools
import multiprocessing
import os
import signal
import sys
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
        with self.assertLogs('gocept.filestore', 'INFO') as logs:
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

    def test_goes_through_what_is_put_around(self):
        @contextlib.contextmanager
        def around(claim):
            self.see(claim)
            yield
            self.seen.append(self.tree())

        self.put('new', 'a')
        self.drain(around=around)
        self.assertEqual([('a', 1), ('a', 1), {'cur': ['a']}], self.seen)

    def test_quiet_when_nothing_happens(self):
        with self.assertNoLogs('gocept.filestore.consumer'):
            self.consumer().drain()

    def test_one_that_fails_does_not_stop_the_rest(self):
        def handler(claim):
            if claim.filename == 'a':
                raise ValueError('no paper')

        for name in 'ab':
            self.put('new', name)
        self.assertEqual(['WARNING', 'INFO'], self.drain(handler))
        self.assertEqual(
            {'work': ['a'], 'attempts': ['a'], 'cur': ['b']}, self.tree())

    def test_traceback_without_end(self):
        def handler(claim):
            raise ValueError('x' * 10 ** 6)

        self.put('new', 'a')
        with self.assertLogs('gocept.filestore', 'WARNING') as logs:
            self.consumer(handler).drain()
        record, = logs.records
        self.assertTrue(' characters left out ...x' in record.getMessage())
        self.assertIsNone(record.exc_info)
        self.assertLess(len(record.getMessage()), 12000)

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
            self.assertEqual(1, len(self.drain(settle)))
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

    def test_exit_of_a_signal_handler(self):
        def handler(claim):
            signal.raise_signal(signal.SIGUSR1)

        before = signal.signal(signal.SIGUSR1, lambda *args: sys.exit(3))
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        self.put('new', 'a')
        with self.assertRaises(SystemExit):
            self.consumer(handler).drain()
        self.assertEqual({'new': ['a']}, self.tree())

    def test_handler_that_terminates_a_child(self):
        def handler(claim):
            child = multiprocessing.get_context('fork').Process(
                target=time.sleep, args=[60])
            child.start()
            child.terminate()
            child.join(30)
            self.seen.append(child.exitcode)

        for name in 'ab':
            self.put('new', name)
        consumer = self.consumer(handler)
        with gocept.filestore.disk.process.handled(
                signal.SIGTERM, consumer.stop):
            consumer.drain()
        self.assertEqual([-signal.SIGTERM] * 2, self.seen)
        self.assertFalse(consumer._watch._bell.wait(0))

    def test_exit_of_the_handler(self):
        def handler(claim):
            if claim.filename in errors:
                raise errors[claim.filename]

        errors = {'a': SystemExit(2), 'b': asyncio.CancelledError(),
                  'c': BaseException('worse')}
        for name in 'abcd':
            self.put('new', name)
        self.assertEqual(
            ['WARNING', 'WARNING', 'WARNING', 'INFO'], self.drain(handler))
        self.assertEqual(['a', 'b', 'c'], self.tree()['work'])
        for name in 'abc':
            self.assertIn('raise errors', self.read('attempts', name))

    def test_greenlet_that_is_killed(self):
        class GreenletExit(BaseException):
            """Gevent raises one of this name, and waits for the end."""

        def handler(claim):
            raise GreenletExit

        for name in 'ab':
            self.put('new', name)
        with self.assertRaises(GreenletExit):
            self.drain(handler)
        self.assertEqual({'work': ['a'], 'attempts': ['a'], 'new': ['b']},
                         self.tree())

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

    def test_store_that_is_back_while_no_file_waits(self):
        consumer = self.consumer()
        aside = self.directory / 'aside'
        consumer._watch.pause = lambda seconds: os.rename(aside, self.path)
        consumer._watch._wait = lambda seconds: (
            os.rename(self.path, aside) if len(logs.output) < 5
            else consumer.stop())
        with self.assertLogs('gocept.filestore.consumer') as logs:
            consumer.run()
        self.assertEqual(['ERROR', 'WARNING'] * 3, [
            record.levelname for record in logs.records])

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
        record, = logs.records
        self.assertIn('not settled', record.getMessage())
        self.assertIs(ValueError, record.exc_info[0])
        (self.path / 'attempts').unlink()
        claim.release()
        self.assertEqual({'new': ['a']}, self.tree())


class GivenBack(ConsumerCase):
    """What is not done, and counts no attempt, waits longer each time."""

    def setUp(self):
        super().setUp()
        self.time = 0
        self.store = self.open_store(now=lambda: self.time)

    def run_for(self, seconds, handler, user=contextlib.nullcontext,
                **options):
        """Let a consumer run by our clock; return what was logged."""
        consumer = self.consumer(handler, **options)

        def wait(_):
            self.time += .25
            if self.time >= seconds:
                consumer.stop()

        consumer._watch._wait = wait
        with self.assertLogs('gocept.filestore', 'INFO') as logs, user():
            consumer.run()
        return [(record.levelname, record.getMessage())
                for record in logs.records if 'looking' not in record.msg
                and 'woken' not in record.msg]

    def handler(self, claim):
        if claim.filename == 'bad':
            self.seen.append(self.time)
            self.reject(claim)

    def reject(self, claim):
        claim.release()

    def test_by_the_handler(self):
        self.put('new', 'bad')
        for name in 'abc':
            self.put('new', name)
        logged = self.run_for(200, self.handler)
        self.assertEqual([0, 1, 3, 7, 15, 31, 63, 123, 183], self.seen)
        self.assertEqual({'new': ['bad'], 'cur': ['a', 'b', 'c']}, self.tree())
        self.assertEqual(['INFO'] * 4, [level for level, _ in logged])
        self.assertIn('given back (by its handler)', logged[0][1])

    def test_database_that_is_away(self):
        def reject(claim):
            raise transaction.interfaces.TransientError('no database')

        self.reject = reject
        self.put('new', 'bad')
        self.put('new', 'a')
        (level, sentence), (_, done) = self.run_for(
            30, self.handler,
            transaction_manager=transaction.TransactionManager())
        self.assertEqual([0, 1, 3, 7, 15], self.seen[::3])
        self.assertEqual('ERROR', level)
        self.assertIn('attempt 1 given back (TransientError: no database)',
                      sentence)
        self.assertIn('done', done)
        self.assertEqual({'new': ['bad'], 'cur': ['a']}, self.tree())

    def test_until_it_is_done(self):
        def reject(claim):
            if len(self.seen) != 4:
                claim.release()

        self.reject = reject
        self.put('new', 'bad')
        self.run_for(20, self.handler)
        self.assertEqual([0, 1, 3, 7], self.seen)
        self.put('new', 'bad')
        self.run_for(30, self.handler)
        self.assertEqual([20, 21, 23, 27], self.seen[4:])

    def test_while_a_newer_one_waits(self):
        def reject(claim):
            self.put('new', 'bad')
            claim.release()

        self.reject = reject
        self.put('new', 'bad')
        self.run_for(10, self.handler)
        self.assertEqual([0, 1, 3, 7], self.seen)
        self.assertEqual(['bad'], self.tree()['work'])

    def test_nobody_else_waits(self):
        self.put('new', 'bad')
        claims = self.store.claims()
        for claim in claims:
            claim.release()
        with self.store.claim() as claim:
            self.assertEqual('bad', claim.filename)

    def forbidden(self):
        for space in ('tmp', 'new', 'cur', 'work'):
            (self.path / space).mkdir(exist_ok=True)
            (self.path / space).chmod(0o777)
        for name in ('bad', 'worse'):
            self.put('new', name).chmod(0 if os.getuid() else 0o600)
        self.put('new', 'a')

    def test_file_that_may_not_be_opened(self):
        self.forbidden()
        logged = self.run_for(10, self.handler, self.be_nobody)
        self.assertEqual({'new': ['bad', 'worse'], 'cur': ['a']}, self.tree())
        self.assertEqual(['ERROR', 'INFO'], sorted(
            level for level, _ in logged))
        sentence, = [text for level, text in logged if level == 'ERROR']
        self.assertEqual(
            "passed over for now: [Errno 13] Permission denied: '%s', "
            'and 1 more' % (self.path / 'new' / 'bad'), sentence)

    def test_and_that_may_be_opened_later(self):
        self.forbidden()
        self.run_for(10, self.handler, self.be_nobody)
        (self.path / 'new' / 'bad').chmod(0o666)
        self.run_for(20, self.handler, self.be_nobody)
        self.assertEqual([15], self.seen)

    def test_drained(self):
        self.forbidden()
        consumer = self.consumer(lambda claim: None)
        consumer._watch.pause = lambda seconds: None
        with self.assertLogs(
                'gocept.filestore.consumer', 'ERROR') as logs:
            with self.be_nobody():
                consumer.drain()
        self.assertEqual(1, len(logs.records))
        self.assertEqual({'new': ['bad', 'worse'], 'cur': ['a']}, self.tree())


class Limits(ConsumerCase):

    def test_time(self):
        def handler(claim):
            time.sleep(60)

        self.put('new', 'a')
        before = signal.getsignal(signal.SIGALRM)
        self.assertEqual(['WARNING'], self.drain(handler, timeout=.05))
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

    def test_in_a_thread(self):
        def drain():
            with self.assertRaisesRegex(ValueError, 'main thread') as caught:
                consumer.drain()
            errors.append(caught.exception)

        errors = []
        consumer = self.consumer(timeout=60)
        self.put('new', 'a')
        thread = threading.Thread(target=drain)
        thread.start()
        thread.join()
        self.assertEqual(1, len(errors))
        self.assertEqual({'new': ['a']}, self.tree())

    def test_in_a_child(self):
        # The child of a handler gets its own alarm, and not ours.
        def handler(claim):
            process = os.fork()
            if not process:
                # It would be killed, and could tell nothing any more.
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
                signal.getsignal(signal.SIGALRM)(signal.SIGALRM, None)
                os._exit(signal.SIGALRM in signal.sigpending())
            statuses.append(gocept.filestore.disk.process.wait(process))

        statuses = []
        self.put('new', 'a')
        self.assertEqual(['INFO'], self.drain(handler, timeout=60))
        self.assertEqual([1], statuses)

    def test_bad_ones(self):
        for options in ({'rate': 0}, {'rate': -1}, {'timeout': 0},
                        {'timeout': float('inf')}, {'timeout': 1e12},
                        {'poll': 0}, {'renew_after': 0}, {'renew_above': 0}):
            with self.assertRaises(ValueError):
                self.consumer(**options)


class Renewal(ConsumerCase):

    def renewed(self, handler=None, **options):
        """Return why the loop has ended, and how many files are left."""
        for name in 'abc':
            self.put('new', name)
        consumer = self.consumer(handler, **options)
        consumer.drain()
        return consumer.renewal, len(self.store.list('new'))

    def test_after_so_many_files(self):
        self.assertEqual(
            ('renewed after 1 file', 2), self.renewed(renew_after=1))
        self.assertEqual(
            ('renewed after 2 files', 1), self.renewed(renew_after=2))

    def test_counts_what_has_failed_as_well(self):
        with self.assertLogs('gocept.filestore', 'ERROR'):
            self.assertEqual(
                ('renewed after 2 files', 1), self.renewed(
                    lambda claim: claim.fail(
                        gocept.filestore.interfaces.Reject('no')),
                    renew_after=2))

    def test_above_so_much_memory(self):
        reason, left = self.renewed(renew_above=1)
        self.assertRegex(reason, r'^renewed above 1 MB: it has \d\d+$')
        self.assertEqual(2, left)

    def test_not_before(self):
        self.assertEqual(
            (None, 0), self.renewed(renew_after=4, renew_above=1e6))
        self.assertEqual((None, 0), self.renewed())

    def test_ends_who_would_stay(self):
        self.put('new', 'a')
        consumer = self.consumer(renew_after=1)
        consumer.run()
        self.assertEqual('renewed after 1 file', consumer.renewal)


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
        with self.assertLogs('gocept.filestore', 'INFO') as logs:
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
        self.assertEqual(['WARNING'], self.work_once(
            self.handler(ValueError('no paper'))))
        self.assertEqual({'work': ['x'], 'attempts': ['x']}, self.tree())

    def test_exit(self):
        self.assertEqual(['WARNING'], self.work_once(
            self.handler(SystemExit(2))))
        self.assertEqual({'work': ['x'], 'attempts': ['x']}, self.tree())

    def test_vote_that_fails(self):
        self.put('new', 'a', 'theirs')
        self.assertEqual(['WARNING'], self.work_once(self.handler()))
        self.assertEqual('theirs', self.read('new', 'a'))
        self.assertEqual(['x'], self.tree()['work'])

    def test_settled_by_the_handler(self):
        self.assertEqual(['WARNING'], self.work_once(
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
