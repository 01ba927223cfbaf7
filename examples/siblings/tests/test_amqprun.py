"""The `readfiles` of gocept.amqprun sends the files of our stores."""

import amqp.exceptions
import gocept.amqprun.interfaces
import gocept.amqprun.readfiles
import gocept.amqprun.testing
import gocept.filestore
import gocept.filestore.datamanager
import gocept.filestore.interfaces
import logging
import os
import pathlib
import shutil
import tempfile
import time
import transaction
import unittest
import zope.component
import zope.interface


# Longer than a frame of AMQP, with characters of two bytes.
LONG = 'Größe ' * 50000


class StoreMixin:
    """A store of ours, and a reader of gocept.amqprun that watches it."""

    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(tempfile.mkdtemp(prefix='siblings-'))
        self.addCleanup(shutil.rmtree, self.path)
        self.addCleanup(transaction.abort)
        self.store = gocept.filestore.FileStore(
            str(self.path), durable=False)
        self.store.prepare()
        self.transactional = (
            gocept.filestore.datamanager.TransactionalFileStore(self.store))

    def reader(self):
        return gocept.amqprun.readfiles.FileStoreReader(
            str(self.path), 'test.data')

    def fill(self):
        """Put files into `new` in each way there is; return what is there."""
        (self.path / 'new' / 'dropped.xml').write_text('dropped')
        with self.store.create('moved.xml') as f:
            f.write('moved')
        self.store.move('moved.xml', 'tmp', 'new')
        with self.store.publish('published.xml') as f:
            f.write(LONG)
        return {'dropped.xml': 'dropped', 'moved.xml': 'moved',
                'published.xml': LONG}

    def send_and_abort(self, reader):
        transaction.begin()
        for path in self.store.list('new'):
            reader.send(path)
            reader.session.mark_done(path)
        transaction.abort()

    def fill_with_question(self):
        with self.store.publish('question.xml') as f:
            f.write('question')

    def answer(self, reader):
        """Begin a transaction that sends a file and publishes another."""
        transaction.begin()
        path, = self.store.list('new')
        reader.send(path)
        reader.session.mark_done(path)
        with self.transactional.publish('answer.xml') as f:
            f.write('answer')

    def names(self, space):
        return [os.path.basename(path) for path in self.store.list(space)]

    def files(self):
        """Return where in the store there is a file, whatever it is."""
        return sorted(str(path.relative_to(self.path))
                      for path in self.path.rglob('*') if path.is_file())


@zope.interface.implementer(gocept.amqprun.interfaces.ISender)
class Record:
    """Keeps what it is to send, except for the file that it refuses."""

    def __init__(self, refused=None):
        self.refused = refused
        self.sent = []

    def send(self, message):
        name = message.header.application_headers['X-Filename'].decode()
        if name == self.refused:
            raise RuntimeError('refused')
        self.sent.append((name, message.body))


@zope.interface.implementer(transaction.interfaces.IDataManager)
class Refusal:
    """A part of a transaction that lets it fail, before the reader votes."""

    def vote_no(self, transaction):
        raise RuntimeError('no')

    def nothing(self, transaction):
        pass

    tpc_vote = vote_no
    abort = tpc_begin = commit = tpc_finish = tpc_abort = nothing

    def sortKey(self):
        return 'first'


