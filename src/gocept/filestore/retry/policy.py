"""When a file that has failed is tried again, and when no more."""
import gocept.filestore.interfaces
import math
import random
import time


HOUR = 3600  # the longest delay, unless somebody says otherwise


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IRetryPolicy)
class RetryPolicy:
    """Waits twice as long after each attempt, and gives up after some.

    `IRetryPolicy` tells what it takes.
    """

    def __init__(self, attempts=5, first=60, longest=None, jitter=0.1):
        if longest is None:
            longest = max(first, HOUR)
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
FORGOTTEN = 3600  # seconds after a pause, and then the first one is next


class Pauses(dict):
    """What does not go and counts no attempt: how often, and until when not.

    `errors` are those that nobody was told of, one for each thing.
    """

    errors = ()
    now = time.monotonic
    _most = 1000  # until we look for what is forgotten

    def begin(self, name):
        """Let it wait, longer each time; return how often in a row it does."""
        if len(self) >= self._most:
            self._forget()
        times, until = self.get(name, (0, 0))
        times = 1 if until + FORGOTTEN < self.now() else times + 1
        self[name] = times, self.now() + BACK_OFF.delay(times, None)
        return times

    def is_on(self, name):
        return self.now() < self.get(name, (0, 0))[1]

    def append(self, error, name=None):
        """Let something wait after an error."""
        if self.begin(str(error) if name is None else name) == 1:
            self.errors = [*self.errors, error]

    def tell(self, claim):
        """Raise an error if nothing else is left to be claimed."""
        if claim is None:
            error, self.errors = self.errors[0], ()
            raise error

    def _forget(self):
        for name, (_, until) in list(self.items()):
            if until + FORGOTTEN < self.now():
                self.pop(name, None)
        self._most = 2 * max(len(self), Pauses._most)


def due(policy, attempt, error, moment):
    """Return when to try a file again, as its handler may say, or None."""
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
