import gocept.filestore.interfaces
import gocept.filestore.pyramid
import gocept.filestore.retry.policy
import gocept.filestore.tests.case
import logging
import os
import pyramid.config
import pyramid.response
import re
import transaction
import urllib.parse
import webob
import zope.component
import zope.interface.interfaces
import zope.testing.cleanup


IFileStore = gocept.filestore.interfaces.IFileStore
RIGHTS = {'visitor': ['look'], 'clerk': ['look', 'act'], 'deputy': ['act']}


class Policy:
    """Believes who comes what he says in a header."""

    def authenticated_userid(self, request):
        return request.headers.get('Who')

    def permits(self, request, context, permission):
        return permission in RIGHTS.get(
            self.authenticated_userid(request), [])


class Known:
    """Believes that all who come are the same one, who may do all."""

    def __init__(self, who):
        self._who = who

    def authenticated_userid(self, request):
        return self._who

    def permits(self, request, context, permission):
        return True


class Case(gocept.filestore.tests.case.Case):

    settings = {'filestore.permission': 'look',
                'filestore.action_permission': 'act'}

    def setUp(self):
        super().setUp()
        self.addCleanup(zope.testing.cleanup.cleanUp)
        self.application = self.made()

    def give_up(self, name):
        self.store.write_text(name, '')
        store = self.open_store(
            retry_policy=gocept.filestore.retry.policy.RetryPolicy(1))
        with self.assertLogs('gocept.filestore'):
            store.claim().fail('no paper')

    def configured(self, policy=None, **settings):
        return pyramid.config.Configurator(
            settings={'filestore.stores.orders': str(self.path),
                      **self.settings, **settings},
            security_policy=policy or Policy())

    def made(self, policy=None, **settings):
        config = self.configured(policy, **settings)
        config.include('gocept.filestore.pyramid')
        return config.make_wsgi_app()

    def request(self, address, status=200, who='clerk', **kw):
        request = webob.Request.blank(
            address, headers={'Who': who, **kw.pop('headers', {})}, **kw)
        response = request.get_response(self.application)
        self.assertEqual(status, response.status_int, address)
        return response

    def send(self, address, status=200, page=None, **kw):
        """Send the form of a page as a browser does."""
        question = self.request(page or address, **kw)
        token = re.search('name="token" value="([^"]*)"', question.text)[1]
        cookie = question.headers['Set-Cookie'].partition(';')[0]
        return self.request(address, status, POST={'token': token},
                            headers={'Cookie': cookie}, **kw)


class Pages(Case):

    def test_overview_shows_the_stores_of_the_settings(self):
        self.put('new', 'a')
        page = self.request('/filestores/')
        self.assertRegex(page.text, 'waiting(</a>)?</dt><dd>1</dd>')
        self.assertIn("default-src 'none'",
                      page.headers['Content-Security-Policy'])

    def test_shows_the_stores_of_the_process(self):
        zope.component.provideUtility(self.open_store(), IFileStore, 'global')
        page = self.request('/filestores/').text
        for name in 'orders', 'global':
            self.assertIn('store?store=%s' % name, page)

    def test_address_without_the_slash(self):
        response = self.request('/filestores', 302)
        self.assertEqual('http://localhost/filestores/', response.location)

    def test_other_addresses_are_not_taken(self):
        for address in '/filestoresstore', '/store', '/':
            self.assertNotIn('File stores', self.request(address, 404).text)
        self.assertIn('there is no such page',
                      self.request('/filestores/nothing', 404).text)

    def test_address_that_is_not_ascii(self):
        self.request('/filestores/%C3%BC/store', 404)
        self.assertEqual(
            ('/dep\xc3\xb4t', '/\xc3\xbc'),
            gocept.filestore.pyramid.split('/dep\xc3\xb4t/\xc3\xbc', '/ü'))

    def test_below_a_prefix(self):
        for prefix in 'admin/files', '/dépôt à/':
            self.application = self.made(**{'filestore.prefix': prefix})
            own = '/' + urllib.parse.quote(prefix.strip('/'))
            response = self.request(own, 302)
            self.assertEqual('http://localhost%s/' % own, response.location)
            self.give_up('a')
            address = own + '/retry?store=orders'
            self.assertIn('Path=%s;' % own,
                          self.request(address).headers['Set-Cookie'])
            with self.assertLogs('gocept.filestore.web', logging.INFO):
                self.send(address)
            self.assertEqual(['a'], os.listdir(self.path / 'new'))
            self.store.claim().finish()

    def test_included_below_a_prefix_in_an_application_that_is_mounted(self):
        config = self.configured()
        config.include('gocept.filestore.pyramid', route_prefix='admin')
        self.application = config.make_wsgi_app()
        response = self.request('/admin/filestores', 302,
                                environ={'SCRIPT_NAME': '/shop'})
        self.assertEqual('http://localhost/shop/admin/filestores/',
                         response.location)

    def test_no_page_without_a_permission(self):
        self.application = self.made(**{'filestore.permission': ''})
        self.request('/filestores/', 404)

    def test_who_may_look(self):
        self.put('failed', 'a')
        for address in ('/filestores', '/filestores/', '/filestores/style.css',
                        '/filestores/contents?store=orders&space=failed'
                        '&name=a', '/filestores/retry?store=orders'):
            for who in 'anybody', 'deputy':
                self.request(address, 403, who=who)
        self.request('/filestores/', who='visitor')

    def test_names_that_are_not_utf_8(self):
        name = os.fsdecode(b'\xff\xfe ?&')
        self.put('new', name, 'content')
        quoted = urllib.parse.quote(os.fsencode(name))
        page = self.request('/filestores/files?store=orders').text
        self.assertIn('file?store=orders&amp;name=%FF%FE+%3F%26', page)
        self.request('/filestores/file?store=orders&name=' + quoted)
        response = self.request(
            '/filestores/contents?store=orders&space=new&name=' + quoted)
        self.assertEqual(b'content', response.body)
        self.assertIn("UTF-8''" + quoted.replace('?', '%3F'),
                      response.headers['Content-Disposition'])

    def test_contents_come_in_pieces(self):
        with open(self.put('new', 'a'), 'wb') as file:
            file.truncate(10 * 2 ** 30)
        address = '/filestores/contents?store=orders&space=new&name=a'
        response = self.request(address)
        self.assertEqual(10 * 2 ** 30, response.content_length)
        self.assertEqual(64 * 1024, len(next(iter(response.app_iter))))
        response.app_iter.close()
        response = self.request(address, method='HEAD')
        self.assertEqual(10 * 2 ** 30, response.content_length)
        self.assertEqual(b'', response.body)


