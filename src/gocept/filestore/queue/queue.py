"""Takes the files of a store, one for each claim, in their order."""
import contextlib
import errno
import functools
import gocept.filestore.disk.layout
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
import gocept.filestore.disk.name
import gocept.filestore.disk.space
import gocept.filestore.queue.claim
import gocept.filestore.queue.recovery
import gocept.filestore.queue.waiting
import gocept.filestore.retry.known
import time


first = gocept.filestore.queue.recovery.first
# Somebody else was faster, or the name is in work.
LOST = (errno.EEXIST, *gocept.filestore.disk.space.GONE)


class Queue:
    """The files of one store, in the order in which they are claimed."""

    most = 100  # files of `work` looked into before one of `new` is claimed
    listings = 3  # at most, before nothing is there to be claimed
    pause = 0.001  # seconds
    share = 0.03  # of the time, at most, goes to what was left to others

    def __init__(self, attempts, intents, guard=None,
                 is_wanted=gocept.filestore.disk.name.everything, order='age',
                 sleep=time.sleep):
        if order not in gocept.filestore.queue.waiting.ORDERS:
            raise ValueError('the order of files is one of %s, not %r' % (
                ', '.join(gocept.filestore.queue.waiting.ORDERS), order))
        self._layout = attempts.layout
        self._attempts = attempts
        self._guard = guard
        self._is_wanted = is_wanted
        self._order = order
        self._recovery = gocept.filestore.queue.recovery.Recovery(
            attempts, intents, guard, is_wanted)
        self._known = gocept.filestore.retry.known.Known(self._layout)
        self._listing = gocept.filestore.queue.waiting.Listing()
        self._sleep = sleep
        self._look_at = self._list_at = self._layout.now()

    def claim(self):
        if self._layout.now() >= self._look_at:
            self._look()
        if self._recovery.is_time() and (claim := self._recovery.claim(
                self._take_from_new, [], self.most)):
            return claim
        listing = self._listing
        return first(
            iter(listing.next, None), functools.partial(self._take, listing),
            []) or self._afresh()

    def _look(self):
        """Forget directories that may have been moved aside, or made."""
        self._look_at = self._layout.now() + self._layout.interval
        if (self._listing.new is not self._layout['new']
                or self._listing.has_skipped
                and self._layout.now() >= self._list_at):
            self._listing = gocept.filestore.queue.waiting.Listing()
        self._listing.work = None
        self._known.renew()
        self._listing.put_back()

    def _afresh(self):
        """Claim from a new listing, or say that there is nothing.

        Somebody may hold a file for a moment only, and leave it: he sees that
        its name is in work, when it is not any more.
        """
        for _ in range(self.listings):
            claim = self._from_new_listing()
            if claim is not None or not self._listing.has_held:
                return claim
            self._sleep(self.pause)

    def _from_new_listing(self):
        """Claim from a new listing, or raise what forbids it."""
        refused = []
        listing = self._listing = self._list()
        # In this order, a file whose process dies meanwhile is found.
        claim = first(
            iter(listing.next, None), functools.partial(self._take, listing),
            refused) or self._recovery.claim(self._take_from_new, refused)
        if claim is None and refused:
            raise refused[0]
        return claim

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
        listing = gocept.filestore.queue.waiting.Listing()
        listing.new = self._layout['new']
        return self._take(listing, filename)

    def _take(self, listing, filename):
        """Claim a file that waits, or return None."""
        work = listing.work = listing.work or self._layout.made('work')
        held = gocept.filestore.disk.lock.hold(
            listing.new, filename, busy=False)
        if not held:
            listing.has_held |= held is False
            listing.lose()
            return None
        try:
            return self._take_held(listing, work, filename, held)
        except BaseException:
            held.release()  # the error refers to it, and may live long
            raise

    def _take_held(self, listing, work, filename, held):
        if self._guard and not self._guard.is_whole(
                listing.new, filename, held):
            held.release()
            return None
        if held.status.st_nlink > 1:
            self._remove_twin(filename, held)
        number = 1
        has_events = self._known.has(filename, held.status.st_ctime_ns)
        if has_events:
            # Before it moves: in `work`, it would look like one that waits.
            number = self._attempts.begin(filename, held.status)
        if not self._move(listing.new, filename, work, held):
            return None
        listing.lost = 0
        found = work.fresh_stat(filename)
        if not found or found.st_ino != held.status.st_ino:
            # A newer file has just replaced the one that we locked.
            return self._recovery.take_over(
                work, filename, self._take_from_new, is_new=True)
        claim = gocept.filestore.queue.claim.Claim(
            self._attempts, work, filename, held, number, has_events)
        if self._guard and self._guard.is_written(work, held):
            return claim.release()  # opened just before it was moved
        return claim

    def _move(self, new, filename, work, held):
        """Move a file to `work`; tell whether nobody was faster."""
        try:
            gocept.filestore.disk.move.move(
                new.descriptor, filename, work.descriptor, filename,
                self._layout.durable, held.status)
        except OSError as error:
            held.release()
            if error.errno == errno.EEXIST:
                self._listing.behind.append(filename)
            if error.errno in LOST:
                return False
            raise new.explained(error, filename) from None
        return True

    def _remove_twin(self, filename, held):
        """Remove the name in `failed` or `tmp`, if a crash has left two.

        There it has been put back, or published, and it is up to us now.
        """
        for name in gocept.filestore.disk.layout.sources('new'):
            space = name != 'work' and self._layout.get(name)
            for entry in space.entries() if space else ():
                if entry.inode() == held.status.st_ino:
                    with contextlib.suppress(FileNotFoundError):
                        # who is moving it has just done so
                        space.remove(entry.name)
