import concurrent.futures
import contextlib
import gocept.filestore
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import gocept.filestore.web.application
import gocept.filestore.web.look
import gocept.filestore.web.page
import gocept.filestore.web.view
import json
import logging
import os
import re
import threading
import unittest
import unittest.mock
import urllib.parse
import webob
import zope.component
import zope.testing.wait


HOSTILE = (
    '<script>alert(1)', '<img src=x onerror=alert(1)>', 'a"b\'c&d',
    'line\nbreak', '\x1b[31m', 'not-\udcff-utf-8', '%2e%2e%2f', 'x' * 255,
    'ü ☃.xml', '${1%0}', '; rm -rf ~', '-rf',
    '\u202egnp.exe')


class Case(gocept.filestore.tests.case.Case):
    """Asks an application for pages, as a browser does with its cookies."""

    wait = zope.testing.wait.Wait(timeout=30)

    def setUp(self):
        super().setUp()
        self.stores = {'orders': self.store}
        self.who = 'alice'
        self.cookies = {}
        self.application = gocept.filestore.web.application.Application(
            lambda: self.stores, lambda request: self.who)

    def request(self, address, status=200, **kw):
        request = webob.Request.blank(address, **kw)
        for cookie in self.cookies.items():
            request.cookies[cookie[0]] = cookie[1]
        response = request.get_response(self.application)
        self.assertEqual(status, response.status_int)
        for line in response.headers.getall('Set-Cookie'):
            name, _, value = line.partition(';')[0].partition('=')
            self.cookies[name] = value
        return response

    def page(self, address, status=200, **kw):
        return self.request(address, status, **kw).text

    def act(self, address, status=200, **headers):
        """Answer the question of a page, by the form that is on it."""
        page = self.page(address)
        token = re.search('name="token" value="([^"]*)"', page)[1]
        return self.page(address, status, POST={'token': token},
                         headers=headers)

    def give_up(self, name, reason='no paper', data='content'):
        self.store.write_text(name, data)
        store = self.open_store(
            retry_policy=gocept.filestore.retry.policy.RetryPolicy(1))
        with self.assertLogs('gocept.filestore'):
            store.claim().fail(reason)

    def leave_in_doubt(self):
        child = self.child()
        child.run('batch = store.batch(two_phase=True)\n'
                  'batch.write_text("a", "")\nbatch.vote()')
        child.kill()
        return self.store.status()['intents'][0]['intent']


@contextlib.contextmanager
def registered(store, name):
    registry = zope.component.getGlobalSiteManager()
    what = store, gocept.filestore.interfaces.IFileStore, name
    registry.registerUtility(*what)
    try:
        yield
    finally:
        registry.unregisterUtility(*what)


def address(page, **arguments):
    return '/%s?%s' % (page, urllib.parse.urlencode(
        {name: os.fsencode(value) for name, value in arguments.items()}))


