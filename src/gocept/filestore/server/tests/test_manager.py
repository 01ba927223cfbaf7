import gocept.filestore.server.server
import gocept.filestore.server.tests.test_server
import gocept.filestore.tests.case
import os
import signal
import socket
import time
import unittest
import unittest.mock


SPAN = .6  # seconds of the watchdog


class Told(gocept.filestore.server.tests.test_server.Case):
    """A service manager, as the server sees it."""

    def setUp(self):
        super().setUp()
        environment = unittest.mock.patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.settimeout(30)

    def listen(self, address, **environment):
        self.socket.bind(address.replace('@', '\0'))
        os.environ.update(environment, NOTIFY_SOCKET=address)

    def listen_here(self, **environment):
        self.listen(str(self.directory / 'notify'), **environment)

    def told(self):
        """Return the lines of the next message."""
        return self.socket.recv(4096).decode().split('\n')

    def signs(self):
        """Return how many signs of life come next, and what follows."""
        number, told = 0, self.told()
        while told == ['WATCHDOG=1']:
            number, told = number + 1, self.told()
        return number, told

    def reload(self, server):
        """Return what it says at the end of it, and its signs until then."""
        server.send_signal(signal.SIGHUP)
        begin = time.monotonic_ns() // 1000
        _, told = self.signs()
        self.assertEqual(['RELOADING=1', 'STATUS=reloading'], told[::2])
        name, _, moment = told[1].partition('=')
        self.assertEqual('MONOTONIC_USEC', name)
        self.assertLess(abs(int(moment) - begin), 30_000_000)
        return self.signs()

    def stop(self, server):
        server.terminate()
        self.assertEqual(['STOPPING=1', 'STATUS=stopping'], self.signs()[1])
        self.assertEnds(server)

    @gocept.filestore.tests.case.slow
    def test_when_each_worker_has_been_started(self):
        self.listen_here()
        self.declare('name="a" workers="3"', 'name="b"')
        self.write('server.conf', 'site-definition site.zcml\n'
                   'pid-filename pid\n')
        server = self.serve('-c', 'server.conf')
        ready = ['READY=1', 'STATUS=2 declared, 4 workers']
        self.assertEqual(ready, self.told())
        self.assertEqual(4, self.logged('has started'))
        self.assertEqual([' %s' % server.pid], self.lines('pid'))
        self.declare()
        self.assertEqual(
            (0, ['READY=1', 'STATUS=1 declared, 1 workers']),
            self.reload(server))
        self.write('site.zcml', 'x')
        self.assertEqual('READY=1', self.reload(server)[1][0])
        self.assertEqual(1, self.logged('not reloaded'))
        self.stop(server)

    @gocept.filestore.tests.case.slow
    def test_abstract_address(self):
        self.listen('@%s' % self.directory)
        server = self.serve()
        self.assertEqual('READY=1', self.told()[0])
        self.stop(server)

    @gocept.filestore.tests.case.slow
    def test_signs_of_life(self):
        self.listen_here(WATCHDOG_USEC='%d' % (SPAN * 1e6))
        server = self.serve()
        self.signs()
        begin = time.monotonic()
        for _ in range(6):
            self.assertEqual(['WATCHDOG=1'], self.told())
        self.assertLess(SPAN, time.monotonic() - begin)
        self.write('shop.py', 'def handle(claim): pass\n'
                   'import time\ntime.sleep(%s)\n' % SPAN)
        number, told = self.reload(server)
        self.assertLess(0, number)
        self.assertEqual('READY=1', told[0])
        self.stop(server)

    @gocept.filestore.tests.case.slow
    def test_no_sign_of_one_who_does_not_go_round(self):
        self.listen_here(WATCHDOG_USEC='%d' % (SPAN * 1e6))
        server = self.serve()
        self.signs()
        server.send_signal(signal.SIGSTOP)
        self.socket.settimeout(2 * SPAN)
        with self.assertRaises(TimeoutError):
            self.signs()
        server.send_signal(signal.SIGCONT)
        self.socket.settimeout(30)
        self.stop(server)

    @gocept.filestore.tests.case.slow
    def test_handlers_do_not_know_of_it(self):
        self.listen_here(WATCHDOG_USEC='10000000', WATCHDOG_PID='1')
        self.write('shop.py', 'import subprocess\n'
                   'def handle(claim):\n'
                   '    with open("log", "w") as f:\n'
                   '        subprocess.call(["env"], stdout=f)\n')
        server = self.serve()
        self.publish('a')
        self.wait_for_files(cur=['a'])
        names = [line.partition('=')[0] for line in self.lines('log')]
        self.assertIn('PATH', names)
        for name in ('NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID'):
            self.assertNotIn(name, names)
        self.assertEqual('READY=1', self.told()[0])
        self.stop(server)

    @gocept.filestore.tests.case.slow
    def test_nobody_listens(self):
        os.environ['NOTIFY_SOCKET'] = str(self.directory / 'notify')
        self.publish('a')
        server = self.serve()
        self.wait_for_files(cur=['a'])
        self.assertEqual(1, self.logged('who has started us is not told: '
                                        '[Errno 2]'))
        server.terminate()
        self.assertEnds(server)


class Manager(unittest.TestCase):

    def pause(self, **environment):
        return gocept.filestore.server.server.Manager(environment).pause

    def test_watchdog(self):
        self.assertEqual(10, self.pause(WATCHDOG_USEC='30000000'))
        self.assertEqual(1, self.pause(
            WATCHDOG_USEC='3000000', WATCHDOG_PID=str(os.getpid())))

    def test_no_watchdog(self):
        for usec, process in [
                ('', ''), ('0', ''), ('x', ''), ('-1', ''), ('30', '1')]:
            self.assertIsNone(self.pause(
                WATCHDOG_USEC=usec, WATCHDOG_PID=process))
