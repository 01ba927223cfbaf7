import contextlib
import gocept.filestore.server.deployment
import gocept.filestore.server.tests.test_collector
import gocept.filestore.server.tests.test_server
import gocept.filestore.tests.case
import os
import pathlib
import prometheus_client.parser
import re
import signal
import socket
import sys
import unittest
import urllib.request


COLLECTOR = gocept.filestore.server.tests.test_collector
WAIT = gocept.filestore.server.tests.test_server.WAIT
# What happens to a file, its name says.
SETTLE = """
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import os, signal
once = gocept.filestore.retry.policy.RetryPolicy(attempts=1)
def handle(claim):
    getattr(Ends, claim.filename.partition('-')[0])(claim)
class Ends:
    def good(claim):
        claim.read_bytes()
    def later(claim):
        raise gocept.filestore.interfaces.Retry(after=3600)
    def bad(claim):
        raise gocept.filestore.interfaces.Reject('no')
    def bomb(claim):
        os.kill(os.getpid(), signal.SIGKILL)
    def back(claim):
        claim.release()
"""


class Case(gocept.filestore.server.tests.test_server.Case):

    def configure(self, *lines):
        self.write('server.conf', '\n'.join(
            ['site-definition site.zcml', *lines]) + '\n')
        return self.serve('-c', 'server.conf')

    def stop(self, server):
        server.terminate()
        self.assertEnds(server)

    def wait_for_title(self, process, title):
        self.wait(lambda: self.title(process) == title)

    def title(self, process):
        path = pathlib.Path('/proc', str(process), 'cmdline')
        return os.fsdecode(path.read_bytes().rstrip(b'\0'))


class Title(Case):

    @gocept.filestore.tests.case.slow
    def test_tells_what_a_process_does(self):
        self.write('shop.py', WAIT)
        self.declare('name="b"')
        server = self.serve()
        self.wait_for_log('woken')
        worker = self.workers()[-1]
        self.wait_for_title(worker, 'filestore: consumer b of s: idle')
        self.publish('\xe4\n', '\udcff')
        self.wait_for_handlers(1)
        self.assertEqual(
            'filestore: consumer b of s: \xe4\n', self.title(worker))
        self.release()
        self.wait_for_handlers(2)
        self.assertEqual(
            'filestore: consumer b of s: \\udcff', self.title(worker))
        self.release()
        self.wait_for_title(worker, 'filestore: consumer b of s: idle')
        self.assertEqual(
            'filestore serve: site.zcml', self.title(server.pid))
        self.stop(server)

    @gocept.filestore.tests.case.slow
    def test_tells_which_folder_is_looked_after(self):
        folder = self.directory / 'in'
        folder.mkdir()
        self.site(COLLECTOR.STORE.format(self.path),
                  COLLECTOR.INTAKE.format(folder, ''))
        server = self.serve()
        self.wait_for_log('has started')
        self.wait_for_title(
            self.workers()[-1], 'filestore: intake s from %s' % folder)
        self.stop(server)


class Renewal(Case):

    def serve_one_by_one(self, number, *options):
        """Return which process each of so many files has had."""
        self.write('shop.py', WAIT)
        self.declare(*options)
        names = ['f%s' % number for number in range(number)]
        self.publish(*names)
        self.release(number)
        server = self.serve()
        self.wait_for_files(cur=names)
        self.wait_for_log('has ended', len(set(self.started())) - 1)
        self.stop(server)
        for word in ('ERROR', 'WARNING', 'the next one starts'):
            self.assertEqual(0, self.logged(word), word)
        return self.started()

    @gocept.filestore.tests.case.slow
    def test_after_so_many_files(self):
        a, b, c, d, e = self.serve_one_by_one(5, 'renew_after="2"')
        self.assertEqual((a, c), (b, d))
        self.assertEqual(3, len({a, c, e}))
        self.assertEqual(2, self.logged('s: renewed after 2 files'))

    @gocept.filestore.tests.case.slow
    def test_above_so_much_memory(self):
        self.assertEqual(2, len(set(
            self.serve_one_by_one(2, 'renew_above="1"'))))
        self.assertEqual(
            2, self.count(r's: renewed above 1 MB: it has \d\d'))

    @gocept.filestore.tests.case.slow
    def test_not_before(self):
        self.assertEqual(1, len(set(self.serve_one_by_one(
            2, 'renew_above="100000" renew_after="3"'))))
        self.assertEqual(0, self.logged('renewed'))