class Overview(Case):

    def test_figures(self):
        self.put('new', 'a')
        self.put('cur', 'b')
        self.put('failed', 'c')
        page = self.page('/')
        for name, number in (('waiting', 1), ('failed', 1), ('in work', 0),
                             ('done', 1), ('done in the last hour', 1)):
            self.assertRegex(page, '[> ]%s(</a>)?</dt><dd>%s</dd>' % (
                name, number))
        self.assertIn('<strong>WARNING</strong>', page)
        self.assertIn('1 file failed', page)
        self.assertRegex(page, '<rect class="new"')
        self.assertRegex(page, '<rect class="failed"')
        self.assertNotRegex(page, '<rect class="waiting"')
        for mark in '5m', '40m', '1h20', '21h20':
            self.assertIn('<span>%s</span>' % mark, page)

    def test_figures_lead_to_what_they_count(self):
        self.give_up('b')
        self.put('new', 'a')
        self.put('work', 'c')
        page = self.page('/').replace('&amp;', '&')
        for figure, address in (
                ('waiting', 'files?store=orders&space=new'),
                ('longest wait', 'files?store=orders&space=new'),
                ('failed', 'files?store=orders&space=failed'),
                ('in work', 'store?store=orders#work')):
            self.assertIn('<a href="%s">%s</a>' % (address, figure), page)
            path, _, part = address.partition('#')
            self.assertIn(' id="%s"' % (part or 'files'),
                          self.page('/' + path))
        self.assertNotIn('>done</a>', page)

    def test_store_that_is_away_or_locked_is_a_line(self):
        self.stores['away'] = gocept.filestore.FileStore(
            str(self.directory / 'nowhere'))
        self.stores['locked'] = gocept.filestore.FileStore(
            str(self.directory / 'locked'))
        self.stores['locked'].prepare()
        self.forbid(self.directory / 'locked' / 'new', 0)
        with self.be_nobody():
            page = self.page('/')
        self.assertRegex(page, 'away</a>: there is no file store')
        self.assertRegex(page, 'locked</a>: .*Permission denied')
        self.assertRegex(page, 'orders</a> <span class="state ok">OK')

    def hanging(self):
        """Return an event that lets a store go on, and who has asked it."""
        goes_on, asked = threading.Event(), []
        store = gocept.filestore.FileStore(str(self.directory / 'hanging'))
        store.prepare()

        class Hanging:
            path = store.path

            def status(self):
                asked.append(threading.current_thread())
                goes_on.wait(60)
                return store.status()

        self.stores['hanging'] = Hanging()
        self.addCleanup(goes_on.set)
        return goes_on, asked

    def test_store_that_hangs_is_a_line_and_is_asked_once(self):
        goes_on, asked = self.hanging()
        self.application._looks = gocept.filestore.web.look.Looks(.1)
        for _ in range(3):
            self.assertIn('it has not answered for 0.1 seconds',
                          self.page('/'))
        self.assertEqual(1, len(asked))
        goes_on.set()
        asked[0].join(60)
        self.application._looks = gocept.filestore.web.look.Looks()
        self.assertNotIn('has not answered', self.page('/'))

    def test_who_comes_at_the_same_time_gets_the_same_answer(self):
        goes_on, asked = self.hanging()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            pages = [pool.submit(self.page, '/health') for _ in range(4)]
            self.wait(lambda: asked)
            goes_on.set()
            for page in pages:
                self.assertEqual('OK', json.loads(page.result(60))['status'])

    def test_error_of_a_store_that_nobody_knows(self):
        store = unittest.mock.Mock(path=self.store.path)
        store.status.side_effect = ZeroDivisionError('by zero')
        self.stores = {'odd': store}
        self.assertIn("ZeroDivisionError('by zero')", self.page('/'))

    def test_stores_that_are_registered(self):
        with registered(self.store, 'shop'):
            self.assertIs(
                self.store,
                gocept.filestore.web.application.registered()['shop'])

    def test_store_that_would_make_itself(self):
        path = self.directory / 'mount' / 'store'
        for name, count in (('default', 0), ('other', 1)):
            store = gocept.filestore.FileStore(str(path), prepare=True)
            with registered(store, name):
                self.stores = gocept.filestore.web.application.registered()
                self.assertEqual(count, self.page('/').count(
                    '</a>: there is no file store'))
                self.page('/store?store=other', 200 if count else 404)
                for page in ('file?name=a', 'contents?name=a&space=new',
                             'retry?name=a', 'clean?space=cur&age=0m',
                             'settle?intent=a&how=abort'):
                    self.page('/%s&store=other' % page, 404)
        self.assertFalse(path.exists())
        path.mkdir(parents=True)
        store.write_text('a', '')
        with registered(store, 'default'):
            self.stores = gocept.filestore.web.application.registered()
            self.assertIn('1 file in new', self.page('/files?store=default'))

    def test_store_that_may_not_be_read(self):
        self.forbid(self.path / 'new', 0)
        with self.be_nobody(), self.assertLogs('gocept.filestore.web'):
            for address in ('/contents?store=orders&name=a&space=new',
                            '/file?store=orders&name=a'):
                self.assertIn('Permission denied', self.page(address, 503))
            page = self.page('/store?store=orders')
        self.assertIn('<strong>UNKNOWN</strong>', page)

    def test_no_store(self):
        self.stores.clear()
        self.assertIn('There is no store here.', self.page('/'))
        self.assertEqual('OK', self.request('/health').json['status'])

    def test_address_of_the_pages_ends_with_a_slash(self):
        request = webob.Request.blank('/', base_url='http://host/files')
        request.script_name, request.path_info = '/files', ''
        response = request.get_response(self.application)
        self.assertEqual((302, 'http://host/files/'),
                         (response.status_int, response.location))


