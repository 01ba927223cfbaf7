import contextlib
import gocept.filestore.interfaces
import gocept.filestore.server.deployment
import gocept.filestore.server.server
import gocept.filestore.server.worker
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import multiprocessing.util
import os
import random
import re
import signal
import subprocess
import sys
import time
import unittest
import zope.interface.verify


SITE = """
<configure
    xmlns="http://namespaces.zope.org/zope"
    xmlns:filestore="http://namespaces.gocept.com/filestore">
  <include package="gocept.filestore" />
  %s
</configure>
"""
STORE = '<filestore:store name="s" path="{}" durable="no" />'
CONSUMER = '<filestore:consumer store="s" handler="shop.handle" {} />'
# It tells that it works, then waits at the gate.
WAIT = """
import multiprocessing
import os
def handle(claim):
    with open('started', 'a') as f:
        f.write('%s\\n' % os.getpid())
    with open('gate', 'rb', 0) as f:
        f.read(1)
"""
LOG = """
import multiprocessing
import os
def handle(claim):
    with open('log', 'a') as f:
        f.write('%s\\n' % claim.filename)
"""


class Case(gocept.filestore.tests.command.Case):
    """Each test serves a site of its own."""

    def setUp(self):
        super().setUp()
        sys.path.append(str(self.directory))
        self.addCleanup(sys.path.remove, str(self.directory))
        self.write('shop.py', LOG)
        self.declare()

    def write(self, name, text):
        self.directory.joinpath(name).write_text(text)

    def declare(self, *options):
        """Declare a consumer for each of the strings, or a plain one."""
        self.site(STORE.format(self.path), *(
            CONSUMER.format(option) for option in options or ['']))

    def site(self, *directives):
        self.write('site.zcml', SITE % '\n  '.join(directives))

    def serve(self, *options):
        """Start a server, whose log goes to a file."""
        with open(self.directory / 'output', 'w') as output:
            return self.start(
                'serve', *(options or ['site.zcml']), stderr=output)

    def logged(self, text):
        return self.output().count(text)

    def count(self, pattern):
        return len(re.findall(pattern, self.output()))

    def output(self):
        return self.directory.joinpath('output').read_text()

    def workers(self):
        """Return the process ids of the three last workers."""
        return [int(number) for number in re.findall(
            r'process (\d+) has started', self.output())][-3:]

    def wait_for_log(self, text, number=1):
        self.wait(lambda: self.logged(text) >= number)

    def refused(self, *options):
        """Return the one line that it says when it does not start."""
        status, output, messages = self.filestore(
            'serve', *(options or ['site.zcml']))
        self.assertEqual((1, b'', 1), (status, output, len(messages)))
        return messages[0].replace(str(self.directory), '')

    def publish(self, *names):
        for name in names:
            with self.store.publish(name):
                pass

    def started(self):
        return [int(line) for line in self.lines('started')]

    def wait_for_handlers(self, number):
        self.wait(lambda: len(self.started()) >= number)

    def wait_for_files(self, **spaces):
        self.wait(lambda: spaces.items() <= self.tree().items())

    def assertEnds(self, server, number=signal.SIGTERM):
        self.assertEqual(-number, server.wait(60))
        for process in self.started():
            self.assertFalse(is_alive(process))


def is_alive(process):
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False


