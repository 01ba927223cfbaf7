"""Takes the files of a store, one for each claim, in their order."""
import contextlib
import errno
import functools
import gocept.filestore.disk.layout
import gocept.filestore.disk.lock
import gocept.filestore.disk.name
import gocept.filestore.disk.probe
import gocept.filestore.interfaces
import gocept.filestore.queue.claim
import gocept.filestore.queue.recovery
import gocept.filestore.queue.waiting
import gocept.filestore.retry.known
import logging
import math
import time
import warnings


first = gocept.filestore.queue.recovery.first
logger = logging.getLogger(__name__)
warned = set()  # directories of stores


class Queue:
    """The files of one store, in the order in which they are claimed."""

    most = 100  # files of `work` looked into before one of `new` is claimed
    listings = 3  # at most, before nothing is there to be claimed
    pause = 0.001  # seconds
    share = 0.03  # of the time, at most, goes to what was left to others
    _fit = None  # the place where claims hold, as far as we know

    def __init__(self, attempts, intents, guard=None,
                 is_wanted=gocept.filestore.disk.name.everything, order='age',
                 sleep=time.sleep):
        if order not in gocept.filestore.interfaces.ORDERS:
            raise ValueError('the order of files is one of %s, not %r' % (
                ', '.join(gocept.filestore.interfaces.ORDERS), order))
        self._layout = attempts.layout
        self._attempts = attempts
        self._intents = intents
        self._guard = guard
        self._is_wanted = is_wanted
        self._order = order
        self._recovery = gocept.filestore.queue.recovery.Recovery(
            attempts, intents, guard, is_wanted)
        self._known = gocept.filestore.retry.known.Known(self._layout)
        self._listing = gocept.filestore.queue.waiting.Listing()
        self._sleep = sleep
        self._look_at = self._list_at = self._layout.now()

    def claim(self, pauses):
        if self._layout.now() >= self._look_at:
            self._look()
        if self._layout.now() >= self._recovery.look_at and (
                claim := self._recovery.claim(
                    self._take_from_new, pauses, self.most)):
            return claim
        listing = self._listing
        return first(
            iter(listing.next, None), functools.partial(self._take, listing),
            pauses) or self._afresh(pauses)

    def _look(self):
        """Forget directories that may have been moved aside, or made."""
        place = self._layout['new'].identity
        if self._fit != place:
            self._check_fitness(self._layout['tmp'])
            self._fit = place
        self._look_at = self._layout.now() + self._layout.interval
        if (self._listing.place != place
                or self._listing.has_skipped
                and self._layout.now() >= self._list_at):
            self._listing = gocept.filestore.queue.waiting.Listing()
        self._known.renew()
        self._listing.put_back()

    def _check_fitness(self, tmp):
        """Take nothing where no claim holds, and warn where one may not."""
        for weakness in () if tmp.is_local else (
                gocept.filestore.disk.probe.weaknesses(tmp)):
            reason = '%s; %s' % weakness[:2]
            if weakness.is_refused:
                raise OSError(errno.EOPNOTSUPP, reason, tmp.store)
            if tmp.directory not in warned:
                warned.add(tmp.directory)
                logger.warning('%r: %s', tmp.store, reason)
                warnings.warn('%r: %s' % (tmp.store, reason), RuntimeWarning)

    def _afresh(self, pauses):
        """Claim from a new listing, or say that there is nothing.

        Somebody may hold a file for a moment only, and leave it: he sees that
        its name is in work, when it is not any more.
        """
        for number in range(self.listings):
            claim = self._from_new_listing(pauses, number + 1 < self.listings)
            listing = self._listing
            if claim or not (listing.has_held or listing.has_skipped):
                return claim
            if listing.has_held:
                self._sleep(self.pause)

    def _from_new_listing(self, pauses, may_skip):
        listing = self._listing = self._list()
        if not may_skip:
            listing.lost = -math.inf  # what it leaves might be the last one
        # In this order, a file whose process dies meanwhile is found.
        return first(
            iter(listing.next, None), functools.partial(self._take, listing),
            pauses) or self._recovery.claim(self._take_from_new, pauses)

    def _list(self):
        begin = self._layout.now()
        listing = gocept.filestore.queue.waiting.Listing(
            self._layout['new'], self._order, self._is_wanted)
        if self._guard:
            self._guard.keep(listing.names())
        end = self._layout.now()
        self._list_at = end + max(self._layout.interval,
                                  (end - begin) / self.share)
        return listing

    def _take_from_new(self, filename):
        return self._take(gocept.filestore.queue.waiting.Listing(), filename)

    def _take(self, listing, filename):
        """Claim a file that waits, or return None."""
        new, work = self._layout.recent('new', 'work')
        held = gocept.filestore.disk.lock.take(new, filename, busy=False)
        if not held:
            listing.has_held |= held is False
            listing.lose()
            return None
        claim = gocept.filestore.queue.claim.Claim(
            self._attempts, work, filename, held)
        taken = None
        try:
            taken = self._take_held(listing, new, work, claim, *held)
        finally:
            if taken is not claim:
                claim.drop()  # an error refers to it, and may live long
        return taken

    def _take_held(self, listing, new, work, claim, descriptor, status):
        filename = claim.filename
        if self._guard and not self._guard.is_whole(
                new, filename, descriptor, status):
            return None
        if status.st_nlink > 1 and (
                gocept.filestore.disk.probe.leaves_names(new)):
            self._remove_twin(filename, status)
        if self._known.has(filename, status.st_ctime_ns, new):
            # Where others share it, `take` has looked when it was locked.
            if new.is_local and not new.is_at(filename, status):
                return None  # it has failed since we opened it, and waits
            # Before it moves: in `work`, it would look like one that waits.
            claim.go_on(self._attempts.begin(filename, status))
        try:
            new.move(filename, work, filename, status)
        except gocept.filestore.interfaces.NameTaken:
            return self._listing.behind.append(filename)
        except gocept.filestore.interfaces.NoSuchFile:
            return None
        found = work.stat(filename)
        if not found or found.st_ino != status.st_ino:
            # A newer file has just replaced the one that we locked.
            claim.drop()
            return self._recovery.take_over(
                work, filename, self._take_from_new, is_new=True)
        if self._guard and self._guard.is_written(work, descriptor):
            return claim.release()  # opened just before it was moved
        return claim

    def _remove_twin(self, filename, status):
        """Remove the name in `failed` or `tmp`, if a crash has left two.

        There it has been put back, or published, and it is up to us now.
        Somebody else's link to an equal file has another name than ours.
        """
        for name in gocept.filestore.disk.layout.sources('new'):
            space = name != 'work' and self._layout.get(name)
            for entry in space.entries() if space else ():
                if entry.inode() == status.st_ino and (
                        self._was_moved(name, entry.name, filename)):
                    with contextlib.suppress(FileNotFoundError):
                        # who is moving it has just done so
                        space.remove(entry.name)

    def _was_moved(self, space, name, filename):
        """Tell whether our own move from a space has left this name."""
        return gocept.filestore.disk.name.can_become(
            name, filename, is_draft=space == 'tmp') and not (
                self._intents.has_draft(name, but=filename))
