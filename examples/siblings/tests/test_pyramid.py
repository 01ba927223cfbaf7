"""Our stores in a Pyramid application, in one transaction with ZODB."""

import concurrent.futures
import functools
import gocept.filestore
import gocept.filestore.datamanager
import json
import logging
import pathlib
import pyramid.config
import pyramid.httpexceptions
import pyramid.response
import pyramid_tm
import shutil
import tempfile
import threading
import unittest
import urllib.parse
import urllib.request
import waitress
import waitress.wasyncore
import ZODB


LOCALHOST = '127.0.0.1'
SECONDS = 30  # after which nobody waits any longer
# Errors come as responses, and no proxy is asked.
HTTP = urllib.request.OpenerDirector()
HTTP.add_handler(urllib.request.HTTPHandler())


def publish(request):
    """Publish what was sent."""
    with request.outbox.publish(request.GET['name'], mode='wb') as f:
        f.write(request.body)
    return end(request, pyramid.response.Response('published'))


def number(request):
    """Publish the file that waits in the inbox under the next number."""
    request.root['last'] += 1
    name = f'{request.root["last"]}.xml'
    with request.inbox.claim() as claim, claim.open('rb') as source:
        with request.outbox.publish(name, mode='wb') as f:
            shutil.copyfileobj(source, f)
    return end(request, pyramid.response.Response(json_body={
        'name': name, 'claim': claim.attempt,
        'request': request.environ['retry.attempt'] + 1}))


def end(request, response):
    """Let the request end in the way that it asked for."""
    return ENDS[request.GET.get('end', 'well')](request, response)


def well(request, response):
    return response


def with_status(request, response):
    response.status = request.GET['status']
    return response


def with_response(request, response):
    raise pyramid.httpexceptions.exception_response(
        int(request.GET['status']))


def with_error(request, response):
    raise ValueError('the view has failed')


def after_a_look(request, response):
    """Let somebody look at the stores meanwhile."""
    request.registry.meeting.wait()
    request.registry.meeting.wait()
    return response


def at_the_same_time(request, response):
    """Go on when another request has read the same number."""
    if request.environ['retry.attempt'] == 0:
        request.registry.meeting.wait()
    return response


def too_late(request, response):
    """Let another transaction take the number."""
    with request.registry.database.transaction() as connection:
        connection.root()['last'] += 1
    return response


ENDS = {function.__name__: function for function in (
    well, with_status, with_response, with_error, after_a_look,
    at_the_same_time, too_late)}


def get_root(request):
    connection = request.registry.database.open(request.tm)
    request.add_finished_callback(lambda request: connection.close())
    return connection.root()


def transactional(store, request):
    return gocept.filestore.datamanager.TransactionalFileStore(
        store, request.tm)


def is_post(request):
    return request.method == 'POST'


