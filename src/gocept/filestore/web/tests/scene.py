"""Stores as one meets them: at work, with what waits, fails and is in doubt.
"""
import contextlib
import gocept.filestore.filestore
import gocept.filestore.retry.policy
import gocept.filestore.tests.command
import re


HOSTILE = (
    '<script>alert(1)', '"><img src=x onerror=alert(1)>', 'line\nbreak',
    'not-\udcff-utf-8', 'x' * 255, '\u202egnp.exe')
TIMEOUT = 'the bank has not answered for 30 seconds'
PRICE = 'no price in line %s of %s'
MANY = 130  # files, which are two pages


class NoPrice(Exception):
    """What a handler may meet."""


class Scene(gocept.filestore.tests.command.Case):
    """Three stores, a worker that has two files, and the page of all."""

    options = {**gocept.filestore.tests.command.Case.options,
               'retry_policy': gocept.filestore.retry.policy.RetryPolicy(
                   3, first=.001)}

    odd = HOSTILE  # names

    def setUp(self):
        super().setUp()
        self.fill()
        self.url = self.serve(self.path.name, 'invoices', 'archive')

    def fill(self):
        self.fail_some()
        self.leave_in_doubt()
        for number in range(MANY):
            self.put('cur', 'order-%03d' % number)
        self.publish('order-200', 'order-201')
        self.work()
        self.publish(*('order-%s' % number
                       for number in range(202, 202 + MANY)))
        self.others()

    def publish(self, *names):
        for name in names:
            self.store.write_text(name, '<order/>', metadata={
                'sender': 'shop@example.org'})

    def fail_some(self):
        for name in 'order-17', 'order-18', 'order-19':
            self.give_up(name, TimeoutError(TIMEOUT))
        for number in 7, 12:
            name = 'order-%s' % (number + 20)
            self.give_up(name, NoPrice(PRICE % (number, name)))
        for name in self.odd:
            self.give_up(name, ValueError('not well-formed: %r' % name))

    def give_up(self, name, error):
        self.publish(name)
        with self.assertLogs('gocept.filestore'):
            while name not in self.tree().get('failed', ()):
                self.wait(lambda: self.attempt(error))

    def attempt(self, error):
        claim = self.store.claim()
        if claim is None:
            return False
        with contextlib.suppress(type(error)), claim:
            pay(type(error)(*error.args))
        return True

    def leave_in_doubt(self):
        child = self.child()
        for name in 'transfer-1', 'transfer-2':
            child.run('batch = store.batch(two_phase=True)\n'
                      'batch.write_text(%r, "")\nbatch.vote()' % name)
        child.kill()

    def work(self):
        """Start a worker, which takes two files and waits at the gate."""
        self.start('run', self.path.name, '--watch', '-w2', '--', 'sh', '-c',
                   'read line < gate', '{}')
        self.wait(lambda: len(self.store.list('work')) == 2)

    def others(self):
        """Make a store in which all is well, and name one that is not here.
        """
        store = gocept.filestore.filestore.FileStore(
            str(self.directory / 'invoices'), durable=False)
        store.prepare()
        store.write_text('invoice-1', '')

    def serve(self, *stores):
        with (self.directory / 'messages').open('wb') as messages:
            self.start('web', *stores, '--listen', '127.0.0.1:0',
                       '--allow-actions', stderr=messages, stdout=messages)
        self.wait(lambda: 'the page is at' in self.messages())
        return re.search('http://.*', self.messages())[0]

    def messages(self):
        return (self.directory / 'messages').read_text()


def pay(error):
    ask_the_bank(error)


def ask_the_bank(error):
    raise error
