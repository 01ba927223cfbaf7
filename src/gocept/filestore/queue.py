import collections
import errno
import gocept.filestore.claim
import gocept.filestore.lock
import gocept.filestore.move
import gocept.filestore.space
import time


# Somebody else was faster, or the name is in work.
LOST = (errno.EEXIST, *gocept.filestore.space.GONE)


class Queue:
    """The files of one store, in the order in which they are claimed."""

    interval = 0.1  # seconds between two looks for files of dead processes

    def __init__(self, layout, attempts, now=time.monotonic):
        self._layout = layout
        self._attempts = attempts
        self._now = now
        self._look_at = now()
        self._listing = Listing()

    def claim(self):
        if self._now() < self._look_at:
            return self._first(self._listing, []) or self._afresh()
        if self._listing.new is not self._layout['new']:
            self._listing = Listing()  # of a directory that was moved aside
        self._listing.work = None  # that one may have been, too
        return (self._abandoned([])
                or self._first(self._listing, []) or self._afresh())

    def _afresh(self):
        """Claim from a new listing, or raise what forbids it."""
        refused = []
        listing = self._listing = self._list()
        # In this order, a file whose process dies meanwhile is found.
        claim = self._first(listing, refused) or self._abandoned(refused)
        if claim is None and refused:
            raise refused[0]
        return claim

    def _list(self):
        return Listing(self._layout['new'], self._layout.get('attempts'))

    def _first(self, listing, refused):
        while (filename := listing.next()) is not None:
            try:
                claim = self._take(listing, filename)
            except PermissionError as error:
                refused.append(error)
                continue
            if claim is not None:
                return claim

    def _take(self, listing, filename):
        """Claim a file that waits, or return None."""
        work = listing.work = listing.work or self._layout.made('work')
        held = gocept.filestore.lock.hold(listing.new, filename)
        if held is None:
            return None
        try:
            gocept.filestore.move.move(
                listing.new.descriptor, filename, work.descriptor, filename,
                self._layout.durable, held.status)
        except OSError as error:
            held.release()  # the error refers to it, and may live long
            if error.errno in LOST:
                return None
            raise listing.new.explained(error, filename) from None
        found = work.stat(filename)
        if not found or found.st_ino != held.status.st_ino:
            # A newer file has just replaced the one that we locked.
            return self._take_over(work, filename, self._attempts.number)
        if listing.attempts and listing.attempts.has_file(filename):
            return self._claim(work, filename, held, self._attempts.number)
        return gocept.filestore.claim.Claim(
            self._layout, self._attempts, work, filename, held)

    def _abandoned(self, refused):
        """Claim a file in `work` whose process has died, or return None.

        What is wrong with one file does not keep others waiting.
        """
        work = self._layout.get('work')
        for filename in oldest_first(work) if work else ():
            try:
                claim = self._take_over(
                    work, filename, self._attempts.resume)
            except OSError as error:
                refused.append(error)
                continue
            if claim is not None:
                return claim
        self._look_at = self._now() + self.interval

    def _take_over(self, work, filename, number):
        """Claim a file where it lies, in `work`, or return None.

        The lookup may come from a cache which shows a file that another host
        has just finished; the listing does not.
        """
        held = gocept.filestore.lock.hold(work, filename)
        if held is None:
            return None
        try:
            return self._take_over_held(work, filename, held, number)
        except BaseException:
            held.release()  # the error refers to it, and may live long
            raise

    def _take_over_held(self, work, filename, held, number):
        if work.inode(filename) != held.status.st_ino:
            return None
        if held.status.st_nlink > 1 and self._is_elsewhere(filename, held):
            return self._undo(work, filename, held)
        return self._claim(work, filename, held, number)

    def _is_elsewhere(self, filename, held):
        """Tell whether a crash inside a move left the file with two names."""
        spaces = filter(None, map(self._layout.get, ('new', 'cur', 'failed')))
        found = filter(None, (space.stat(filename) for space in spaces))
        return held.status.st_ino in [status.st_ino for status in found]

    def _undo(self, work, filename, held):
        """Remove the name in `work`, which only the owner of the lock may.

        Then the file is done, or given up, or it waits in `new` as before.
        """
        work.remove(filename)
        held.close()
        return self._take(self._list(), filename)

    def _claim(self, work, filename, held, number):
        return gocept.filestore.claim.Claim(
            self._layout, self._attempts, work, filename, held,
            number(filename, held.status.st_ino), has_events=True)


class Listing:
    """What waited in `new` at one moment, and where it goes."""

    work = None

    def __init__(self, new=None, attempts=None):
        self.new = new
        self.attempts = attempts
        self._filenames = collections.deque(oldest_first(new) if new else ())

    def next(self):
        """Return the next name, or None; each one to one thread only."""
        try:
            return self._filenames.popleft()
        except IndexError:
            return None


def oldest_first(space):
    """List the names of files, those first that came into the space first.

    The move that brought a file has set its ctime, on every file system.
    """
    arrivals = [(arrival(entry), entry.name) for entry in space.entries()]
    return [name for ctime, name in sorted(arrivals)]


def arrival(entry):
    try:
        return entry.stat(follow_symlinks=False).st_ctime_ns
    except OSError:
        return 0  # it has gone meanwhile, as whoever claims it will see
