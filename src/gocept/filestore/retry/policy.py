"""When a file that has failed is tried again, and when no more."""
import gocept.filestore.interfaces
import math
import random


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IRetryPolicy)
class RetryPolicy:
    """Waits twice as long after each attempt, and gives up after some."""

    def __init__(self, attempts=5, first=60, longest=3600, jitter=0.1):
        if attempts < 1:
            raise ValueError('there is at least 1 attempt, not %r' % attempts)
        if not 0 <= first <= longest < math.inf:
            raise ValueError(
                'the first delay is at least 0 and not longer than the '
                'longest, not %r and %r' % (first, longest))
        if not 0 <= jitter <= 1:
            raise ValueError(
                'the jitter is a fraction from 0 to 1, not %r' % jitter)
        self.attempts = attempts
        self.first = first
        self.longest = longest
        self.jitter = jitter

    def delay(self, attempt, error, random=random.random):
        if attempt >= self.attempts:
            return None
        doublings = min(attempt - 1, 64)  # a float holds no more than 1023
        delay = min(self.first * 2 ** doublings, self.longest)
        return delay * (1 - self.jitter * random())


# How long we wait ourselves before we try again what has failed.
BACK_OFF = RetryPolicy(math.inf, first=1, longest=60, jitter=0)


def due(policy, attempt, error, moment):
    """Return when a file is to be tried again, or None to give it up.

    The handler may have said so itself.
    """
    if isinstance(error, gocept.filestore.interfaces.Reject):
        return None
    delay = policy.delay(attempt, error)
    if delay is None:
        return None
    after = getattr(error, 'after', None)
    if isinstance(error, gocept.filestore.interfaces.Retry) and (
            after is not None):
        delay = after
    return moment + delay