class Reader(StoreMixin, unittest.TestCase):
    """The reader with real transactions, without a broker."""

    def register(self, record):
        registry = zope.component.getGlobalSiteManager()
        registry.registerUtility(record, gocept.amqprun.interfaces.ISender)
        self.addCleanup(registry.unregisterUtility, record,
                        gocept.amqprun.interfaces.ISender)
        return record

    def test_files_from_everywhere_are_sent_and_lie_in_cur(self):
        record = self.register(Record())
        files = self.fill()
        self.reader().scan()
        self.assertEqual(sorted(files.items()), record.sent)
        self.assertEqual([], self.names('new'))
        self.assertEqual(sorted(files), self.names('cur'))

    def test_a_file_that_can_not_be_sent_stays_and_holds_up_no_other(self):
        record = self.register(Record(refused='moved.xml'))
        self.fill()
        with self.assertLogs('gocept.amqprun.readfiles', logging.ERROR):
            self.reader().scan()
        self.assertEqual(['moved.xml'], self.names('new'))
        self.assertEqual(['dropped.xml', 'published.xml'], self.names('cur'))
        record.refused = None
        self.reader().scan()
        self.assertEqual(('moved.xml', 'moved'), record.sent[-1])
        self.assertEqual([], self.names('new'))

    def test_after_an_abort_files_are_in_new_and_sent_the_next_time(self):
        record = self.register(Record())
        files = self.fill()
        reader = self.reader()
        self.send_and_abort(reader)
        self.assertEqual(sorted(files), self.names('new'))
        self.assertEqual([], self.names('cur'))
        del record.sent[:]
        reader.scan()
        self.assertEqual(sorted(files.items()), record.sent)
        self.assertEqual(sorted(files), self.names('cur'))

    def test_after_a_failed_commit_files_are_in_new(self):
        self.register(Record())
        files = self.fill()
        reader = self.reader()
        transaction.begin()
        transaction.get().join(Refusal())
        reader.session.mark_done(self.store.list('new')[0])
        with self.assertRaises(RuntimeError):
            transaction.commit()
        transaction.abort()
        self.assertEqual(sorted(files), self.names('new'))
        reader.scan()
        self.assertEqual(sorted(files), self.names('cur'))

    def test_a_file_is_published_in_the_transaction_that_sends_another(self):
        self.register(Record())
        self.fill_with_question()
        self.answer(self.reader())
        self.assertEqual(['question.xml'], self.names('new'))
        transaction.commit()
        self.assertEqual(
            ['cur/question.xml', 'new/answer.xml'], self.files())

    def test_after_an_abort_one_is_in_new_and_the_other_is_nowhere(self):
        self.register(Record())
        self.fill_with_question()
        reader = self.reader()
        self.answer(reader)
        transaction.abort()
        self.assertEqual(['new/question.xml'], self.files())
        self.answer(reader)
        transaction.commit()
        self.assertEqual(
            ['cur/question.xml', 'new/answer.xml'], self.files())

    def test_after_a_failed_commit_the_other_one_is_nowhere(self):
        self.register(Record())
        self.fill_with_question()
        self.answer(self.reader())
        transaction.get().join(Refusal())
        with self.assertRaises(RuntimeError):
            transaction.commit()
        transaction.abort()
        self.assertEqual(['new/question.xml'], self.files())

    def test_what_is_no_file_of_the_store_is_not_sent(self):
        record = self.register(Record())
        (self.path / 'tmp' / 'draft.xml').write_text('draft')
        (self.path / 'new' / 'link.xml').symlink_to('../tmp/draft.xml')
        (self.path / 'new' / '.half').write_text('ha')
        files = self.fill()
        self.reader().scan()
        self.assertEqual(sorted(files.items()), record.sent)


