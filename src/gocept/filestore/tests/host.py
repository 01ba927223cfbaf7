"""A host in a scene: a process that works on the store through one mount."""

import gocept.filestore.datamanager
import gocept.filestore.retry.policy
import gocept.filestore.tests.case
import os
import sys
import transaction


START = 'import %s as host; host = host.Worker(store)' % __name__


class Host(gocept.filestore.tests.case.Child):
    """Calls a `Worker`, which lives in the other process."""

    def __init__(self, path, first=0, **options):
        super().__init__(path, {
            'durable': False, **options, 'retry_policy':
            gocept.filestore.retry.policy.RetryPolicy(first=first)})
        self.run(START)

    def begin(self, verb, *args):
        """Call a method, and do not wait for its end."""
        self.send('answer = host.%s(*%r)' % (verb, args))

    def __call__(self, verb, *args):
        """Call a method, and return what it does, or the error as a text."""
        self.begin('outcome', verb, *args)
        return self.answer()


class Worker:

    def __init__(self, store):
        self._store = store
        self._claims = {}
        self._kept = []  # open directories, and files
        self._halt = None
        sys.addaudithook(self._audit)

    def outcome(self, verb, *args):
        try:
            return getattr(self, verb)(*args)
        except Exception as error:
            return '%s: %s' % (type(error).__name__, error)

    def publish(self, name, text='', **how):
        with self._store.publish(name, **how) as file:
            file.write(text)

    def publish_with(self, name, metadata):
        self._store.write_text(name, '', metadata=metadata)

    def metadata(self, name):
        return self._claims[name].metadata

    def claim(self):
        return self._add(self._store.claim())

    def _add(self, claim):
        if claim is not None:
            self._claims[claim.filename] = claim
            return claim.filename

    def claim_in_transaction(self):
        self._manager = transaction.TransactionManager()
        files = gocept.filestore.datamanager.TransactionalFileStore(
            self._store, self._manager)
        claim = files.claim()
        files.finish(claim)
        return claim.filename

    def attempt(self, name):
        return self._claims[name].attempt

    def read(self, name):
        with self._claims[name].open() as file:
            return file.read()

    def finish(self, name, keep=True):
        self._claims[name].finish(keep)

    def remove(self, name):
        self.finish(name, False)

    def hold(self, name):
        """Keep it."""

    def fail(self, name):
        self._claims[name].fail('no paper')

    def release(self, name):
        self._claims[name].release()

    def batch(self, name):
        with self._store.batch() as batch:
            batch.finish(self._claims[name])

    def commit(self):
        self._manager.commit()

    def vote(self, name):
        batch = self._store.batch(two_phase=True)
        with batch.publish(name):
            pass
        batch.vote()

    def status(self):
        return self._store.status()

    def failures(self):
        return [failure['filename'] for failure in self._store.failures()]

    def retry(self, name):
        self._store.retry(name)

    def look(self, space, name):
        """Ask for what ls(1) and stat(1) do: then the kernel remembers it."""
        path = os.path.join(self._store.path, space)
        if os.path.isdir(path):
            for entry in os.scandir(path):
                entry.stat()
            self._kept.append(os.open(path, os.O_RDONLY))
        return os.path.exists(os.path.join(path, name))

    def open(self, space, name):
        self._kept.append(
            os.open(os.path.join(self._store.path, space, name), os.O_RDONLY))

    def claim_late(self, name):
        """Claim a file, and let others act before it is opened."""
        self._halt = name
        return self.claim()

    def _audit(self, event, args):
        if event == 'open' and args[0] == self._halt is not None:
            self._halt = None
            print(repr('about to open'), flush=True)
            sys.stdin.readline()

    def become(self, user, group):
        """Be somebody who is not root; what we need was imported before."""
        self.claim()
        os.setgroups([])
        os.setegid(group)
        os.seteuid(user)