class Headers(Case):

    def test_on_each_page(self):
        for address, status in (('/', 200), ('/store?store=orders', 200),
                                ('/nowhere', 404), ('/style.css', 200),
                                ('/health', 200), ('/metrics', 200)):
            headers = self.request(address, status).headers
            self.assertIn("default-src 'none'",
                          headers['Content-Security-Policy'])
            self.assertIn("frame-ancestors 'none'",
                          headers['Content-Security-Policy'])
            self.assertEqual('nosniff', headers['X-Content-Type-Options'])

    def test_page_needs_nothing_from_elsewhere_and_no_script(self):
        self.put('new', 'a')
        for address in '/', '/store?store=orders', '/file?store=orders&name=a':
            page = self.page(address)
            self.assertNotRegex(page, 'https?:|<script|style=|onclick')
            self.assertTrue(page.startswith('<!DOCTYPE html>'))

    def test_name_of_a_host_that_is_not_ours(self):
        application = gocept.filestore.web.application.Application(
            lambda: self.stores, hosts={'localhost'})
        for host, status in (('localhost:8080', 200), ('evil.example', 400)):
            response = webob.Request.blank('/', host=host).get_response(
                application)
            self.assertEqual(status, response.status_int)


class Store(Case):

    def test_files_by_pages_oldest_first(self):
        for number in range(250):
            self.put('new', '%03d' % (249 - number))
            number % 50 or gocept.filestore.tests.story.tick(self.path)
        first = self.page('/files?store=orders')
        self.assertIn('250 files in new', first)
        names = []
        for number in 1, 2, 3, 4:
            page = self.page('/files?store=orders&page=%s' % number)
            names.append(re.findall('name=([0-9]{3})"', page))
        self.assertEqual([100, 100, 50, 0], list(map(len, names)))
        found = sum(names, [])
        self.assertEqual('249', found[0])
        self.assertEqual(250, len(set(found)))
        self.assertIn('rel="next"', first)
        self.assertNotIn('rel="prev"', first)

    def test_filter_by_name(self):
        for name in 'order-17.xml', 'order-18.xml', 'other':
            self.put('cur', name)
        for pattern, names in (('17', ['order-17.xml']), ('o*r', ['other']),
                               ('O', []), ('[', []), ('', 3 * [''])):
            page = self.page(address(
                'files', store='orders', space='cur', name=pattern))
            self.assertIn('%s in cur' % (
                '1 file' if len(names) == 1 else '%s files' % len(names)),
                page)
            for name in filter(None, names):
                self.assertIn(name, page)

    def test_claims(self):
        self.put('new', 'a')
        claim = self.store.claim()
        page = self.page('/store?store=orders')
        self.assertIn('%s on %s' % (os.getpid(), os.uname().nodename), page)
        claim.release()
        self.put('work', 'dead')
        self.assertIn('>dead</td>', self.page('/store?store=orders'))

    def test_reasons(self):
        for number in range(3):
            self.give_up('a%s' % number, 'time-out of a%s' % number)
        self.give_up('b', '<b>no</b> paper')
        page = self.page('/files?store=orders&space=failed')
        self.assertIn('time-out of {}', page)
        self.assertIn('put back 3 files…', page)
        self.assertIn('time-out of a1</td>', page)  # that of each file, too
        self.assertIn('&lt;b&gt;no&lt;/b&gt; paper', page)

    def test_ages_of_a_reason(self):
        [group] = gocept.filestore.web.view.reasons([
            {'filename': name, 'error': 'busy', 'age': age}
            for name, age in (('a', 90), ('b', 60), ('c', 30))])
        self.assertEqual((30, 90), (group['newest'], group['oldest']))

    def test_what_there_is_not(self):
        for address, status, words in (
                ('/store?store=nothing', 404, 'there is no store'),
                ('/files?store=orders&space=nowhere', 400, 'nowhere'),
                ('/files?store=orders&space=attempts', 400, 'attempts'),
                ('/files?store=orders&page=0', 400, 'is no page'),
                ('/files?store=orders&page=x', 400, 'is no page'),
                ('/file?store=orders', 400, 'lacks the name'),
                ('/file?store=orders&name=a', 404, 'there is none in any'),
                ('/contents?store=orders&name=a&space=new', 404, "'a'"),
                ('/contents?store=orders&name=a&space=failed', 404, 'nothing'),
                ('/contents?store=orders&name=a&space=voted', 400, 'voted'),
                ('/store?' + '&'.join('a=%s' % n for n in range(101)), 400,
                 'these are no arguments'),
                ('/store/orders', 404, 'there is no such page')):
            page = self.page(address, status)
            self.assertIn(words, page.replace('&#39;', "'"), address)

    def test_other_methods(self):
        for method in 'POST', 'PUT', 'DELETE', 'OPTIONS':
            response = self.request('/', 405, method=method)
            self.assertEqual('GET, HEAD', response.headers['Allow'])
        self.assertEqual(b'', self.request('/', method='HEAD').body)


