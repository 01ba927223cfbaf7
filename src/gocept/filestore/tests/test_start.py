"""Work is done once, in whatever way a process or a thread is started."""
import concurrent.futures
import ctypes
import gocept.filestore.disk.process
import gocept.filestore.tests.case
import importlib.util
import multiprocessing
import os
import subprocess
import sys
import unittest
import warnings


NAMES = ['file-%02d' % number for number in range(20)]
GEVENT = """
import gevent.monkey
gevent.monkey.patch_all()
import gevent, sys
import gocept.filestore.consumer
import gocept.filestore.filestore

def handler(claim):
    gevent.sleep(.001)
    print(claim.filename)

def hang(claim):
    hangs.set()
    gevent.sleep(60)

store = gocept.filestore.filestore.FileStore(sys.argv[1])
Consumer = gocept.filestore.consumer.Consumer
workers = [Consumer(store, handler) for number in range(3)]
running = [gevent.spawn(worker.run) for worker in workers]
with gevent.Timeout(60):
    while len(store.list('cur')) < int(sys.argv[2]):
        gevent.sleep(.01)
for worker in workers:
    worker.stop()
gevent.joinall(running, raise_error=True)

# Whoever kills a greenlet waits for its end.
hangs = gevent.event.Event()
with store.publish('killed'):
    pass
running = gevent.spawn(Consumer(store, hang).run)
hangs.wait(60)
running.kill(timeout=60)
print(running.dead)
"""


def work(store):
    """Do what waits, and publish something new; return the names."""
    names = []
    for claim in store.select(['file-*']).claims():
        with claim, store.publish():
            names.append(claim.filename)
    return names


class Start(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        self.put('new', 'ours')
        self.claim = self.store.claim()
        self.publication = self.store.publish('publication')
        self.publication.__enter__()
        self.batch = self.store.batch()
        for name in NAMES:
            self.put('new', name)

    def check(self, pool):
        """Work in a pool, which gets the store and claims by itself."""
        with pool:
            done = [pool.submit(work, self.store) for _ in range(2)]
            names = sum((future.result(60) for future in done), [])
        self.assertEqual(NAMES, sorted(names))
        self.check_ours(len(NAMES))

    def check_ours(self, published):
        """Look whether what was ours before has stayed so."""
        self.assertEqual(['ours'], self.tree()['work'])
        self.assertEqual(1, len(self.tree()['tmp']))
        self.claim.finish()
        self.publication.__exit__(None, None, None)
        self.assertIn('publication', self.tree()['new'])
        self.assertEqual(published + 1, len(self.tree()['new']))
        self.assertEqual([*NAMES, 'ours'], self.tree()['cur'])

    def check_processes(self, method):
        self.check(concurrent.futures.ProcessPoolExecutor(
            2, multiprocessing.get_context(method)))

    def test_fork(self):
        with warnings.catch_warnings():  # of Python 3.12, for its threads
            warnings.simplefilter('ignore', DeprecationWarning)
            self.check_processes('fork')

    @gocept.filestore.tests.case.slow
    def test_spawn(self):
        self.check_processes('spawn')

    @gocept.filestore.tests.case.slow
    def test_forkserver(self):
        self.check_processes('forkserver')

    def test_threads(self):
        self.check(concurrent.futures.ThreadPoolExecutor(2))

    def test_fork_that_python_is_not_told_of(self):
        # As uWSGI does it, which forks in C.
        def child():
            for ours in (self.claim, self.publication, self.batch):
                ours.__exit__(None, None, None)
            del self.claim
            self.assertEqual(NAMES, work(self.store))

        process = ctypes.PyDLL(None).fork()
        if not process:
            status = 1
            try:
                child()
                status = 0
            finally:
                os._exit(status)
        self.assertEqual(0, gocept.filestore.disk.process.wait(process))
        self.check_ours(len(NAMES))

    @gocept.filestore.tests.case.slow
    @unittest.skipUnless(
        importlib.util.find_spec('gevent'), 'gevent is not installed')
    def test_gevent(self):
        output = subprocess.run(
            [sys.executable, '-c', GEVENT, self.path, str(len(NAMES))],
            env=gocept.filestore.tests.case.environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=120).stdout.splitlines()
        self.assertEqual('True', output.pop())
        self.assertEqual(NAMES, sorted(output))
        self.assertIn('killed', self.tree()['attempts'])
        os.remove(self.path / 'work' / 'killed')
        self.check_ours(0)