class Metrics(Case):

    def serve_metrics(self, *options, metrics='metrics 0'):
        self.write('shop.py', SETTLE)
        self.declare(*options)
        return self.configure(metrics)

    def url(self):
        """Return the address that the last one has told."""
        self.wait_for_log('metrics at http')
        return re.findall('metrics at (http.*)', self.output())[-1]

    def process(self):
        return int(re.search(
            r'metrics at .*: process (\d+) has started', self.output())[1])

    def port(self):
        return int(re.search(r':(\d+)/', self.url())[1])

    def samples(self):
        with urllib.request.urlopen(self.url(), timeout=30) as answer:
            text = answer.read().decode()
        return {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in
            prometheus_client.parser.text_string_to_metric_families(text)
            for sample in family.samples}

    def counted(self, consumer=''):
        """Return the number of attempts with each outcome."""
        return {
            dict(labels)['outcome']: value
            for (name, *labels), value in self.samples().items()
            if name == 'filestore_attempts_total'
            and dict(labels)['consumer'] == consumer
            and dict(labels)['store'] == 's'}

    def wait_for_counts(self, **counts):
        self.wait(lambda: counts.items() <= self.counted().items())

    @gocept.filestore.tests.case.slow
    def test_outcomes(self):
        server = self.serve_metrics('retry_policy="shop.once"')
        url = self.url()
        self.assertTrue(url.startswith('http://127.0.0.1:'))
        self.wait_for_title(self.process(), 'filestore: metrics at ' + url)
        self.publish('bad', 'bomb', 'good-1', 'good-2', 'good-3')
        self.wait_for_counts(**{'done': 3, 'given up': 2})
        self.publish('back')
        self.wait(lambda: self.counted().get('given back'))
        self.assertEqual({'done', 'given up', 'given back'},
                         set(self.counted()))
        self.stop(server)

    @gocept.filestore.tests.case.slow
    def test_seconds(self):
        server = self.serve_metrics('name="a"')
        self.publish('good', 'later')
        self.wait(lambda: self.counted('a') == {'done': 1, 'failed': 1})
        labels = ('consumer', 'a'), ('store', 's')
        samples = self.samples()
        name = 'filestore_attempt_seconds'
        self.assertEqual(2, samples[(name + '_count', *labels)])
        self.assertLess(0, samples[(name + '_sum', *labels)])
        self.assertEqual(2, samples[
            (name + '_bucket', labels[0], ('le', '3600.0'), labels[1])])
        self.stop(server)

    @gocept.filestore.tests.case.slow
    def test_outlive_workers_and_count_each_file(self):
        names = ['good-%03d' % number for number in range(400)]
        server = self.serve_metrics('workers="3" renew_after="20"')
        self.publish(*names)
        self.wait_for_files(cur=names)
        self.wait_for_counts(done=400)
        server.send_signal(signal.SIGHUP)
        self.wait_for_log('reloading')
        self.publish('good')
        self.wait_for_counts(done=401)
        self.assertEqual(1, self.logged('metrics at http'))
        self.stop(server)

    @gocept.filestore.tests.case.slow
    def test_dead_clients_and_a_death_hurt_nobody(self):
        server = self.serve_metrics()
        for text in (b'', b'GET /metrics HT', b'\xff\r\n\r\n',
                     b'GET /metrics HTTP/1.0\r\n\r\n'):
            with contextlib.closing(socket.create_connection(
                    ('127.0.0.1', self.port()))) as client:
                client.sendall(text)
        self.publish('good-1')
        self.wait_for_counts(done=1)
        os.kill(self.process(), signal.SIGKILL)
        self.wait_for_log('was killed by SIGKILL; the next one starts in 1')
        self.wait_for_log('metrics at http', 2)
        self.publish('good-2')
        self.wait_for_counts(done=1)
        self.assertEqual(['good-1', 'good-2'], self.tree()['cur'])
        self.stop(server)

    @gocept.filestore.tests.case.slow
    def test_signal_that_another_thread_gets(self):
        server = self.serve_metrics()
        self.url()
        process = self.process()
        thread = max(map(int, os.listdir('/proc/%s/task' % process)))
        self.assertNotEqual(process, thread)
        os.kill(thread, signal.SIGTERM)
        self.wait_for_log('process %s exited with status 0' % process)
        self.stop(server)

    @gocept.filestore.tests.case.slow
    def test_address_that_is_taken(self):
        with contextlib.closing(socket.create_server(
                ('127.0.0.1', 0))) as taken:
            address = '127.0.0.1:%s' % taken.getsockname()[1]
            server = self.serve_metrics(metrics='metrics ' + address)
            self.wait_for_log(
                'metrics at %s: Address already in use' % address)
            self.publish('good')
            self.wait_for_files(cur=['good'])
        self.wait_for_log('metrics at http')
        self.assertIn(address, self.url())
        self.stop(server)

    @gocept.filestore.tests.case.slow
    def test_address_that_is_exchanged(self):
        server = self.serve_metrics()
        port = self.port()
        with contextlib.closing(socket.create_server(
                ('127.0.0.1', 0))) as free:
            other = free.getsockname()[1]
        self.exchange(server, 'metrics %s' % other, 1)
        self.wait_for_log('metrics at http://127.0.0.1:%s/' % other)
        self.exchange(server, '', 2)
        for each in (port, other):
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(('127.0.0.1', each))
        self.stop(server)

    def exchange(self, server, line, ended):
        """Reload this line; so many have counted, and ended, by then."""
        self.write('server.conf', 'site-definition site.zcml\n' + line)
        server.send_signal(signal.SIGHUP)
        self.wait(lambda: self.count(
            r'metrics at .*: process \d+ has ended') == ended)


class Refused(Case):

    def refused(self, line, prelude=''):
        """Return the one line that it says when it does not start."""
        self.write('server.conf', 'site-definition site.zcml\n' + line)
        status, output, (message,) = self.filestore(
            '-c', prelude + 'import sys\n'
            'import gocept.filestore.__main__ as cli\n'
            'sys.exit(cli.main(["serve", "-c", "server.conf"]))',
            command=[sys.executable])
        self.assertEqual(1, status)
        return message.replace(str(self.directory), '')

    @gocept.filestore.tests.case.slow
    def test_addresses(self):
        for line, message in [
                ('metrics x', "'x' is no address like 127.0.0.1:9400"),
                ('metrics 70000', "'70000' is no address like"),
                ('metrics', 'not a valid host name')]:
            self.assertRegex(
                self.refused(line), message + '.*line 2.*/server.conf')

    @gocept.filestore.tests.case.slow
    def test_without_the_extra(self):
        self.assertEqual(
            'filestore: server.conf: prometheus_client is not installed, the '
            'extra [metrics] has it', self.refused(
                'metrics 9400',
                'import sys; sys.modules["prometheus_client"] = None\n'))


class Child(gocept.filestore.tests.case.Case):
    """In another process, whose title and subscribers these are."""

    def drain(self, names, handler):
        """Let nobody listen to a worker; return what it has told."""
        for name in names:
            self.put('new', name)
        return self.child().run(
            'from gocept.filestore import FileStore\n'
            'import gocept.filestore.interfaces as interfaces\n'
            'import gocept.filestore.server.declaration as declaration\n'
            'import gocept.filestore.server.progress as progress\n'
            'import json, os, zope.component\n'
            'zope.component.provideUtility(\n'
            '    store, interfaces.IFileStore, "s")\n'
            + handler +
            'reader, writer = progress.channel()\n'
            'progress.Progress(declaration.Declaration(\n'
            '    "s", handler=handle), writer).consumer.drain()\n'
            'os.close(writer)\n'
            'answer = [json.loads(line)[:3] for line in open(reader)]\n')

    def test_what_is_given_up_in_another_store_is_not_ours(self):
        self.assertEqual([['s', '', 'done']], self.drain(
            ['a'],
            'def handle(claim):\n'
            '    other = FileStore(claim.path + "-other", durable=False)\n'
            '    other.prepare()\n'
            '    with other.publish("b"): pass\n'
            '    other.claim().fail(interfaces.Reject("no"))\n'))

    @gocept.filestore.tests.case.slow
    def test_nobody_waits_for_one_who_does_not_listen(self):
        names = ['f%04d' % number for number in range(300)]
        told = self.drain(names, 'handle = id\nprogress.SIZE = 4096\n')
        self.assertEqual(names, self.tree()['cur'])
        self.assertIn(len(told), range(50, 200))


class Addresses(unittest.TestCase):

    def test_are_of_this_host_unless_another_is_named(self):
        address = gocept.filestore.server.deployment.address
        self.assertEqual(
            [('127.0.0.1', 9400), ('10.0.0.1', 1), ('::1', 0)],
            [address(value) for value in ('9400', '10.0.0.1:1', '[::1]:0')])
        for value in ('localhost', '', '70000', 'x:y'):
            with self.assertRaises(ValueError):
                address(value)
