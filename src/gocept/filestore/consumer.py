"""The loop of a worker: a claim, the handler, and what became of it."""
import contextlib
import functools
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import logging
import math
import signal
import time


try:
    import gocept.filestore.datamanager
    import transaction.interfaces
except ImportError:  # without the extra
    transaction = None

logger = logging.getLogger(__name__)
TRIES = 3  # of a transaction that meets with conflicts


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IConsumer)
class Consumer:
    """Lets a handler work on one file after the other."""

    def __init__(self, selection, handler, keep=True,
                 transaction_manager=None, rate=None, timeout=None,
                 poll=gocept.filestore.interfaces.POLL, now=time.monotonic):
        self._handler = handler
        self._keep = keep
        self._manager = transaction_manager
        self._limit = limit(timeout)
        self._gap = gap(rate)
        self._now = now
        self._errors = 0  # of the store, one after the other
        self._handle = self._plainly
        if transaction_manager is not None:
            self._handle = self._in_transaction
            self._files = joining(selection, transaction_manager)
        self._claims = selection.claims
        self._watch = selection.watch(poll)

    def run(self):
        self._work(self._watch)

    def drain(self):
        self._work(self._claims())

    def stop(self, *args):
        self._watch.stop()

    def _work(self, claims):
        while (claim := self._next(claims)) is not None:
            begin = self._now()
            self._process(claim)
            self._watch.pause(self._gap - (self._now() - begin))

    def _next(self, claims):
        """Return the next claim; None if there is none or we are stopped."""
        while not self._watch.is_stopped:
            try:
                claim = next(claims, None)
            except OSError as error:
                self._back_off(error)
            else:
                self._errors = 0
                return claim

    def _back_off(self, error):
        """Wait after an error of the store; twice as long each time."""
        if not self._errors:
            logger.error('can not claim: %s', error)
        self._errors += 1
        self._watch.pause(gocept.filestore.retry.policy.BACK_OFF.delay(
            self._errors, error))

    def _process(self, claim):
        begin = self._now()
        try:
            self._handle(claim)
        except Exception as error:
            self._fail(claim, error, self._now() - begin)
        except BaseException:
            with settled_already():
                claim.release()
            raise
        else:
            log(logging.INFO, claim, 'done', self._now() - begin)

    def _plainly(self, claim):
        with self._limit():
            self._handler(claim)
        with settled_already():
            claim.finish(self._keep)

    def _in_transaction(self, claim):
        try:
            for attempt in self._manager.attempts(TRIES):
                with attempt:
                    with self._limit():
                        self._handler(claim)
                    with settled_already():
                        self._files.finish(claim, self._keep)
        except transaction.interfaces.TransientError:
            claim.release()  # that is not its fault
            raise

    def _fail(self, claim, error, seconds):
        log(logging.ERROR, claim, 'failed', seconds, exc_info=error)
        try:
            with settled_already():
                claim.fail(error)
        except OSError as problem:
            # The claim is left as by a process that dies.
            log(logging.ERROR, claim, 'not settled: %s' % problem, seconds)


def joining(selection, manager):
    """Return the store as the transactions of a manager see it."""
    if transaction is None:
        raise ValueError('the package transaction is not installed')
    store = getattr(selection, 'store', selection)
    return gocept.filestore.datamanager.TransactionalFileStore(store, manager)


def settled_already():
    """Let the handler settle a claim by itself."""
    return contextlib.suppress(gocept.filestore.interfaces.Settled)


def log(level, claim, outcome, seconds, exc_info=None):
    logger.log(level, '%s: attempt %s %s after %.3f seconds', claim.path,
               claim.attempt, outcome, seconds, exc_info=exc_info)


def limit(seconds):
    """Return a function that returns a context manager with a time limit.

    It uses the one alarm that a process has, so it is for the main thread.
    """
    if seconds is None:
        return contextlib.nullcontext
    if not 0 < seconds < math.inf:
        raise ValueError(
            'a time limit is a number of seconds above 0, not %r' % (seconds,))
    return functools.partial(limited, seconds)


@contextlib.contextmanager
def limited(seconds):
    def expire(number, frame):
        raise TimeoutError('it took longer than %s seconds' % seconds)

    before = signal.signal(signal.SIGALRM, expire)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def gap(rate):
    """Return the seconds from one file to the next."""
    if rate is None:
        return 0
    if not 0 < rate < math.inf:
        raise ValueError(
            'a rate is a number of files per second above 0, not %r' % (rate,))
    return 1 / rate
