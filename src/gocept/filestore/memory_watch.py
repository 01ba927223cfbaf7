import contextlib
import gocept.filestore.interfaces
import math
import queue
import zope.interface


@zope.interface.implementer(gocept.filestore.interfaces.IWatch)
class Watch:
    """Waits for files of a store in memory."""

    is_stopped = False
    notifies = None

    def __init__(self, claim, spaces, poll):
        if not 0 < poll < math.inf:
            raise ValueError(
                'the time between two looks is a number of seconds above 0, '
                'not %r' % (poll,))
        self._claim = claim
        self._poll = poll
        # A signal handler may put something there at any moment.
        self._wakes = queue.SimpleQueue()
        self._stops = queue.SimpleQueue()
        with spaces.lock:
            spaces.watches.add(self)

    def __iter__(self):
        return self

    def __next__(self):
        while not self.is_stopped:
            # In this order, what comes after the look wakes us.
            self.notifies = True
            empty(self._wakes)
            claim = self._claim()
            if claim is not None:
                return claim
            wait(self._wakes, self._poll)
        raise StopIteration

    def wake(self):
        self._wakes.put(None)

    def stop(self, *args):
        self.is_stopped = True
        self._stops.put(None)
        self.wake()

    def pause(self, seconds):
        if not self.is_stopped:
            wait(self._stops, max(0, seconds))


def wait(wakes, seconds):
    with contextlib.suppress(queue.Empty):
        wakes.get(timeout=seconds)


def empty(wakes):
    while not wakes.empty():
        wakes.get()