class File(Case):

    def test_history(self):
        self.store.write_text('a', 'content', metadata={'from': '<me>'})
        with self.assertLogs('gocept.filestore'):
            self.store.claim().fail(ValueError('no\n<b>paper</b>'))
        page = self.page('/file?store=orders&name=a')
        self.assertIn('&lt;me&gt;', page)
        self.assertIn('attempt 1 failed in process %s' % os.getpid(), page)
        self.assertIn('&lt;b&gt;paper&lt;/b&gt;', page)
        self.assertIn('waits for its next attempt', page)
        self.assertIn('put back…', page)

    def test_reason_of_a_megabyte(self):
        self.give_up('a', 'x' * 10 ** 6)
        for address in ('/', '/files?store=orders&space=failed',
                        '/file?store=orders&name=a'):
            self.assertLess(len(self.page(address)), 40_000, address)

    def test_hostile_names_and_contents(self):
        for name in HOSTILE:
            self.give_up(name, name, '<script>')
            for page in 'file', 'retry':
                text = self.page(address(page, store='orders', name=name))
                self.assertNotIn('<script', text)
                self.assertNotIn('\x1b', text)
                self.assertNotIn('\u202e', text)
            response = self.request(address(
                'contents', store='orders', name=name, space='failed'))
            self.assertEqual(b'<script>', response.body)
        page = self.page('/files?store=orders&space=failed')
        self.assertNotIn('<script', page)
        names = {urllib.parse.parse_qs(
            each.replace('&amp;', '&'), errors='surrogateescape')['name'][0]
            for each in re.findall(r'href="file\?([^"]*)"', page)}
        self.assertEqual(set(HOSTILE), names)


class Contents(Case):

    def contents(self, status=200, name='a', space='new'):
        return self.request(address(
            'contents', store='orders', name=name, space=space), status)

    def test_is_kept_and_not_shown(self):
        self.put('new', 'a', '<html>')
        response = self.contents()
        self.assertEqual(b'<html>', response.body)
        self.assertEqual('application/octet-stream', response.content_type)
        self.assertEqual("attachment; filename*=UTF-8''a",
                         response.headers['Content-Disposition'])

    def test_ten_gigabytes_piece_by_piece(self):
        with open(self.put('new', 'a'), 'wb') as file:
            file.truncate(10 * 2 ** 30)
        response = self.contents()
        self.assertEqual(10 * 2 ** 30, response.content_length)
        pieces = iter(response.app_iter)
        self.assertEqual(64 * 1024, len(next(pieces)))
        response.app_iter.close()

    def test_file_that_shrinks_or_grows_meanwhile(self):
        for size in 0, 100:
            path = self.put('new', 'a', 'x' * 10)
            response = self.contents()
            with open(path, 'r+b') as file:
                file.truncate(size)
            self.assertEqual(min(size, 10), len(response.body))

    def test_link_and_others_that_are_no_files(self):
        (self.directory / 'secret').write_text('secret')
        (self.path / 'new' / 'link').symlink_to(self.directory / 'secret')
        os.mkfifo(self.path / 'new' / 'pipe')
        (self.path / 'new' / 'folder').mkdir()
        for name in 'link', 'pipe', 'folder':
            with self.no_blocking():
                self.contents(403, name)
            with self.no_blocking():
                self.page(address('file', store='orders', name=name), 403)

    def test_names_that_lead_out(self):
        (self.directory / 'secret').write_text('secret')
        for name in '../../secret', str(self.directory / 'secret'), '..':
            self.contents(400, name)
        self.contents(400, space='../..')

    def test_descriptors_are_closed(self):
        self.put('new', 'a')
        self.contents().app_iter.close()
        before = self.descriptors()
        for _ in range(3):
            self.contents().app_iter.close()
        self.assertEqual(before, self.descriptors())


