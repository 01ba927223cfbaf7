"""The loop of a worker: a claim, the handler, and what became of it.

Logged with the path of the file, its attempt and the seconds of its handler:

- info: done, or given back by its handler
- error: given back after one conflict of transactions too many, or not settled

What has failed is logged by the claim.
"""
import contextlib
import functools
import gocept.filestore.disk.process
import gocept.filestore.interfaces
import gocept.filestore.retry.attempt
import gocept.filestore.retry.policy
import logging
import math
import operator
import os
import signal
import threading
import time


try:
    import gocept.filestore.datamanager
    import transaction.interfaces
except ImportError:  # without the extra
    transaction = None

log = gocept.filestore.retry.attempt.log
logger = logging.getLogger(__name__)
TRIES = 3  # of a transaction that meets with conflicts
LONGEST = 2 ** 31  # seconds that a timer can be set to
# The handler may settle a claim by itself.
UNLESS_SETTLED = contextlib.suppress(gocept.filestore.interfaces.Settled)


@gocept.filestore.interfaces.implementer(gocept.filestore.interfaces.IConsumer)
class Consumer(gocept.filestore.disk.process.Ours):
    """Lets a handler work on one file after the other.

    `IConsumer` tells what it takes.
    """

    def __init__(self, selection, handler, keep=True,
                 transaction_manager=None, rate=None, timeout=None,
                 poll=gocept.filestore.interfaces.POLL, now=time.monotonic,
                 around=None, renew_after=None, renew_above=None):
        self.renewal = None
        self._files = 0
        self._bounds = bounds(renew_after, renew_above)
        self._handler = handler
        self._manager = transaction_manager
        self._limit = limit(timeout)
        self._gap = gap(rate)
        self._now = now
        self._go_through = self._process
        if around is not None:
            self._go_through = functools.partial(self._surrounded, around)
        self._errors = 0  # of the store, one after the other
        self._handle = self._once
        self._finish = operator.methodcaller('finish', keep)
        if transaction_manager is not None:
            self._handle = self._in_transaction
            self._finish = functools.partial(
                joining(selection, transaction_manager).finish, keep=keep)
        self._claims = selection.claims
        self._watch = selection.watch(poll)
        self._watch.recovered = self._recovered

    def run(self):
        self._work(self._watch)

    def drain(self):
        self._work(self._claims())

    def stop(self, *args):
        self._watch.stop(*args)

    def _work(self, claims):
        if (self._limit is not contextlib.nullcontext
                and threading.current_thread() is not threading.main_thread()):
            raise ValueError('a time limit works in the main thread only')
        while (claim := self._next(claims)) is not None:
            begin = self._now()
            self._go_through(claim)
            claim = None  # one that could not be settled is let go
            self._renew()
            self._watch.pause(self._gap - (self._now() - begin))

    def _next(self, claims):
        """Return the next claim; None if there is none or we are stopped."""
        while not self._watch.is_stopped:
            try:
                claim = next(claims, None)
            except OSError as error:
                self._back_off(error)
            else:
                if self._errors:
                    self._recovered()
                return claim

    def _back_off(self, error):
        """Wait after an error of the store; twice as long each time."""
        if not self._errors:
            logger.error('can not claim: %s', error)
        self._errors += 1
        self._watch.pause(gocept.filestore.retry.policy.BACK_OFF.delay(
            self._errors, error))

    def _recovered(self):
        """End the pauses; there may be no file yet."""
        self._errors = 0
        logger.warning('can claim again')

    def _renew(self):
        """Begin no other file if there were enough, or the process is large.
        """
        self._files += 1
        files, size = self._bounds
        if self._files >= files:
            self.renewal = 'renewed after %s file%s' % (
                files, '' if files == 1 else 's')
        elif size < math.inf and (
                found := gocept.filestore.disk.process.megabytes()) > size:
            self.renewal = 'renewed above %s MB: it has %d' % (size, found)
        if self.renewal:
            self.stop()

    def _surrounded(self, around, claim):
        with around(claim):
            self._process(claim)

    def _process(self, claim):
        begin = self._now()
        try:
            self._handle(claim)
        except BaseException as error:
            if gocept.filestore.disk.process.is_stop(error):
                with UNLESS_SETTLED:
                    claim.release()
                raise
            self._fail(claim, error, self._now() - begin)
            if type(error).__name__ == 'GreenletExit':
                raise  # who has sent it waits for our end
        else:
            if claim.given_back:
                return tell_given_back(
                    logging.INFO, claim, 'by its handler', self._now() - begin)
            if not claim.has_failed:
                log(logger, logging.INFO, claim, 'done', self._now() - begin)

    def _once(self, claim):
        with self._limit():
            self._handler(claim)
        with UNLESS_SETTLED:
            self._finish(claim)

    def _in_transaction(self, claim):
        try:
            for attempt in self._manager.attempts(TRIES):
                with attempt:
                    self._once(claim)
        except transaction.interfaces.TransientError:
            claim.release()  # that is not its fault
            raise

    def _fail(self, claim, error, seconds):
        if claim.given_back:
            return tell_given_back(logging.ERROR, claim, error, seconds)
        try:
            claim.fail(error)
        except gocept.filestore.interfaces.Settled:
            log(logger, logging.ERROR, claim, 'failed', seconds,
                ', and nothing was left to settle', error)
        except OSError as problem:
            # The claim is left as by a process that dies.
            log(logger, logging.ERROR, claim, 'not settled: %s' % problem,
                seconds, error=error)


def joining(selection, manager):
    """Return the store as the transactions of a manager see it."""
    if transaction is None:
        raise ValueError('the package transaction is not installed')
    store = getattr(selection, 'store', selection)
    return gocept.filestore.datamanager.TransactionalFileStore(store, manager)


def tell_given_back(level, claim, reason, seconds):
    """Tell once why a file was given back, however often it is."""
    log(logger, level if claim.given_back == 1 else logging.DEBUG, claim,
        'given back (%s)' % gocept.filestore.retry.attempt.described(
            reason)['error'], seconds)


def limit(seconds):
    """Return a function that returns a context manager with a time limit.

    It uses the one alarm that a process has, so it is for the main thread.
    """
    if seconds is None:
        return contextlib.nullcontext
    if not 0 < seconds < LONGEST:
        raise ValueError('a time limit is a number of seconds %s, not %r' % (
            'below %s' % LONGEST if seconds > 0 else 'above 0', seconds))
    return functools.partial(limited, seconds)


@contextlib.contextmanager
def limited(seconds):
    def expire(number, frame):
        if os.getpid() != process:  # a child, which has not our timer
            return gocept.filestore.disk.process.default(number)
        raise TimeoutError('it took longer than %s seconds' % seconds)

    process = os.getpid()
    with gocept.filestore.disk.process.handled(signal.SIGALRM, expire):
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def bounds(*numbers):
    """Return how much a process may do; what is None has no bound."""
    for number in numbers:
        if number is not None and number < 1:
            raise ValueError('a process is renewed after 1 file or above 1 '
                             'megabyte at least, not %r' % number)
    return [math.inf if number is None else number for number in numbers]


def gap(rate):
    """Return the seconds from one file to the next."""
    if rate is None:
        return 0
    if not 0 < rate < float('inf'):
        raise ValueError(
            'a rate is a number of files per second above 0, not %r' % (rate,))
    return 1 / rate
