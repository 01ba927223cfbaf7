import contextlib
import gocept.filestore.cli.argument
import gocept.filestore.cli.web
import gocept.filestore.filestore
import gocept.filestore.tests.command
import http.client
import re
import signal
import socket
import urllib.error
import urllib.parse
import urllib.request
import webob


class Web(gocept.filestore.tests.command.Case):

    def serve(self, *args):
        with (self.directory / 'messages').open('wb') as messages:
            process = self.start(
                'web', *args, '--listen', '127.0.0.1:0', stderr=messages)
        self.addCleanup(process.stdout.close)
        self.wait(lambda: 'the page is at' in self.messages())
        self.url = re.search('http://.*', self.messages())[0]
        return process

    def messages(self):
        return (self.directory / 'messages').read_text()

    def get(self, address='', **headers):
        with urllib.request.urlopen(urllib.request.Request(
                self.url + address, headers=headers), timeout=30) as answer:
            return answer.read().decode()

    def test_stores_that_are_named(self):
        (self.directory / 'b').mkdir()
        self.sh('filestore prepare b/store; filestore prepare other')
        self.serve('store', 'b/store', 'other')
        page = self.get()
        for name in (self.path, self.directory / 'b' / 'store', 'other'):
            self.assertIn('store=%s"' % urllib.parse.quote(
                str(name), safe=''), page)

    def test_actions_are_off(self):
        self.put('failed', 'a')
        self.serve('store')
        self.assertNotIn('put back', self.get('store?store=store'))
        with self.assertRaises(urllib.error.HTTPError) as raised:
            self.get('retry?store=store')
        self.assertEqual(403, raised.exception.code)
        raised.exception.close()

    def test_actions_that_are_allowed(self):
        self.put('failed', 'a')
        self.serve('store', '--allow-actions')
        opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor())
        with opener.open(self.url + 'retry?store=store') as answer:
            token = re.search('name="token" value="(.*?)"',
                              answer.read().decode())[1]
        with opener.open(self.url + 'retry?store=store',
                         b'token=' + token.encode()) as answer:
            self.assertIn('1 file put back', answer.read().decode())
        self.assertIn("1 file put back by somebody at 127.0.0.1, 'a'",
                      self.messages())

    def test_name_that_leads_here_from_elsewhere(self):
        self.serve('store')
        with self.assertRaises(urllib.error.HTTPError) as raised:
            self.get(Host='evil.example')
        self.assertEqual(400, raised.exception.code)
        raised.exception.close()
        self.assertIn('store', self.get(Host='localhost:1234'))

    def test_signals(self):
        for number, status in ((signal.SIGTERM, -15), (signal.SIGINT, -2)):
            process = self.serve('store')
            process.send_signal(number)
            self.assertEqual(status, process.wait(30))
            self.assertNotIn('Traceback', self.messages())

    def test_large_file_to_a_reader_that_goes_away(self):
        with open(self.put('new', 'a'), 'wb') as file:
            file.truncate(2 ** 30)
        process = self.serve('store')
        connection = http.client.HTTPConnection(
            urllib.parse.urlsplit(self.url).netloc, timeout=30)
        with contextlib.closing(connection):
            connection.request('GET', '/contents?store=store&name=a&space=new')
            self.assertEqual(2 ** 20, len(
                connection.getresponse().read(2 ** 20)))
        self.assertIn('store', self.get())
        with open('/proc/%s/statm' % process.pid) as statm:
            self.assertLess(int(statm.read().split()[1]) * 4096, 2 ** 28)

    def test_address_that_is_taken(self):
        with socket.create_server(('127.0.0.1', 0)) as taken:
            address = '127.0.0.1:%s' % taken.getsockname()[1]
            self.assertEqual(
                (1, b'', ['filestore: Address already in use']),
                self.filestore('web', 'store', '--listen', address))

    def test_wrong_usage(self):
        for args in [], ['--listen', 'x'], ['--listen', ':1']:
            self.assertEqual(2, self.filestore(
                'web', *args, *args and ['store'])[0])

    def test_addresses(self):
        for text, found in (('127.0.0.1:80', ('127.0.0.1', 80)),
                            ('[::1]:0', ('::1', 0)), ('host:1', ('host', 1))):
            self.assertEqual(
                found, gocept.filestore.cli.argument.address(text))

    def test_names_are_as_short_as_can_be(self):
        stores = {path: gocept.filestore.filestore.FileStore(path)
                  for path in ('/a/x', '/b/x/', 'y')}
        self.assertEqual(
            {'/a/x': stores['/a/x'], '/b/x': stores['/b/x/'],
             'y': stores['y']},
            gocept.filestore.cli.web.named(list(stores.values())))

    def test_who_acts(self):
        self.assertEqual(
            'somebody at 192.0.2.1', gocept.filestore.cli.web.acting(
                webob.Request.blank('/', remote_addr='192.0.2.1')))

    def test_hosts(self):
        for host, is_bound in (('127.0.0.1', True), ('::1', True),
                               ('localhost', True), ('0.0.0.0', False),
                               ('example.org', False)):
            self.assertEqual(
                is_bound, gocept.filestore.cli.web.hosts(host) is not None)