class Actions(Case):

    def logged(self):
        return self.assertLogs('gocept.filestore.web', logging.INFO)

    def test_put_back_one(self):
        self.give_up('a')
        self.give_up('b')
        with self.logged() as log:
            page = self.act('/retry?store=orders&name=a')
        self.assertIn('1 file put back', page)
        self.assertEqual(['a'], os.listdir(self.path / 'new'))
        self.assertEqual(['b'], os.listdir(self.path / 'failed'))
        self.assertIn("1 file put back by alice, 'a'", log.output[0])

    def test_put_back_those_with_a_reason(self):
        for name in 'a1', 'a2', 'b':
            self.give_up(name, 'busy %s' % name[0] * 1)
        page = self.page('/store?store=orders')
        address = re.search(r'href="(retry\?[^"]*)">put back 2 files', page)[1]
        with self.logged():
            self.act('/' + address.replace('&amp;', '&'))
        self.assertEqual(['a1', 'a2'], sorted(os.listdir(self.path / 'new')))

    def test_put_back_those_with_a_reason_that_is_long_or_odd(self):
        for reason in 'x' * 10 ** 6, 'odd \udcff':
            self.give_up('a', reason)
            page = self.page('/store?store=orders')
            address = re.search(
                r'href="(retry\?[^"]*)">put back 1 file', page)[1]
            self.assertLess(len(address), 100)
            with self.logged():
                self.act('/' + address.replace('&amp;', '&'))
            self.assertEqual(['a'], os.listdir(self.path / 'new'))
            self.store.claim().finish(keep=False)

    def test_put_back_all_but_what_is_taken(self):
        for name in 'a', 'b':
            self.give_up(name)
        self.put('new', 'b')
        with self.logged() as log:
            page = self.act('/retry?store=orders')
        self.assertIn('1 file put back', page)
        self.assertIn('there is one in', page)
        self.assertIn("by alice, 'a'", log.output[0])

    def test_nothing_to_put_back(self):
        page = self.page('/retry?store=orders')
        self.assertIn('There is none.', page)
        self.assertNotIn('<form method="post"', page)

    def test_clean(self):
        self.put('cur', 'a')
        page = self.page('/clean?store=orders&space=cur&age=0m')
        self.assertIn('Remove 1 file from', page)
        self.assertEqual(['a'], os.listdir(self.path / 'cur'))
        with self.logged() as log:
            self.act('/clean?store=orders&space=cur&age=0m')
        self.assertEqual([], os.listdir(self.path / 'cur'))
        self.assertIn("removed from 'cur' by alice", log.output[0])
        self.page('/clean?store=orders&space=new&age=0m', 400)
        self.page('/clean?store=orders&space=cur&age=-1d', 400)
        self.page('/clean?store=orders&space=cur', 400)

    def test_settle(self):
        for how, new in ('abort', []), ('commit', ['a']):
            intent = self.leave_in_doubt()
            address = '/settle?store=orders&intent=%s&how=%s' % (intent, how)
            self.assertIn(how + '…', self.page('/store?store=orders'))
            self.assertIn('<li>a</li>', self.page(address))
            with self.logged() as log:
                self.assertIn('1 transaction', self.act(address))
            self.assertEqual(new, os.listdir(self.path / 'new'))
            self.assertIn('ted by alice', log.output[0])
            self.page(address.replace('=' + how, '=perhaps'), 400)

    def test_get_changes_nothing(self):
        self.give_up('a')
        self.put('cur', 'b')
        self.leave_in_doubt()
        before = self.tree()
        for address in ('/', '/store?store=orders', '/retry?store=orders',
                        '/file?store=orders&name=a', '/metrics', '/health',
                        '/clean?store=orders&space=cur&age=0m',
                        '/contents?store=orders&space=failed&name=a'):
            self.page(address)
        self.assertEqual(before, self.tree())

    def refused(self, status=403, **kw):
        page = self.page('/retry?store=orders', status, **kw)
        self.assertEqual(['a'], os.listdir(self.path / 'failed'))
        return page

    def test_forged(self):
        self.give_up('a')
        self.refused(POST={})
        self.refused(POST={'token': ''})
        self.page('/retry?store=orders')  # which gives a cookie
        self.refused(POST={})
        self.refused(POST={'token': 'guessed'})
        self.refused(POST={'token': '\udcff\u1234'.encode(
            'utf-8', 'surrogateescape')})
        token = {'token': self.cookies['filestore-token']}
        for origin in 'http://evil.example', 'null', 'http://localhost:1':
            self.refused(POST=token, headers={'Origin': origin})
        self.refused(415, POST=json.dumps(token).encode(),
                     content_type='application/json')
        self.refused(415, POST=b'token=' + token['token'].encode(),
                     content_type='text/plain')
        self.refused(413, POST={'token': 'x' * 10 ** 6})
        self.refused(405, method='DELETE')
        with self.logged():
            self.act('/retry?store=orders', Origin='http://localhost')
        self.assertEqual([], os.listdir(self.path / 'failed'))

    def test_cookie_is_for_our_own_pages_only(self):
        line = self.request('/').headers['Set-Cookie']
        for part in 'HttpOnly', 'SameSite=Strict', 'Path=/':
            self.assertIn(part, line)

    def test_who_may_only_look(self):
        self.give_up('a')
        self.who = None
        self.refused()
        self.refused(POST={'token': 'x'})
        for address in '/store?store=orders', '/file?store=orders&name=a':
            self.assertNotIn('retry?', self.page(address))
            self.assertNotIn('clean?', self.page(address))
        self.assertNotIn('Set-Cookie', self.request('/').headers)


    def test_what_can_not_be_cleaned_is_told(self):
        self.put('cur', 'a')
        self.forbid(self.path / 'cur')
        with self.be_nobody(), self.logged():
            page = self.act('/clean?store=orders&space=cur&age=0m')
        self.assertIn('0 files removed from', page)
        self.assertIn('Permission denied', page)

    def test_store_that_has_gone_meanwhile(self):
        for address in ('/clean?store=orders&space=cur&age=0m', '/retry?'
                        'store=orders&name=a'):
            page = self.page(address)
            token = re.search('name="token" value="([^"]*)"', page)
            self.path.rename(self.path.with_name('away'))
            self.page(address, 404, POST={
                'token': token[1] if token else self.cookies[
                    'filestore-token']})
            self.path.with_name('away').rename(self.path)


