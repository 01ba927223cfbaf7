import gocept.filestore.cli.run
import gocept.filestore.cli.worker
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import os
import pathlib
import signal
import threading
import zope.event


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

    def test_error_of_the_store_ends_all_workers(self):
        os.rename(self.path, self.directory / 'aside')
        for watch in (False, True):
            with self.assertNoLogs('gocept.filestore.consumer'):
                with self.assertRaises(
                        gocept.filestore.interfaces.NotPrepared):
                    self.workers(3, watch).run(self.see)

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


class MainThread:
    """Tells whether it sleeps, and has not run since the last look."""

    seen = None

    def sleeps(self):
        path = pathlib.Path('/proc/self/task', str(os.getpid()), 'status')
        before, self.seen = self.seen, path.read_text()
        return 'State:\tS' in self.seen and self.seen == before
