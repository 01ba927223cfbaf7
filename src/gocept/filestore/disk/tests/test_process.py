import asyncio
import ctypes
import gocept.filestore.disk.process
import gocept.filestore.tests.case
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import unittest


# As uWSGI does it: none of what os.register_at_fork knows is called.
FORKS = (os.fork, ctypes.PyDLL(None).fork)


def status_of(function, fork=os.fork):
    """Return how a forked child has ended that calls a function."""
    process = fork()
    if not process:
        status = 1
        try:
            function()
        except KeyboardInterrupt:
            status = 42
        finally:
            os._exit(status)
    return gocept.filestore.disk.process.wait(process)


class Child(unittest.TestCase):
    """A child never acts for its parent."""

    def setUp(self):
        self.bell = gocept.filestore.disk.process.Bell()

    def handle(self, number, handler):
        self.addCleanup(signal.signal, number, signal.signal(number, handler))

    def test_signal(self):
        self.handle(signal.SIGTERM, self.bell.ring)
        self.handle(signal.SIGINT, self.bell.ring)
        for fork in FORKS:
            self.assertEqual(-signal.SIGTERM, status_of(
                lambda: signal.raise_signal(signal.SIGTERM), fork))
            self.assertEqual(42, status_of(
                lambda: signal.raise_signal(signal.SIGINT), fork))
            self.assertFalse(self.bell.wait(0))
        signal.raise_signal(signal.SIGTERM)
        self.assertTrue(self.bell.wait(0))

    def test_has_a_bell_of_its_own(self):
        def child():
            waited = self.bell.wait(0)
            signal.raise_signal(signal.SIGTERM)
            os._exit(10 + 2 * waited + self.bell.wait(60))

        def drain():
            self.bell.silence()
            os._exit(10)

        self.handle(signal.SIGTERM, self.bell.ring)
        for fork in FORKS:
            self.assertEqual(11, status_of(child, fork))
            self.assertFalse(self.bell.wait(0))
            self.bell.ring()
            self.assertEqual(10, status_of(drain, fork))
            self.assertTrue(self.bell.wait(0))
            self.bell.silence()

    def test_is_rung_by_another_thread_of_it(self):
        def child():
            self.bell.ring()
            os._exit(10 + self.bell.wait(0))

        self.assertEqual(11, status_of(child))
        self.assertFalse(self.bell.wait(0))

    def test_signals_that_ring(self):
        def child():
            signal.raise_signal(signal.SIGUSR1)
            os._exit(10)

        self.handle(signal.SIGUSR1, lambda number, frame: None)
        with self.bell.rung_by_signals():
            self.assertEqual(10, status_of(child))
            self.assertFalse(self.bell.wait(0))
            signal.raise_signal(signal.SIGUSR1)
            self.assertTrue(self.bell.wait(0))

    def test_is_terminated_by_multiprocessing(self):
        # In steps: time.sleep goes on when a signal comes just before it
        # begins, and Python handles it afterwards, whatever handler it has.
        self.handle(signal.SIGTERM, self.bell.ring)
        for _ in range(20):  # at once, so that some have just been forked
            child = multiprocessing.get_context('fork').Process(
                target=lambda: [time.sleep(0.01) for _ in range(6000)])
            child.start()
            child.terminate()
            child.join(30)
            self.assertEqual(-signal.SIGTERM, child.exitcode)
        self.assertFalse(self.bell.wait(0))

    def test_status(self):
        self.assertEqual(3, status_of(lambda: os._exit(3)))

    def test_status_that_somebody_else_has_got(self):
        self.handle(signal.SIGCHLD, signal.SIG_IGN)
        status = status_of(lambda: os._exit(0))
        self.assertEqual(
            'has ended, and somebody else has got its status',
            gocept.filestore.disk.process.ended(status))
        with gocept.filestore.disk.process.handled(
                signal.SIGCHLD, signal.SIG_DFL):
            self.assertEqual(0, status_of(lambda: os._exit(0)))
        self.assertEqual(signal.SIG_IGN, signal.getsignal(signal.SIGCHLD))


class Stop(unittest.TestCase):

    def is_stop(self, action, *args):
        try:
            action(*args)
        except BaseException as error:
            return gocept.filestore.disk.process.is_stop(error)

    def test_of_work(self):
        for error in (ValueError(), SystemExit(2), GeneratorExit(),
                      asyncio.CancelledError()):
            self.assertIs(False, self.is_stop(throw, error))

    def test_interrupt(self):
        self.assertTrue(self.is_stop(throw, KeyboardInterrupt()))

    def test_signal(self):
        def handler(number, frame):
            raise errors.pop()

        errors = [TimeoutError(), SystemExit()]
        with gocept.filestore.disk.process.handled(signal.SIGUSR1, handler):
            for is_stop in (True, False):
                self.assertIs(is_stop, self.is_stop(
                    signal.raise_signal, signal.SIGUSR1))


