"""What a process of `test_model.py` does, verb by verb, as in `model.py`."""

import ctypes
import functools
import gocept.filestore.disk.move
import gocept.filestore.disk.space
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import gocept.filestore.tests.model
import os
import signal
import sys
import warnings


PR_SET_PDEATHSIG = 1  # linux/prctl.h
FILES = (gocept.filestore.disk.move.__file__,
         gocept.filestore.disk.space.__file__)
OPTIONS = {
    'durable': False,
    'retry_policy': gocept.filestore.retry.policy.RetryPolicy(
        attempts=gocept.filestore.tests.model.ATTEMPTS, first=0)}
ERRORS = {
    'failed': 'no paper',
    'now': gocept.filestore.interfaces.Retry(after=0),
    'later': gocept.filestore.interfaces.Retry(after=1000),
    'given up': gocept.filestore.interfaces.Reject('no order')}


def main(path, connection):
    """Do what comes over a connection, and send the answers."""
    # A test that is killed leaves nobody behind.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    actor = Actor(path)
    for action in iter(connection.recv, None):
        connection.send(actor.do(*action))


class Actor:
    """Works on a store, and answers like the model."""

    def __init__(self, path):
        warnings.simplefilter('ignore')
        self.store = gocept.filestore.filestore.FileStore(path, **OPTIONS)
        self.claims, self.drafts = {}, {}
        self.kill = functools.partial(os.kill, os.getpid(), signal.SIGKILL)

    def do(self, death, verb, *args):
        """Do something, or die after so many steps.

        A step leads into, or out of, a function that touches the disk.
        """
        before = sys.gettrace()
        try:
            sys.settrace(killer(death) if death else before)
            return getattr(self, verb)(*args)
        except gocept.filestore.interfaces.FileStoreError as error:
            return type(error).__name__
        finally:
            sys.settrace(before)

    def publish(self, name, replace, text):
        with self.store.publish(name, replace=replace) as file:
            file.write(text + gocept.filestore.tests.model.END)

    def open_publication(self, name, replace, text):
        self.publication = self.store.publish(name, replace=replace)
        self.publication.__enter__().write(text)

    def end_publication(self):
        self.publication.file.write(gocept.filestore.tests.model.END)
        self.publication.__exit__(None, None, None)

    def draft(self, name, replace, text):
        self.drafts[name] = self.store.create(name, 'w' if replace else 'x')
        self.drafts[name].write(text)
        self.drafts[name].flush()

    def end_draft(self, name):
        self.drafts[name].write(gocept.filestore.tests.model.END)
        self.drafts.pop(name).close()

    def move(self, *args):
        self.store.move(*args)

    def copy(self, *args):
        self.store.copy(*args)

    def remove(self, *args):
        self.store.remove(*args)

    def clean(self, space):
        return sorted(filter(
            gocept.filestore.tests.model.is_named,
            self.store.clean(space, 0)))

    def retry(self, name):
        self.store.retry(name)

    def claim(self):
        claim = self.store.claim()
        if claim is None:
            return None
        self.claims[claim.filename] = claim
        with claim.open() as file:
            return claim.filename, claim.attempt, file.read()

    def finish(self, name, keep):
        self.claims.pop(name).finish(keep)

    def fail(self, name, how):
        self.claims.pop(name).fail(ERRORS[how])

    def release(self, name):
        self.claims.pop(name).release()

    def lose(self, name):
        del self.claims[name]

    def drop(self):
        self.publication = None
        self.drafts.clear()
        self.claims.clear()

    def look(self):
        status = self.store.status()
        return {
            'files': {space: totals(status['spaces'][space])
                      for space in gocept.filestore.tests.model.SPACES},
            'claims': sorted(
                (claim['filename'], claim['attempt'], claim['alive'])
                for claim in status['claims']),
            'waiting': (
                status['waiting']['files'], status['waiting']['next'] != 0),
            'failures': {failure['filename']: failure['attempts']
                         for failure in self.store.failures()},
            'names': {space: list(map(os.path.basename,
                                      self.store.list(space)))
                      for space in gocept.filestore.tests.model.SPACES}}


def totals(space):
    return space['files'], space['bytes']


def killer(steps):
    """Return a trace function that counts steps, and kills its process."""
    def trace(frame, event, arg):
        nonlocal steps
        if frame.f_code.co_filename not in FILES:
            return None
        frame.f_trace_lines = False
        steps -= event in ('call', 'return')
        # One line, as a process that is killed reports no coverage.
        steps or os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace
