import contextlib
import gocept.filestore.server.deployment
import gocept.filestore.server.tests.test_server
import gocept.filestore.tests.case
import os
import pathlib
import re
import signal
import socket
import urllib.request
import ZConfig


LOG = gocept.filestore.server.tests.test_server.LOG
# It loads for ever while there is this file, and tells who does.
HANG = """
import os, time
while os.path.exists('hang'):
    with open('loading', 'a') as f:
        f.write('%s\\n' % os.getpid())
    time.sleep(3600)
""" + LOG


class Case(gocept.filestore.server.tests.test_server.Case):

    def stop(self, server, number=signal.SIGTERM):
        server.send_signal(number)
        self.assertEnds(server, number)


class Hanging(Case):
    """What loads for ever keeps nobody from anything."""

    def setUp(self):
        super().setUp()
        self.write('shop.py', HANG)
        self.write('hang', '')

    def loading(self, number=1):
        """Return the process that loads as this one, when it does."""
        self.wait(lambda: len(self.lines('loading')) >= number)
        return int(self.lines('loading')[number - 1])

    def wait_for_end(self, process):
        is_alive = gocept.filestore.server.tests.test_server.is_alive
        self.wait(lambda: not is_alive(process))

    def serve_first(self):
        """Start, and then let the reload hang."""
        os.unlink(self.directory / 'hang')
        server = self.serve()
        self.wait_for_log('woken')
        self.write('hang', '')
        server.send_signal(signal.SIGHUP)
        return server

    def check_stopped(self, server, number):
        process = self.loading()
        self.assertEqual(b'filestore: loading', pathlib.Path(
            '/proc', str(process), 'cmdline').read_bytes().rstrip(b'\0'))
        self.stop(server, number)
        self.assertFalse(
            gocept.filestore.server.tests.test_server.is_alive(process))
        self.assertEqual(0, self.logged('ERROR'))

    @gocept.filestore.tests.case.slow
    def test_is_stopped_at_start(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.check_stopped(self.serve(), number)
            self.assertEqual('', self.output())
            os.unlink(self.directory / 'loading')

    @gocept.filestore.tests.case.slow
    def test_is_stopped_at_a_reload(self):
        self.check_stopped(self.serve_first(), signal.SIGTERM)
        self.assertEqual(1, self.logged(
            'INFO gocept.filestore.server.server not reloaded: a signal came '
            'before all was loaded'))

    @gocept.filestore.tests.case.slow
    def test_is_read_anew_at_start(self):
        server = self.serve()
        process = self.loading()
        os.unlink(self.directory / 'hang')
        server.send_signal(signal.SIGHUP)
        self.wait_for_log('has started')
        self.assertFalse(
            gocept.filestore.server.tests.test_server.is_alive(process))
        self.stop(server)

    @gocept.filestore.tests.case.slow
    def test_is_read_anew_at_a_reload(self):
        server = self.serve_first()
        for number in (1, 2):
            process = self.loading(number)
            server.send_signal(signal.SIGHUP)
            self.wait_for_end(process)
        process = self.loading(3)
        os.unlink(self.directory / 'hang')
        server.send_signal(signal.SIGHUP)
        self.wait_for_log('has started', 2)
        self.assertEqual((3, 1), (self.logged('not reloaded: a signal came'),
                                  self.logged('server reloading')))
        self.stop(server)

    @gocept.filestore.tests.case.slow
    def test_workers_go_on_and_dead_ones_are_replaced(self):
        server = self.serve_first()
        process = self.loading()
        os.unlink(self.directory / 'hang')
        self.publish('a')
        self.wait_for_files(cur=['a'])
        os.kill(self.workers()[0], signal.SIGKILL)
        self.wait_for_log('has started', 2)
        self.publish('b')
        self.wait_for_files(cur=['a', 'b'])
        self.assertEqual([str(process)], self.lines('loading'))
        self.stop(server)

    @gocept.filestore.tests.case.slow
    def test_ends_with_the_server(self):
        server = self.serve()
        process = self.loading()
        server.kill()
        server.wait()
        self.wait_for_end(process)

    @gocept.filestore.tests.case.slow
    def test_a_thread_that_has_no_end(self):
        os.unlink(self.directory / 'hang')
        self.write('shop.py', 'import os, threading\n'
                   'stay = os.path.exists("loaded")\n'
                   'open("loaded", "w").close()\n'
                   'wait = threading.Event().wait\n'
                   'stay or threading.Thread(target=wait).start()\n' + LOG)
        server = self.serve()
        self.publish('a')
        self.wait_for_files(cur=['a'])
        self.stop(server)


class Settings(Case):
    """Each setting of the configuration counts from the reload on."""

    def test_table(self):
        schema = ZConfig.loadSchema(gocept.filestore.server.deployment.SCHEMA)
        self.assertEqual(
            {info.attribute for _, info in schema},
            {name.removeprefix('check_') for name in dir(self)
             if name.startswith('check_')})

    @gocept.filestore.tests.case.slow
    def test_each(self):
        for name in sorted(dir(self)):
            if name.startswith('check_'):
                with self.subTest(name):
                    self.check(getattr(self, name))

    def check(self, check):
        """Serve with the lines that it yields first, then with the others."""
        lines = check()
        self.configure(next(lines))
        server = self.serve('-c', 'server.conf')
        self.wait_for_log('has started')
        for more in lines:
            self.configure(more)
            server.send_signal(signal.SIGHUP)
        self.stop(server)

    def configure(self, lines):
        if 'zope-conf' not in lines and 'site-definition' not in lines:
            lines += '\nsite-definition site.zcml'
        self.write('server.conf', lines + '\n')

    def check_site_definition(self):
        yield 'site-definition site.zcml'
        self.site(
            gocept.filestore.server.tests.test_server.STORE.format(self.path),
            gocept.filestore.server.tests.test_server.CONSUMER.format(
                'name="other"'))
        os.rename(self.directory / 'site.zcml', self.directory / 'other.zcml')
        self.declare()
        yield 'site-definition other.zcml'
        self.wait_for_log('s/other: process')

    def check_zope_conf(self):
        # That there is no Zope here shows that it is what was wanted.
        yield 'site-definition site.zcml'
        self.write('zope.conf', '')
        yield 'zope-conf zope.conf'
        self.wait_for_log("No module named 'Zope2'")
        self.wait_for_log('not reloaded')

    def check_workers(self):
        yield 'workers 1'
        yield 'workers 3'
        self.wait_for_log('has started', 4)

    def check_pid_filename(self):
        yield 'pid-filename one.pid'
        pid, = self.lines('one.pid')
        yield 'pid-filename two.pid'
        self.wait_for_log('has started', 2)
        self.assertEqual(([], [pid]),
                         (self.lines('one.pid'), self.lines('two.pid')))

    def check_metrics(self):
        with contextlib.closing(socket.create_server(
                ('127.0.0.1', 0))) as free:
            address = '127.0.0.1:%s' % free.getsockname()[1]
        yield 'metrics 0'
        yield 'metrics ' + address
        self.wait_for_log('metrics at http://' + address)
        url = re.findall('metrics at (http.*)', self.output())[-1]
        with urllib.request.urlopen(url, timeout=30) as answer:
            self.assertEqual(200, answer.status)

    def check_eventlog(self):
        yield ''
        log = self.directory / 'log.txt'
        yield '<eventlog>\n<logfile>\npath log.txt\n</logfile>\n</eventlog>'
        self.wait(lambda: log.exists() and 'has started' in log.read_text())
        self.assertEqual(1, self.logged('has started'))


class PidFile(Case):

    def configure(self, *lines):
        self.write('server.conf', '\n'.join(
            ['site-definition site.zcml', *lines]) + '\n')

    def pid_files(self):
        return sorted(path.name for path in self.directory.glob('*.pid'))

    @gocept.filestore.tests.case.slow
    def test_changes_its_place_if_all_is_right(self):
        self.configure('pid-filename one.pid')
        server = self.serve('-c', 'server.conf')
        self.wait_for_log('has started')
        self.write('site.zcml', '')
        self.configure('pid-filename two.pid')
        server.send_signal(signal.SIGHUP)
        self.wait_for_log('not reloaded')
        self.assertEqual(['one.pid'], self.pid_files())
        self.declare()
        for number, line in enumerate([
                'pid-filename two.pid', '',
                'pid-filename one.pid',
                'pid-filename %s' % (self.directory / 'one.pid')]):
            self.configure(line)
            server.send_signal(signal.SIGHUP)
            self.wait_for_log('has started', 2 + number)
            self.assertEqual([os.path.basename(line.split()[-1])]
                             if line else [], self.pid_files())
        self.stop(server)
        self.assertEqual([], self.pid_files())

    @gocept.filestore.tests.case.slow
    def test_that_another_one_has(self):
        self.configure('pid-filename one.pid')
        first = self.serve('-c', 'server.conf')
        self.wait_for_log('has started')
        self.configure('pid-filename two.pid')
        second = self.serve('-c', 'server.conf')
        self.wait_for_log('has started')
        self.configure('pid-filename one.pid')
        second.send_signal(signal.SIGHUP)
        self.wait_for_log('ERROR gocept.filestore.server.server not reloaded: '
                          'one.pid: another process has locked it')
        self.assertEqual(1, self.logged('ERROR'))
        self.stop(second)
        self.assertEqual(['one.pid'], self.pid_files())
        os.unlink(self.directory / 'one.pid')
        self.stop(first)