class Words(unittest.TestCase):

    def test_of_somebody_who_says_too_much(self):
        text = gocept.filestore.web.page.cut('x' * 20_001)
        self.assertEqual('x' * 20_000 + '\n[... and 1 more characters]', text)

    def test_sizes_as_people_read_them(self):
        for number, text in ((0, '0 bytes'), (1, '1 byte'),
                             (1023, '1023 bytes'), (1024, '1.0 KiB'),
                             (1536, '1.5 KiB'), (2 ** 20 - 1, '1024.0 KiB'),
                             (2 ** 20, '1.0 MiB'), (10 * 2 ** 30, '10.0 GiB'),
                             (2 ** 50, '1024.0 TiB')):
            self.assertEqual(text, gocept.filestore.web.page.size(number))


class Machines(Case):

    def test_health(self):
        self.assertEqual('OK', self.request('/health').json['status'])
        self.put('failed', 'a')
        self.assertEqual('WARNING', self.request('/health').json['status'])
        self.stores['away'] = gocept.filestore.FileStore('away')
        found = self.request('/health', 503).json
        self.assertEqual('UNKNOWN', found['status'])
        self.assertEqual({'WARNING', 'UNKNOWN'}, {
            store['status'] for store in found['stores']})

    def test_metrics(self):
        self.put('new', 'a')
        response = self.request('/metrics')
        self.assertIn('filestore_files{space="new",store="%s"} 1.0'
                      % self.path, response.text)
        self.assertEqual('text/plain', response.content_type)

    def test_metrics_without_the_extra(self):
        with unittest.mock.patch.dict('sys.modules', {
                'prometheus_client': None}):
            self.assertIn('is not installed', self.page('/metrics', 404))