class Actions(Case):

    address = '/filestores/retry?store=orders'

    def setUp(self):
        super().setUp()
        self.give_up('a')

    def test_are_logged_with_who_did_it(self):
        with self.assertLogs('gocept.filestore.web', logging.INFO) as log:
            self.assertIn('1 file put back', self.send(self.address).text)
        self.assertEqual(['a'], os.listdir(self.path / 'new'))
        self.assertIn("1 file put back by clerk, 'a'", log.output[0])

    def test_user_of_a_number_and_of_no_name(self):
        for who, told in (0, 'by 0,'), (None, 'by somebody,'):
            self.application = self.made(policy=Known(who))
            with self.assertLogs('gocept.filestore.web', logging.INFO) as log:
                self.send(self.address)
            self.assertIn(told, log.output[0])
            self.store.claim().finish()
            self.give_up('a')

    def refused(self, **kw):
        self.request(self.address, 403, **kw)
        self.assertEqual(['a'], os.listdir(self.path / 'failed'))

    def test_who_may_only_look(self):
        self.refused(who='visitor')
        self.refused(who='visitor', POST={'token': 'x'})
        page = self.request('/filestores/store?store=orders', who='visitor')
        self.assertNotIn('retry', page.text)
        self.assertNotIn('Set-Cookie', page.headers)

    def test_nobody_acts_without_a_permission_for_it(self):
        for policy in Policy(), Known('clerk'):
            self.application = self.made(
                policy, **{'filestore.action_permission': ''})
            self.refused()

    def test_form_of_another_site(self):
        self.refused(POST={})
        self.refused(POST={'token': 'guessed'})

    def test_application_that_has_tokens_of_its_own(self):
        config = self.configured()
        config.set_default_csrf_options(require_csrf=True)
        config.include('gocept.filestore.pyramid')
        self.application = config.make_wsgi_app()
        self.refused(POST={})
        with self.assertLogs('gocept.filestore.web', logging.INFO):
            self.send(self.address)


def publish(request):
    """Publish a file in the store that is asked for."""
    request.filestore(request.params['store']).write_text('a', '')
    return pyramid.response.Response()


class Transactions(Case):

    settings = {}

    def with_manager(self):
        """Let requests have a manager of their own, as pyramid_tm does."""
        manager = transaction.TransactionManager(explicit=True)
        self.application = self.made(manager=manager)
        return manager

    def made(self, manager=None, **settings):
        config = self.configured(**settings)
        config.include('gocept.filestore.pyramid')
        config.add_route('publish', '/publish')
        config.add_view(publish, route_name='publish')
        if manager is not None:
            config.add_request_method(
                lambda request: manager, 'tm', property=True)
        return config.make_wsgi_app()

    def published(self, store='orders'):
        self.request('/publish?store=' + store)
        return os.listdir(self.path / 'new')

    def test_transaction_of_the_request(self):
        manager = self.with_manager()
        for end, files in ('abort', []), ('commit', ['a']):
            manager.begin()
            self.assertEqual([], self.published())
            getattr(manager, end)()
            self.assertEqual(files, os.listdir(self.path / 'new'))

    def test_request_has_begun_none(self):
        self.with_manager()
        with self.assertRaises(
                gocept.filestore.interfaces.OutsideTransaction):
            self.published()

    def test_transaction_of_the_thread(self):
        with transaction.manager:
            self.assertEqual([], self.published())
            transaction.abort()
            self.assertEqual([], self.published())
        self.assertEqual(['a'], os.listdir(self.path / 'new'))

    def test_store_prepares_itself(self):
        self.application = self.made(
            **{'filestore.stores.': str(self.directory / 'fresh')})
        with transaction.manager:
            self.published(store='')
        self.assertEqual(['a'], os.listdir(self.directory / 'fresh' / 'new'))

    def test_store_that_the_process_has_registered(self):
        with self.assertRaises(zope.interface.interfaces.ComponentLookupError):
            self.published(store='shared')
        zope.component.provideUtility(self.store, IFileStore, 'shared')
        with transaction.manager:
            self.published(store='shared')
        self.assertEqual(['a'], os.listdir(self.path / 'new'))