def throw(error):
    raise error


class Bell(unittest.TestCase):

    def setUp(self):
        self.bell = gocept.filestore.disk.process.Bell()

    def test_nobody_rings(self):
        for seconds in (-1, 0, .01):
            self.assertFalse(self.bell.wait(seconds))

    def test_for_ages(self):
        self.bell.ring()
        for seconds in (1e7, 1e300, math.inf):
            self.assertTrue(self.bell.wait(seconds))

    def test_before_the_wait(self):
        self.bell.ring()
        for _ in range(2):
            self.assertTrue(self.bell.wait())

    def test_during_the_wait(self):
        thread = threading.Timer(.05, self.bell.ring)
        thread.start()
        self.assertTrue(self.bell.wait())
        thread.join()

    def test_for_several(self):
        heard = []
        threads = [threading.Thread(
            target=lambda: heard.append(self.bell.wait(60)))
            for _ in range(3)]
        for thread in threads:
            thread.start()
        self.bell.ring()
        for thread in threads:
            thread.join()
        self.assertEqual([True] * 3, heard)

    @gocept.filestore.tests.case.slow
    @gocept.filestore.tests.case.slow
    def test_silence(self):
        for times in (0, 1, 100_000):  # more than a pipe holds
            for _ in range(times):
                self.bell.ring()
            self.bell.silence()
            self.assertFalse(self.bell.wait(0))
        self.bell.ring()
        self.assertTrue(self.bell.wait(0))

    def test_others(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        with open(writer, 'wb', 0) as other:
            self.assertFalse(self.bell.wait(0, [reader]))
            other.write(b'.')
            self.assertFalse(self.bell.wait(None, [reader]))
            self.bell.ring()
            self.assertTrue(self.bell.wait(None, [reader]))

    def test_signal(self):
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(
            signal.SIGUSR1, lambda number, frame: self.bell.ring()))
        process = os.fork()
        if not process:
            os.kill(os.getppid(), signal.SIGUSR1)
            os._exit(0)
        self.assertTrue(self.bell.wait())
        os.waitpid(process, 0)

    def test_rung_by_signals(self):
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(
            signal.SIGUSR1, lambda number, frame: None))
        with self.bell.rung_by_signals():
            signal.raise_signal(signal.SIGUSR1)
            self.assertTrue(self.bell.wait())
        self.bell.silence()
        signal.raise_signal(signal.SIGUSR1)
        self.assertFalse(self.bell.wait(0))
        self.assertEqual(-1, signal.set_wakeup_fd(-1))

    def test_leaves_no_descriptor(self):
        before = os.listdir('/proc/self/fd')
        bell = gocept.filestore.disk.process.Bell()
        self.assertNotEqual(before, os.listdir('/proc/self/fd'))
        del bell
        self.assertEqual(before, os.listdir('/proc/self/fd'))

    def test_no_descriptor_can_be_had(self):
        self.assertEqual('24\n', self.python(
            'import resource\n'
            'limits = resource.getrlimit(resource.RLIMIT_NOFILE)\n'
            'resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))\n'
            'try:\n'
            '    gocept.filestore.disk.process.Bell()\n'
            'except OSError as error:\n'
            '    print(error.errno)\n'
            'resource.setrlimit(resource.RLIMIT_NOFILE, limits)'))

    def test_somebody_closes_what_is_open(self):
        self.assertEqual('', self.python(
            'bell = gocept.filestore.disk.process.Bell()\n'
            'os.closerange(3, 64)\n'
            'del bell'))

    def test_somebody_closes_what_signals_ring(self):
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(
            signal.SIGUSR1, lambda number, frame: None))
        with self.bell.rung_by_signals():
            for descriptor in self.bell._pipe:
                os.close(descriptor)
            self.assertFalse(self.bell.wait(0))
            signal.raise_signal(signal.SIGUSR1)
            self.assertTrue(self.bell.wait(0))

    def test_end_of_the_interpreter(self):
        self.assertEqual('', self.python(
            'bell = gocept.filestore.disk.process.Bell()'))

    def python(self, source):
        return subprocess.run(
            [sys.executable, '-c',
             'import gocept.filestore.disk.process, os\n' + source],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=gocept.filestore.tests.case.environment()).stdout


class Memory(unittest.TestCase):

    def test_is_what_is_there_now(self):
        megabytes = gocept.filestore.disk.process.megabytes
        before = megabytes()
        block = bytearray(b'x' * 50 * 2 ** 20)
        largest = megabytes()
        del block
        self.assertLess(before + 40, largest)
        self.assertLess(megabytes(), largest - 40)


class Ended(unittest.TestCase):

    def test_sentences(self):
        for status, sentence in [
                (0, 'exited with status 0'),
                (3, 'exited with status 3'),
                (-9, 'was killed by SIGKILL'),
                (-40, 'was killed by signal 40')]:
            self.assertEqual(
                sentence, gocept.filestore.disk.process.ended(status))
