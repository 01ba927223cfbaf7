"""Waits for files to claim."""
import gocept.filestore.disk.inotify
import gocept.filestore.disk.listing
import gocept.filestore.disk.process
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import logging
import math


logger = logging.getLogger(__name__)
SHARE = 0.02  # of the time, at most, is spent with looking in vain
LONGEST = 10  # seconds between two looks, unless somebody wants it longer
FROM = 'new', 'work', 'voted', 'committed'  # the spaces of what is claimed


class Pauses(gocept.filestore.retry.policy.Pauses):
    """Pauses of who stays: what is passed over is logged, once."""

    def tell(self, claim):
        errors, self.errors = self.errors, ()
        more = ', and %s more' % (len(errors) - 1) if errors[1:] else ''
        if errors:  # another thread may have told of them
            logger.error('passed over for now: %s%s', errors[0], more)


@gocept.filestore.interfaces.implementer(gocept.filestore.interfaces.IWatch)
class Watch(gocept.filestore.disk.process.Ours):
    """Waits for files to claim; whatever wakes it, a listing decides."""

    is_stopped = False
    _has_failed = False
    notifies = None

    def __init__(self, claim, layout, poll):
        if not 0 < poll < math.inf:
            raise ValueError(
                'the time between two looks is a number of seconds above 0, '
                'not %r' % (poll,))
        self._claim = claim
        self._layout = layout
        self._poll = poll
        self._bell = gocept.filestore.disk.process.Bell()
        self._watcher = gocept.filestore.disk.inotify.Watcher()
        self._listings = {
            name: gocept.filestore.disk.listing.CachedListing(is_filled)
            for name in FROM}

    def __iter__(self):
        return self

    def __next__(self):
        while not self.is_stopped:
            try:
                # In this order, what comes after the listing wakes us.
                self._watch()
                begin = self._layout.now()
                claim = self._claim()
            except OSError:
                self._has_failed = True
                raise
            if self._has_failed:
                self._has_failed = False
                self.recovered()
            if claim is not None:
                return claim
            pause = min((self._layout.now() - begin) / SHARE, LONGEST)
            self._rest(max(self._poll, pause))
        raise StopIteration

    def recovered(self):
        """Called when a look goes well, for the first time after an error."""

    def stop(self, *args):
        self.is_stopped = True
        self._bell.ring(*args)

    def pause(self, seconds):
        self._bell.wait(seconds)

    def _watch(self):
        """Watch `new`, also if it was moved aside and made again.

        Tell whether it is the one of before.
        """
        new = self._layout['new']
        if self._watcher.watches(new):
            return True
        self._watcher.watch(self._layout['tmp'], new, new)
        self.notifies = self._watcher.notifier is not None
        if self.notifies:
            logger.info('woken when a file comes into %r', new.path)
        else:
            logger.info('looking into %r every %s seconds: %s',
                        new.path, self._poll, self._watcher.reason)
        return False

    def _rest(self, seconds):
        """Wait until it makes sense to look again."""
        while not (self.is_stopped or self._wait(seconds)):
            if not self._is_in_vain():
                return

    def _wait(self, seconds):
        """Wait, and tell whether somebody has woken us."""
        return self._watcher.wait(self._bell, seconds)

    def _is_in_vain(self):
        """Tell whether a look would find nothing, as nothing lies there.

        On a local disk the ctime of the directories says so.
        """
        try:
            return (self._watch() and self._watcher.space.is_local
                    and not any(map(self._is_filled, FROM)))
        except OSError:
            return False  # the look will tell

    def _is_filled(self, name):
        return self._layout.is_made(name) and self._listings[name].files(
            self._layout[name])


def is_filled(space):
    return bool(space.names())
