import gocept.filestore.disk.process
import gocept.filestore.tests.case
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import unittest


def tell(connection):
    connection.send((gocept.filestore.disk.process.number, os.getpid()))


class Process(unittest.TestCase):

    def test_number(self):
        self.assertEqual(os.getpid(), gocept.filestore.disk.process.number)

    def test_of_a_child(self):
        for method in ('fork', 'spawn'):
            ours, theirs = multiprocessing.Pipe()
            child = multiprocessing.get_context(method).Process(
                target=tell, args=[theirs])
            child.start()
            self.assertTrue(ours.poll(60))
            self.assertEqual((child.pid, child.pid), ours.recv())
            child.join()


class Bell(unittest.TestCase):

    def setUp(self):
        self.bell = gocept.filestore.disk.process.Bell()

    def test_nobody_rings(self):
        for seconds in (-1, 0, .01):
            self.assertFalse(self.bell.wait(seconds))

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

    def test_end_of_the_interpreter(self):
        self.assertEqual('', self.python(
            'bell = gocept.filestore.disk.process.Bell()'))

    def python(self, source):
        return subprocess.run(
            [sys.executable, '-c',
             'import gocept.filestore.disk.process\n' + source],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=gocept.filestore.tests.case.environment()).stdout


class Ended(unittest.TestCase):

    def test_sentences(self):
        for status, sentence in [
                (0, 'exited with status 0'),
                (3, 'exited with status 3'),
                (-9, 'was killed by SIGKILL'),
                (-40, 'was killed by signal 40')]:
            self.assertEqual(
                sentence, gocept.filestore.disk.process.ended(status))
