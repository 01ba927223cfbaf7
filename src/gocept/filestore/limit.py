"""How long the work with a file may take, and how soon the next may begin."""
import contextlib
import functools
import math
import signal


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
