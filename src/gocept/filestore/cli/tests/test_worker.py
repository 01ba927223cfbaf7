import gocept.filestore.cli.run
import gocept.filestore.cli.worker
import gocept.filestore.disk.process
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import os
import pathlib
import signal
import threading
import zope.event
import zope.testing.wait


class Workers(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        self.seen = []

    def workers(self, *args):
        return gocept.filestore.cli.worker.Workers(self.store, *args)

    def see(self, claim):
        self.seen.append(claim.filename)

    def test_until_nothing_is_left(self):
        for name in 'ab':
            self.put('new', name)
        self.workers().run(self.see)
        self.assertEqual(['a', 'b'], self.seen)

    def test_worker_that_can_not_be_started(self):
        workers = self.workers()
        thread = threading.Thread(target=lambda: None)
        self.assertTrue(workers._start(thread))
        thread.join()
        self.assertFalse(workers._start(thread))  # a RuntimeError as well
        self.put('new', 'a')
        with self.assertRaises(OSError):
            workers.run(self.see)
        self.assertEqual({'new': ['a']}, self.tree())

    def test_stopped_before_it_begins(self):
        self.put('new', 'a')
        workers = self.workers()
        workers.stop()
        workers.run(self.see)
        self.assertEqual({'new': ['a']}, self.tree())

    def test_error_ends_all_workers(self):
        workers = self.workers(3, True)
        self.put('new', 'a')
        threads = threading.active_count()
        with self.assertRaises(FileNotFoundError):
            workers.run(gocept.filestore.cli.run.Command(
                ['nosuchcommand', '{}'], workers))
        self.assertEqual(threads, threading.active_count())
        self.assertEqual({'new': ['a']}, self.tree())

    def test_status_that_somebody_else_has_got(self):
        self.put('new', 'a')
        workers = self.workers()
        command = gocept.filestore.cli.run.Command(['true', '{}'], workers)
        with gocept.filestore.disk.process.handled(
                signal.SIGCHLD, signal.SIG_IGN):
            workers.run(command)
        self.assertEqual((0, 1), (command.finished, command.failed))
        self.assertIn('somebody else has got its status',
                      self.read('attempts', 'a'))

    def test_exit_in_a_thread(self):
        def handler(claim):
            raise SystemExit(2)

        def exit(event):
            raise SystemExit(2)

        self.put('new', 'a')
        with self.assertLogs('gocept.filestore', 'WARNING'):
            self.workers().run(handler)
        self.assertEqual(['a'], self.tree()['work'])
        self.put('new', 'b')
        zope.event.subscribers.append(exit)
        self.addCleanup(zope.event.subscribers.remove, exit)
        with self.assertRaises(SystemExit):
            self.workers().run(handler)
        self.assertEqual(['b'], self.tree()['new'])

    def test_error_of_the_store_ends_all_workers(self):
        os.rename(self.path, self.directory / 'aside')
        with self.assertNoLogs('gocept.filestore.consumer'):
            with self.assertRaises(
                    gocept.filestore.interfaces.NotPrepared):
                self.workers(3).run(self.see)

    def test_error_of_the_store_ends_nobody_who_stays(self):
        os.rename(self.path, self.directory / 'aside')
        workers = self.workers(3, True)
        with self.assertLogs('gocept.filestore.consumer') as logs:
            thread = threading.Thread(target=lambda: (
                zope.testing.wait.wait(lambda: logs.output[2:]),
                workers.stop()))
            thread.start()
            workers.run(self.see)
        thread.join()

    def test_another_error_of_the_store(self):
        def refuse(event):
            raise ValueError('no paper')

        self.put('new', 'a')
        zope.event.subscribers.append(refuse)
        self.addCleanup(zope.event.subscribers.remove, refuse)
        with self.assertRaisesRegex(ValueError, 'no paper'):
            self.workers().run(self.see)
        self.assertEqual({'new': ['a']}, self.tree())

    def test_signal_that_comes_to_another_thread(self):
        # The main thread, which calls the handler, sleeps at that time.
        def handler(claim):
            gocept.filestore.tests.story.wait(MainThread().sleeps)
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
            self.assertTrue(workers.stopped.wait(60))

        for name in 'ab':
            self.put('new', name)
        workers = self.workers()
        before = signal.signal(signal.SIGUSR1, workers.stop)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        workers.run(handler)
        self.assertEqual({'cur': ['a'], 'new': ['b']}, self.tree())

    def test_handler_that_waits_for_the_stop_is_the_last(self):
        def handler(claim):
            stopping.start()
            self.assertTrue(workers.stopped.wait(60))

        def ring():
            rung()
            ended.wait(60)

        for name in 'ab':
            self.put('new', name)
        workers = self.workers()
        rung, workers.stopped.ring = workers.stopped.ring, ring
        stopping = threading.Thread(target=workers.stop)
        ended = threading.Event()
        workers.run(handler)
        ended.set()
        stopping.join()
        self.assertEqual({'cur': ['a'], 'new': ['b']}, self.tree())


class MainThread:
    """Tells whether it sleeps, and has not run since the last look."""

    seen = None

    def sleeps(self):
        path = pathlib.Path('/proc/self/task', str(os.getpid()), 'status')
        before, self.seen = self.seen, path.read_text()
        return 'State:\tS' in self.seen and self.seen == before
