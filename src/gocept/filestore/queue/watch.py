"""Waits for files to claim."""
import gocept.filestore.disk.inotify
import gocept.filestore.disk.process
import gocept.filestore.interfaces
import logging
import math


logger = logging.getLogger(__name__)
SHARE = 0.02  # of the time, at most, is spent with looking in vain
LONGEST = 10  # seconds between two looks, unless somebody wants it longer


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IWatch)
class Watch:
    """Waits for files to claim; whatever wakes it, a listing decides."""

    is_stopped = False
    notifies = None
    _notifier = None

    def __init__(self, claim, layout, poll):
        if not 0 < poll < math.inf:
            raise ValueError(
                'the time between two looks is a number of seconds above 0, '
                'not %r' % (poll,))
        self._claim = claim
        self._layout = layout
        self._poll = poll
        self._new = None
        self._bell = gocept.filestore.disk.process.Bell()

    def __del__(self):
        self._unwatch()

    def __iter__(self):
        return self

    def __next__(self):
        while not self.is_stopped:
            # In this order, what comes after the listing wakes us.
            self._watch()
            begin = self._layout.now()
            claim = self._claim()
            if claim is not None:
                return claim
            pause = min((self._layout.now() - begin) / SHARE, LONGEST)
            self._wait(max(self._poll, pause))
        raise StopIteration

    def stop(self, *args):
        self.is_stopped = True
        self._bell.ring()

    def pause(self, seconds):
        self._bell.wait(seconds)

    def _watch(self):
        """Watch `new`, also if it was moved aside and made again."""
        new = self._layout['new']
        if new is self._new:
            return
        self._unwatch()
        self._notifier, reason = gocept.filestore.disk.inotify.proven(
            self._layout['tmp'], new)
        self._new = new
        self.notifies = self._notifier is not None
        if self.notifies:
            logger.info('woken when a file comes into %r', new.path)
        else:
            logger.info('looking into %r every %s seconds: %s',
                        new.path, self._poll, reason)

    def _unwatch(self):
        if self._notifier is not None:
            self._notifier.close()
            self._notifier = None

    def _wait(self, seconds):
        if self._notifier is None:
            self._bell.wait(seconds)
        else:
            self._bell.wait(seconds, [self._notifier])
            self._notifier.read(timeout=0)  # what came does not matter