class Broker(StoreMixin, gocept.amqprun.testing.MainTestCase):
    """The reader with a real broker."""

    def setUp(self):
        super().setUp()
        self.expect_message_on('test.data')

    def connect(self):
        server = self.create_server(setup_handlers=False)
        server.connect()
        self.addCleanup(server.connection.release)
        zope.component.provideUtility(
            server, gocept.amqprun.interfaces.ISender)
        return server

    def receive(self):
        """Return the name and the body of what has arrived by now."""
        message = self.channel.basic_get(self.receive_queue, no_ack=True)
        return message and (
            message.properties['application_headers']['X-Filename'],
            message.body)

    def receive_all(self):
        return list(iter(self.receive, None))

    def test_if_our_vote_fails_nothing_arrives(self):
        self.connect()
        self.fill_with_question()
        self.answer(self.reader())
        with self.store.publish('answer.xml') as f:
            f.write('somebody was faster')
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            transaction.commit()
        transaction.abort()
        self.assertEqual(
            ['new/answer.xml', 'new/question.xml'], self.files())
        self.assertEqual([], self.receive_all())

    def test_files_from_everywhere_arrive_whole_and_lie_in_cur(self):
        self.connect()
        files = self.fill()
        self.reader().scan()
        self.assertEqual(sorted(files.items()), self.receive_all())
        self.assertEqual([], self.names('new'))
        self.assertEqual(sorted(files), self.names('cur'))

    def test_after_an_abort_nothing_arrives_until_the_next_time(self):
        self.connect()
        files = self.fill()
        reader = self.reader()
        self.send_and_abort(reader)
        self.assertEqual([], self.receive_all())
        self.assertEqual(sorted(files), self.names('new'))
        reader.scan()
        self.assertEqual(sorted(files.items()), self.receive_all())
        self.assertEqual(sorted(files), self.names('cur'))

    def test_a_file_is_published_and_a_message_arrives_with_the_commit(self):
        self.connect()
        self.fill_with_question()
        self.answer(self.reader())
        self.assertEqual([], self.receive_all())
        transaction.commit()
        self.assertEqual([('question.xml', 'question')], self.receive_all())
        self.assertEqual(
            ['cur/question.xml', 'new/answer.xml'], self.files())

    def test_after_an_abort_no_file_is_published_and_nothing_arrives(self):
        self.connect()
        self.fill_with_question()
        self.answer(self.reader())
        transaction.abort()
        self.assertEqual([], self.receive_all())
        self.assertEqual(['new/question.xml'], self.files())

    def test_a_claimed_file_is_sent_and_done_with_the_commit(self):
        self.connect()
        self.fill_with_question()
        self.claim_and_send()
        self.assertEqual(['work/question.xml'], self.files())
        self.assertEqual([], self.receive_all())
        transaction.commit()
        self.assertEqual(['cur/question.xml'], self.files())
        self.assertEqual([('question.xml', 'question')], self.receive_all())

    def test_after_an_abort_a_claimed_file_waits_and_nothing_arrives(self):
        self.connect()
        self.fill_with_question()
        self.claim_and_send()
        transaction.abort()
        self.assertEqual(['new/question.xml'], self.files())
        self.assertEqual([], self.receive_all())

    def claim_and_send(self):
        transaction.begin()
        with self.transactional.claim() as claim:
            self.reader().send(claim.path)

    def test_without_its_connection_files_stay_in_new(self):
        server = self.connect()
        files = self.fill()
        server.connection.close()
        with self.assertRaises(
                amqp.exceptions.RecoverableConnectionError):
            self.reader().scan()
        transaction.abort()
        self.assertEqual(sorted(files), self.names('new'))
        self.assertEqual([], self.names('cur'))
        self.connect()
        self.reader().scan()
        self.assertEqual(sorted(files.items()), self.receive_all())
        self.assertEqual(sorted(files), self.names('cur'))

    def test_a_process_sends_each_file_once_and_whole_while_we_publish(self):
        self.make_config('gocept.amqprun.tests', 'readfiles')
        self.start_server_in_subprocess(
            str(self.path), 'test.data', module='gocept.amqprun.readfiles')
        try:
            files = {**self.fill(), **self.publish(50)}
            self.wait_until_empty('new')
        finally:
            self.stop_server_in_subprocess()
        received = self.receive_all()
        self.assertEqual(len(files), len(received))
        self.assertEqual(files, dict(received))
        self.assertEqual(sorted(files), self.names('cur'))

    def publish(self, number):
        names = [f'{index}.xml' for index in range(number)]
        for name in names:
            with self.store.publish(name) as f:
                f.write(LONG)
        return dict.fromkeys(names, LONG)

    def wait_until_empty(self, space, seconds=30):
        end = time.monotonic() + seconds
        while self.store.list(space) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual([], self.names(space))