class Serve(Case):

    @gocept.filestore.tests.case.slow
    def test_several_consumers_and_workers(self):
        self.write('shop.py', WAIT)
        self.declare('name="a" include="a*" workers="2"',
                     'name="b" exclude="a*"')
        self.publish('a1', 'a2', 'a3', 'b1', 'b2')
        server = self.serve()
        self.wait_for_handlers(3)
        self.assertEqual(
            {'work': ['a1', 'a2', 'b1'], 'new': ['a3', 'b2']}, self.tree())
        self.assertEqual(3, len(set(self.started())))
        self.assertEqual(
            (2, 1), (self.count(r's/a: process \d+ has started'),
                     self.count(r's/b: process \d+ has started')))
        self.release(5)
        self.wait_for_files(cur=['a1', 'a2', 'a3', 'b1', 'b2'])
        server.terminate()
        self.assertEnds(server)

    def check_stopped(self, number):
        self.write('shop.py', WAIT)
        self.publish('a', 'b')
        server = self.serve()
        self.wait_for_handlers(1)
        server.send_signal(number)
        server.send_signal(number)
        self.wait_for_sleep(server.pid)
        self.assertEqual({'work': ['a'], 'new': ['b']}, self.tree())
        self.release(2)
        self.assertEnds(server, number)
        self.assertEqual({'cur': ['a'], 'new': ['b']}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_log_that_can_not_be_written(self):
        self.publish('a')
        with open('/dev/full', 'w') as log:
            server = self.start('serve', 'site.zcml', stderr=log)
        self.wait_for_files(cur=['a'])
        server.terminate()
        self.assertEqual(-signal.SIGTERM, server.wait(60))

    @gocept.filestore.tests.case.slow
    def test_terminated(self):
        self.check_stopped(signal.SIGTERM)

    @gocept.filestore.tests.case.slow
    def test_interrupted(self):
        self.check_stopped(signal.SIGINT)

    @gocept.filestore.tests.case.slow
    def test_interrupted_by_the_keyboard(self):
        self.write('shop.py', WAIT)
        self.publish('a', 'b')
        terminal = self.in_terminal('serve', 'site.zcml')
        self.wait_for_handlers(1)
        terminal.interrupt()
        self.wait_for_sleep(terminal.process.pid)
        self.release(2)
        self.assertEqual(-signal.SIGINT, terminal.finish()[0])
        self.assertEqual({'cur': ['a'], 'new': ['b']}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_there_is_no_terminal_to_ask_on(self):
        self.write('shop.py', 'import os\n'
                   'def handle(claim):\n'
                   '    assert not os.isatty(0)\n'
                   '    open("/dev/tty")\n')
        self.publish('a')
        terminal = self.in_terminal('serve', 'site.zcml')
        self.wait_for_files(attempts=['a'])
        terminal.interrupt()
        self.assertEqual(-signal.SIGINT, terminal.finish()[0])
        self.assertIn("No such device or address: '/dev/tty'",
                      self.read('attempts', 'a'))

    def test_stopped_while_it_loads(self):
        self.write('shop.py', 'import time\ntime.sleep(.5)\n' + LOG)
        server = self.serve()
        server.terminate()
        self.assertEnds(server)

    @gocept.filestore.tests.case.slow
    def test_killed(self):
        # Nobody is left to end them, so they notice it themselves.
        self.write('shop.py', WAIT)
        self.declare('workers="2"')
        self.publish('a')
        server = self.serve()
        self.wait_for_handlers(1)
        self.wait_for_log('woken', 2)
        busy, = self.started()
        idle, = set(self.workers()) - {busy}
        self.wait_for_sleep(busy)
        wakings = gocept.filestore.tests.command.wakings(busy)
        server.kill()
        server.wait()
        self.wait(lambda: not is_alive(idle))
        self.wait(lambda: gocept.filestore.tests.command.wakings(
            busy) > wakings)
        self.publish('b')
        self.release(2)
        self.wait_for_files(cur=['a'])
        self.wait(lambda: not is_alive(busy))
        self.assertEqual({'cur': ['a'], 'new': ['b']}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_many_signals(self):
        self.publish('a')
        server = self.serve()
        self.wait_for_log('has started')
        for number in [signal.SIGHUP, signal.SIGTERM, signal.SIGINT] * 20:
            server.send_signal(number)
        self.assertIn(server.wait(60), (-signal.SIGTERM, -signal.SIGINT))

    @gocept.filestore.tests.case.slow
    def test_in_a_storm(self):
        names = ['file-%03d' % number for number in range(300)]
        self.write('shop.py', 'import time\n' + LOG + '    time.sleep(.01)')
        self.declare('workers="3"')
        server = self.serve()
        self.wait_for_log('has started', 3)
        for number, name in enumerate(names):
            self.publish(name)
            time.sleep(.01)
            if number % 60 == 10:
                server.send_signal(signal.SIGHUP)
            if number % 60 == 40:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(random.choice(self.workers()), signal.SIGKILL)
        self.wait_for_files(cur=names)
        server.terminate()
        self.assertEnds(server)
        self.assertEqual(set(names), set(self.lines('log')))


class Reload(Case):

    @gocept.filestore.tests.case.slow
    def test_running_handlers_finish_before(self):
        self.write('shop.py', WAIT)
        self.publish('a', 'b')
        server = self.serve()
        self.wait_for_handlers(1)
        self.write('shop.py', LOG)
        server.send_signal(signal.SIGHUP)
        self.wait_for_log('reloading')
        self.assertEqual({'work': ['a'], 'new': ['b']}, self.tree())
        self.release()
        self.wait_for_files(cur=['a', 'b'])
        self.assertEqual(['b'], self.lines('log'))
        server.terminate()
        self.assertEnds(server)

    @gocept.filestore.tests.case.slow
    def test_each_worker_is_exchanged_by_itself(self):
        self.write('shop.py', WAIT)
        self.declare('name="a" include="a"', 'name="b" include="b*"',
                     'name="c" include="c"')
        self.publish('a', 'c')
        server = self.serve()
        self.wait_for_handlers(2)
        self.write('shop.py', LOG)
        self.declare('name="a" include="a"', 'name="b" include="b*"')
        for number in (1, 2):
            server.send_signal(signal.SIGHUP)
            self.wait(lambda number=number: self.count(
                r's/b: process \d+ has started') == 1 + number)
            self.publish('b%d' % number)
            self.wait_for_files(
                work=['a', 'c'], cur=['b1', 'b2'][:number])
        self.release(2)
        self.wait_for_files(cur=['a', 'b1', 'b2', 'c'])
        self.publish('a', 'c')
        self.wait_for_files(new=['c'], cur=['a', 'b1', 'b2', 'c'])
        self.wait(lambda: self.lines('log')[2:])
        self.assertEqual(['b1', 'b2', 'a'], self.lines('log'))
        self.assertEqual(1, self.count(r's/c: process \d+ has ended'))
        server.terminate()
        self.assertEnds(server)

    @gocept.filestore.tests.case.slow
    def test_what_is_wrong_changes_nothing(self):
        server = self.serve()
        self.wait_for_log('woken')
        for number, (name, text) in enumerate([
                ('shop.py', 'def handle('),
                ('shop.py', 'import os; os._exit(3)'),
                ('site.zcml', ''), ('site.zcml', SITE % '')]):
            before = self.directory.joinpath(name).read_text()
            self.write(name, text)
            server.send_signal(signal.SIGHUP)
            self.wait_for_log('not reloaded', number + 1)
            self.write(name, before)
        self.publish('a')
        self.wait_for_files(cur=['a'])
        self.assertEqual(1, self.logged('has started'))
        server.terminate()
        self.assertEnds(server)

    @gocept.filestore.tests.case.slow
    def test_what_is_wrong_with_the_application(self):
        # It raises what nobody has heard of.
        self.write('shop.py', LOG)
        server = self.serve()
        self.wait_for_log('has started')
        self.directory.joinpath('site.zcml').unlink()
        server.send_signal(signal.SIGHUP)
        self.wait_for_log('not reloaded: [Errno 2]')
        server.terminate()
        self.assertEnds(server)


class Death(Case):

    @gocept.filestore.tests.case.slow
    def test_parent_that_ignores_the_end_of_children(self):
        self.write('shop.py', 'import subprocess\n'
                   'def handle(claim):\n'
                   '    status = subprocess.call(["false"])\n'
                   '    open("log", "w").write("%s\\n" % status)\n')
        self.publish('a')
        server = self.serve_ignoring()
        self.wait_for_files(cur=['a'])
        self.assertEqual(['1'], self.lines('log'))
        os.kill(self.workers()[0], signal.SIGKILL)
        self.wait_for_log('was killed by SIGKILL; the next one starts in 1')
        server.terminate()
        self.assertEnds(server)

    def serve_ignoring(self):
        with open(self.directory / 'output', 'w') as output:
            return self.start(
                *gocept.filestore.tests.command.FILESTORE, 'serve',
                'site.zcml', stderr=output,
                command=('sh', '-c', 'trap "" CHLD; exec "$@"', '-'))

    @gocept.filestore.tests.case.slow
    def test_a_worker_whose_child_lives_on(self):
        self.write('shop.py', """
import os, subprocess
def handle(claim):
    if not os.fork():
        open('gate').read(1)
        os._exit(0)
    status = subprocess.call(['false'])
    with open('started', 'a') as f:
        f.write('%s\\n' % os.getpid())
    os._exit(status)
""")
        self.publish('a')
        server = self.serve()
        self.wait_for_log('exited with status 1; the next one starts in 1')
        self.release(9)
        server.terminate()
        self.assertEnds(server)

    @gocept.filestore.tests.case.slow
    def test_a_worker_that_can_not_load(self):
        # The first one looks whether it can be loaded.
        self.write('shop.py', 'import pathlib\n'
                   'seen = pathlib.Path("seen")\n'
                   'if seen.exists(): raise ValueError("no more")\n'
                   'seen.touch()\n' + LOG)
        server = self.serve()
        self.wait_for_log('exited with status 1')
        self.assertEqual(1, self.logged(
            'the next one starts in 1 seconds'))
        self.assertIn('ValueError: no more',
                      self.output())
        self.directory.joinpath('seen').unlink()
        self.publish('a')
        self.wait_for_files(cur=['a'])
        server.terminate()
        self.assertEnds(server)

    @gocept.filestore.tests.case.slow
    def test_what_a_subscriber_raises_is_logged(self):
        self.write('shop.py', """
import gocept.filestore
import gocept.filestore.interfaces
import zope.event
def handle(claim):
    raise gocept.filestore.Reject('no order')
def tell(event):
    if gocept.filestore.interfaces.IGivenUp.providedBy(event):
        raise LookupError('no mail host')
zope.event.subscribers.append(tell)
""")
        self.write('server.conf', """
site-definition site.zcml
<eventlog>
  <logfile>
    path server.log
    format %(levelname)s %(message)s
  </logfile>
</eventlog>
""")
        server = self.serve('-c', 'server.conf')
        self.publish('a')
        self.wait_for_files(failed=['a'])
        path = self.directory / 'server.log'
        self.wait(lambda: 'the next one starts' in path.read_text())
        log = path.read_text()
        self.assertIn(
            'ERROR s: ended by LookupError: no mail host\nTraceback', log)
        self.assertIn('exited with status 1; the next one starts in 1', log)
        self.assertEqual('', self.output())
        server.terminate()
        self.assertEnds(server)

    def test_delays(self):
        now = [0]
        worker = gocept.filestore.server.worker.Worker(
            'title', lambda: sys.exit(3), os.pipe(), lambda: now[0])
        delays = []
        with self.assertLogs('gocept.filestore.server.worker', 'ERROR'):
            for _ in range(9):
                worker.tend()
                self.assertIsNone(worker.pause())
                for process in multiprocessing.active_children():
                    process.join()
                now[0] += 120 if len(delays) == 7 else .5
                worker.tend()
                delays.append(worker.pause())
                worker.tend()
                now[0] += delays[-1]
        self.assertEqual([1, 2, 4, 8, 16, 32, 60, 1, 2], delays)

    def test_signal_while_it_ends(self):
        def work():
            multiprocessing.util.Finalize(
                None, os.kill, (os.getpid(), signal.SIGTERM), exitpriority=0)
            sys.exit(3)

        worker = gocept.filestore.server.worker.Worker(
            'title', work, os.pipe())
        with self.assertLogs('gocept.filestore.server.worker') as logs:
            worker.tend()
            for process in multiprocessing.active_children():
                process.join()
            worker.tend()
        self.assertIn('exited with status 3', logs.output[-1])

    @gocept.filestore.tests.case.needs_root('become somebody who may not fork')
    def test_no_process_can_be_started(self):
        program = (
            'import gocept.filestore.server.worker as p\n'
            'import logging, os, resource\n'
            'import multiprocessing.popen_fork\n'  # nobody may not read it
            'logging.basicConfig()\n'
            'os.setresuid(%s, %s, 0)\n'
            'resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))\n'
            'worker = p.Worker("title", print, os.pipe())\n'
            'worker.tend()\n'
            'print(worker.pause() > .9)\n'
            'worker.exchange(None)\n'
            'print(worker.tend())\n'
            'os.setresuid(0, 0, 0)' %
            ((gocept.filestore.tests.case.NOBODY, ) * 2))
        result = subprocess.run(
            [sys.executable, '-c', program], capture_output=True, text=True,
            env=gocept.filestore.tests.case.environment())
        self.assertEqual('True\nFalse\n', result.stdout)
        self.assertIn('title: no process can be started', result.stderr)


class Refused(Case):

    @gocept.filestore.tests.case.slow
    def test_usage(self):
        message = ('filestore: it takes one of SITE.ZCML, --zope and '
                   '--configuration')
        for options in ([], ['site.zcml', '-c', 'x']):
            status, _, messages = self.filestore('serve', *options)
            self.assertEqual((2, [message]), (status, messages))

    @gocept.filestore.tests.case.slow
    def test_no_consumer(self):
        self.site()
        self.assertEqual(
            'filestore: neither a consumer nor an intake is declared',
            self.refused())

    @gocept.filestore.tests.case.slow
    def test_no_file(self):
        self.assertEqual(
            "filestore: '/nothing.zcml': No such file or directory",
            self.refused('nothing.zcml'))

    @gocept.filestore.tests.case.slow
    def test_no_xml(self):
        self.write('site.zcml', '<configure>\n</x>')
        self.assertEqual(
            'filestore: /site.zcml:2:2: mismatched tag',
            self.refused())

    @gocept.filestore.tests.case.slow
    def test_no_text(self):
        (self.directory / 'site.zcml').write_bytes(b'\xff')
        self.assertEqual(
            "filestore: site.zcml: 'utf-8' codec can't decode byte 0xff in "
            'position 0: invalid start byte', self.refused())

    @gocept.filestore.tests.case.slow
    def test_dies_while_it_loads(self):
        self.write('shop.py', 'import os; os._exit(3)')
        self.assertEqual(
            'filestore: the process that loads the configuration has died',
            self.refused())

    @gocept.filestore.tests.case.slow
    def test_unexpected(self):
        # That is for who develops the application.
        self.write('site.zcml', SITE % '<include package="shop" />')
        self.write('shop.py', 'raise SystemExit("no more")')
        status, output, messages = self.filestore('serve', 'site.zcml')
        self.assertEqual(
            (1, ['no more', 'filestore: the process that loads the '
                 'configuration has died']), (status, messages))

    @gocept.filestore.tests.case.slow
    def test_nothing_is_half_started(self):
        self.declare('name="a"', 'name="b" rate="0"')
        self.publish('a')
        message = self.refused()
        self.assertRegex(message, 'File "/site.zcml", line 8.* a rate is a')
        self.assertEqual({'new': ['a']}, self.tree())
        self.assertEqual([], self.lines('log'))


class Configuration(Case):

    @gocept.filestore.tests.case.slow
    def test_log_whose_encoding_does_not_have_a_name(self):
        # As it is made, and as it is opened again.
        log = self.directory / 'log'
        self.child().run(
            'import gocept.filestore.server.deployment as deployment\n'
            'import logging\n'
            'def eventlog():\n'
            '    for delay in (False, True):\n'
            '        logging.root.addHandler(logging.FileHandler(\n'
            '            %r, encoding="utf-8", delay=delay))\n'
            'deployment.by_zcml("", eventlog=eventlog).start_logging()\n'
            'logging.root.addHandler(logging.NullHandler())\n'
            'logging.error("\\udcff")' % str(log))
        self.assertEqual('\\udcff\n' * 2, log.read_text())

    def configure(self, *lines):
        self.write('server.conf', '\n'.join(lines) + '\n')

    def refused(self, *lines):
        self.configure(*lines)
        return super().refused('-c', 'server.conf')

    @gocept.filestore.tests.case.slow
    def test_workers(self):
        self.configure('site-definition site.zcml', 'workers 3',
                       'pid-filename pid')
        self.declare('name="a"', 'name="b" workers="1"')
        server = self.serve('-c', 'server.conf')
        self.wait_for_log('has started', 4)
        self.assertEqual(
            [' %s' % server.pid], self.lines('pid'))
        server.terminate()
        self.assertEnds(server)
        self.assertEqual(
            (3, 1), (self.count(r's/a: process \d+ has started'),
                     self.count(r's/b: process \d+ has started')))
        self.assertFalse((self.directory / 'pid').exists())

    def configure_log(self, path):
        self.configure(
            'site-definition site.zcml', '<eventlog>', '<logfile>',
            'path ' + path, '</logfile>', '</eventlog>')

    @gocept.filestore.tests.case.slow
    def test_log_that_can_not_be_opened_changes_nothing(self):
        self.configure_log('log.txt')
        server = self.serve('-c', 'server.conf')
        log = self.directory / 'log.txt'
        self.wait(lambda: log.exists() and 'has started' in log.read_text())
        self.configure_log('nowhere/log.txt')
        server.send_signal(signal.SIGHUP)
        self.wait(lambda: 'not reloaded: [Errno 2]' in log.read_text())
        self.publish('a')
        self.wait(lambda: '/work/a: attempt 1 done' in log.read_text())
        self.assertEqual(1, log.read_text().count('has started'))
        server.terminate()
        self.assertEnds(server)

    @gocept.filestore.tests.case.slow
    def test_log_is_opened_again(self):
        self.configure_log('log.txt')
        server = self.serve('-c', 'server.conf')
        log = self.directory / 'log.txt'
        self.wait(lambda: log.exists() and 'has started' in log.read_text())
        log.rename(self.directory / 'log.old')
        server.send_signal(signal.SIGHUP)
        self.wait(lambda: log.exists() and 'has started' in log.read_text())
        self.publish('a')
        self.wait(lambda: '/work/a: attempt 1 done' in log.read_text())
        server.terminate()
        self.assertEnds(server)

    @gocept.filestore.tests.case.slow
    def test_mistakes(self):
        for lines, message in [
                (['workers 1'], 'server.conf: it takes one of '
                 'site-definition and zope-conf'),
                (['site-definition site.zcml', 'zope-conf site.zcml'],
                 'server.conf: it takes one of site-definition and '
                 'zope-conf'),
                (['site-definition site.zcml', 'workers 0'], '0'),
                (['site-definition nothing'], 'nothing'),
                (['site'], "server.conf: 'site' is not a known key name"),
                (['workers x'], "'x' (line 1, in file:///server.conf)")]:
            with self.subTest(lines):
                self.assertIn(message, self.refused(*lines))

    def test_instance_of_zope(self):
        # That there is no Zope here is told as late as it is loaded.
        self.write('zope.conf', '')
        self.configure('zope-conf %s' % (self.directory / 'zope.conf'),
                       'workers 3')
        deployment = gocept.filestore.server.deployment.by_configuration(
            str(self.directory / 'server.conf'))
        self.assertEqual(3, deployment.workers)
        with self.assertRaisesRegex(
                gocept.filestore.interfaces.InvalidDeclaration,
                "^/.*/zope.conf: Zope can not be imported: .*'Zope2'$"):
            deployment.load()

    @gocept.filestore.tests.case.slow
    def test_without_the_extra(self):
        self.configure('site-definition site.zcml')
        status, output, messages = self.filestore(
            '-c', 'import sys\n'
            'sys.modules["ZConfig.datatypes"] = None\n'
            'import gocept.filestore.__main__ as cli\n'
            'sys.exit(cli.main(["serve", "-c", "server.conf"]))',
            command=[sys.executable])
        self.assertEqual(
            (1, ['filestore: ZConfig is not installed, the extra [server] '
                 'has it']), (status, messages))


class Contracts(unittest.TestCase):

    def test_objects(self):
        deployment = gocept.filestore.server.deployment.by_zope('zope.conf')
        zope.interface.verify.verifyObject(
            gocept.filestore.interfaces.IDeployment, deployment)
        zope.interface.verify.verifyObject(
            gocept.filestore.interfaces.IServer,
            gocept.filestore.server.server.Server(lambda: deployment))

    def test_exchanges_a_worker_of_the_same_title(self):
        first, second = workers = [
            gocept.filestore.server.worker.Worker(title, None, None)
            for title in 'ab']
        exchanged = gocept.filestore.server.server.exchanged
        self.assertIs(second, exchanged(workers, 'b', None))
        self.assertEqual([first], workers)
        self.assertIsNone(exchanged(workers, 'b', None))

    @gocept.filestore.tests.case.slow
    @gocept.filestore.tests.case.slow
    def test_wakes_as_often_as_it_is_told(self):
        server = gocept.filestore.server.server.Server(None)
        for _ in range(100000):
            server.reload()
        server.stop()
        server._wait()