class Application:
    """A server with an application that has a database and two stores."""

    settings = {}

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='siblings-'))
        self.addCleanup(shutil.rmtree, self.directory)
        self.inbox, self.outbox = (
            gocept.filestore.FileStore(
                str(self.directory / name), prepare=True)
            for name in ('inbox', 'outbox'))
        self.database = self.make_database()
        self.meeting = threading.Barrier(2, timeout=SECONDS)
        self.url = self.serve(self.make_application())
        self.addCleanup(self.meeting.abort)

    def make_database(self):
        # With a path it makes a FileStorage.
        database = ZODB.DB(str(self.directory / 'Data.fs'))
        self.addCleanup(database.close)
        with database.transaction() as connection:
            connection.root()['last'] = 0
        return database

    def make_application(self):
        config = pyramid.config.Configurator(
            root_factory=get_root,
            settings={'tm.activate_hook': is_post,
                      'tm.commit_veto': pyramid_tm.default_commit_veto,
                      **self.settings})
        config.include('pyramid_retry')
        config.include('pyramid_tm')
        config.registry.database = self.database
        config.registry.meeting = self.meeting
        for name in 'inbox', 'outbox':
            config.add_request_method(functools.partial(
                transactional, getattr(self, name)), name, reify=True)
        for view in publish, number:
            config.add_view(view, name=view.__name__)
        return config.make_wsgi_app()

    def serve(self, application):
        """Start a server, and return its address."""
        sockets = {}
        server = waitress.create_server(
            application, map=sockets, host=LOCALHOST, port=0, threads=4)
        thread = threading.Thread(target=server.run)
        thread.start()
        self.addCleanup(self.stop, server, sockets, thread)
        return f'http://{LOCALHOST}:{server.effective_port}'

    def stop(self, server, sockets, thread):
        # Its workers go first: they use what the loop closes.
        server.task_dispatcher.shutdown()
        pulled = threading.Event()

        def close():
            # The loop may have been woken by somebody else. The trigger has
            # to be there as long as it is being pulled.
            pulled.wait(SECONDS)
            waitress.wasyncore.close_all(sockets)

        server.trigger.pull_trigger(close)
        pulled.set()
        thread.join(SECONDS)
        self.assertFalse(thread.is_alive())

    def request(self, view, body=b'', method='POST', **query):
        """Return the status and the text of the response."""
        request = urllib.request.Request(
            f'{self.url}/{view}?{urllib.parse.urlencode(query)}', body,
            method=method)
        with HTTP.open(request, timeout=SECONDS) as response:
            return response.status, response.read().decode()

    def request_number(self, **query):
        """Return what the response tells."""
        status, text = self.request('number', **query)
        self.assertEqual(200, status)
        return json.loads(text)

    def request_in_vain(self, *args, **query):
        """Return what the server has logged."""
        with self.assertLogs('waitress', logging.ERROR) as logs:
            status, text = self.request(*args, **query)
        self.assertEqual(500, status)
        return '\n'.join(logs.output)

    def fill(self, store, *names):
        for name in names:
            with store.publish(name) as f:
                f.write(f'content of {name}')

    def files(self, store):
        """Return all files of a store, whatever they are, with contents."""
        path = pathlib.Path(store.path)
        return {str(file.relative_to(path)): file.read_text()
                for file in path.rglob('*') if file.is_file()}

    def last_number(self):
        with self.database.transaction() as connection:
            return connection.root()['last']

    def assert_nothing_was_done(self):
        self.assertEqual(
            {'new/a.xml': 'content of a.xml'}, self.files(self.inbox))
        self.assertEqual({}, self.files(self.outbox))
        self.assertEqual(0, self.last_number())


class Requests(Application):
    """What holds with each transaction manager."""

    def test_a_file_is_there_with_the_response(self):
        self.assertEqual(
            (200, 'published'),
            self.request('publish', b'content', name='a.xml'))
        self.assertEqual({'new/a.xml': 'content'}, self.files(self.outbox))

    def test_nothing_is_visible_while_the_view_runs(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            response = pool.submit(
                self.request, 'publish', b'content', name='a.xml',
                end='after_a_look')
            self.meeting.wait()
            seen = list(self.files(self.outbox))
            claim = self.outbox.claim()
            self.meeting.wait()
        self.assertEqual(['tmp'], [path.split('/')[0] for path in seen])
        self.assertIsNone(claim)
        self.assertEqual((200, 'published'), response.result())
        self.assertEqual({'new/a.xml': 'content'}, self.files(self.outbox))

    def test_a_view_that_fails_leaves_nothing(self):
        self.assertIn('ValueError: the view has failed', self.request_in_vain(
            'publish', b'content', name='a.xml', end='with_error'))
        self.assertEqual({}, self.files(self.outbox))

    def test_a_response_that_is_an_error_leaves_nothing(self):
        for how in 'with_status', 'with_response':
            for expected in 400, 404, 409, 500, 503:
                with self.subTest(how=how, status=expected):
                    status, text = self.request(
                        'publish', b'content', name='a.xml', end=how,
                        status=expected)
                    self.assertEqual(expected, status)
                    self.assertEqual({}, self.files(self.outbox))

    def test_any_other_response_publishes(self):
        for expected in 201, 303:
            status, text = self.request(
                'publish', b'content', name=f'{expected}.xml',
                end='with_status', status=expected)
            self.assertEqual(expected, status)
        self.assertEqual(
            {'new/201.xml': 'content', 'new/303.xml': 'content'},
            self.files(self.outbox))

    def test_requests_side_by_side_are_not_mixed_up(self):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            responses = list(pool.map(self.publish_or_not, range(40)))
        self.assertEqual([200, 409] * 20, responses)
        self.assertEqual(
            {f'new/{index}.xml': str(index) for index in range(0, 40, 2)},
            self.files(self.outbox))

    def publish_or_not(self, index):
        status, text = self.request(
            'publish', str(index).encode(), name=f'{index}.xml',
            end='with_status', status=409 if index % 2 else 200)
        return status

    def test_a_claimed_file_is_done_when_the_response_is_there(self):
        self.fill(self.inbox, 'a.xml')
        with concurrent.futures.ThreadPoolExecutor() as pool:
            response = pool.submit(self.request_number, end='after_a_look')
            self.meeting.wait()
            seen = self.files(self.inbox)
            claim = self.inbox.claim()
            self.meeting.wait()
        self.assertEqual({'work/a.xml': 'content of a.xml'}, seen)
        self.assertIsNone(claim)
        self.assertEqual('1.xml', response.result()['name'])
        self.assertEqual(
            {'cur/a.xml': 'content of a.xml'}, self.files(self.inbox))
        self.assertEqual(
            {'new/1.xml': 'content of a.xml'}, self.files(self.outbox))
        self.assertEqual(1, self.last_number())

    def test_a_claimed_file_waits_again_when_the_view_fails(self):
        self.fill(self.inbox, 'a.xml')
        for _time in range(2):
            self.request_in_vain('number', end='with_error')
            self.assert_nothing_was_done()
        self.assertEqual(1, self.request_number()['claim'])

    def test_a_claimed_file_waits_again_when_the_response_is_an_error(self):
        self.fill(self.inbox, 'a.xml')
        for how in 'with_status', 'with_response':
            self.request('number', end=how, status=409)
            self.assert_nothing_was_done()
        self.assertEqual(1, self.request_number()['claim'])

    def test_two_requests_with_one_number_publish_a_file_each(self):
        self.fill(self.inbox, 'a.xml', 'b.xml')
        with concurrent.futures.ThreadPoolExecutor() as pool:
            facts = sorted((response.result() for response in [
                pool.submit(self.request_number, end='at_the_same_time')
                for _request in range(2)]), key=lambda facts: facts['name'])
        self.assertEqual(
            [{'name': '1.xml', 'claim': 1, 'request': 1},
             {'name': '2.xml', 'claim': 1, 'request': 2}], facts)
        self.assertEqual(2, self.last_number())
        published = self.files(self.outbox)
        self.assertEqual(['new/1.xml', 'new/2.xml'], sorted(published))
        self.assertEqual(
            ['content of a.xml', 'content of b.xml'],
            sorted(published.values()))
        self.assertEqual(
            ['cur/a.xml', 'cur/b.xml'], sorted(self.files(self.inbox)))

    def test_who_is_too_late_at_each_attempt_leaves_nothing(self):
        self.fill(self.inbox, 'a.xml')
        self.assertIn('ZODB.POSException.ConflictError', self.request_in_vain(
            'number', end='too_late'))
        # The others have taken one for each of the three attempts.
        self.assertEqual(3, self.last_number())
        self.assertEqual({}, self.files(self.outbox))
        self.assertEqual(
            {'new/a.xml': 'content of a.xml'}, self.files(self.inbox))
        self.assertEqual(
            {'name': '4.xml', 'claim': 1, 'request': 1},
            self.request_number())

    def test_a_name_that_is_taken_leaves_database_and_stores_alone(self):
        self.fill(self.inbox, 'a.xml')
        self.fill(self.outbox, '1.xml')
        self.assertIn(
            'gocept.filestore.interfaces.NameTaken',
            self.request_in_vain('number'))
        # The inbox had voted; its intent has gone.
        self.assertTrue(pathlib.Path(self.inbox.path, 'voted').is_dir())
        self.outbox.remove('1.xml', 'new')
        self.assert_nothing_was_done()
        self.assertEqual(
            {'name': '1.xml', 'claim': 1, 'request': 1},
            self.request_number())


class OwnManager(Requests, unittest.TestCase):
    """Each request has a manager of its own, in explicit mode."""

    settings = {'tm.manager_hook': pyramid_tm.explicit_manager}

    def test_without_a_transaction_each_verb_is_refused(self):
        self.assertIn(
            'gocept.filestore.interfaces.OutsideTransaction',
            self.request_in_vain('publish', method='GET', name='a.xml'))
        self.assertEqual({}, self.files(self.outbox))


class ManagerOfTheThread(Requests, unittest.TestCase):
    """What pyramid_tm does unless it is told otherwise."""
