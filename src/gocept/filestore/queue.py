import collections
import contextlib
import gocept.filestore.claim
import gocept.filestore.lock
import gocept.filestore.space
import time


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
        claim = None
        if self._now() >= self._look_at:
            claim = self._abandoned()
        return claim or self._first(self._listing, []) or self._afresh()

    def _afresh(self):
        """Claim from a new listing, or raise what forbids it."""
        forbidden = []
        listing = self._listing = Listing(self._layout['new'])
        # In this order, a file whose process dies meanwhile is found.
        claim = self._first(listing, forbidden) or self._abandoned()
        if claim is None and forbidden:
            raise forbidden[0]
        return claim

    def _first(self, listing, forbidden):
        while listing.filenames:
            try:
                claim = self._take(listing, listing.filenames.popleft())
            except IndexError:
                return None  # another thread took the last one
            except PermissionError as error:
                forbidden.append(error)
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
            listing.new.move(filename, work, filename)
        except (FileNotFoundError, FileExistsError):
            return None
        found = work.stat(filename)
        if found and found.st_ino == held.status.st_ino:
            return self._claim(work, filename, held)
        # A newer file has just replaced the one that we locked.
        return self._take_over(work, filename, resume=lambda *args: 1)

    def _abandoned(self):
        """Claim a file in `work` whose process has died, or return None."""
        work = self._layout.get('work')
        for filename in oldest_first(work) if work else ():
            with contextlib.suppress(PermissionError):
                claim = self._take_over(
                    work, filename, self._attempts.resume)
                if claim is not None:
                    return claim
        self._look_at = self._now() + self.interval

    def _take_over(self, work, filename, resume):
        """Claim a file where it lies, in `work`, or return None.

        The lookup may come from a cache which shows a file that another host
        has just finished; the listing does not.
        """
        held = gocept.filestore.lock.hold(work, filename)
        if held is None or work.inode(filename) != held.status.st_ino:
            return None
        if held.status.st_nlink > 1 and self._is_elsewhere(filename, held):
            return self._undo(work, filename, held)
        return self._claim(
            work, filename, held, resume(filename, held.status.st_ino))

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
        return self._take(Listing(self._layout['new']), filename)

    def _claim(self, work, filename, held, attempt=1):
        return gocept.filestore.claim.Claim(
            self._layout, self._attempts, work, filename, held, attempt)


class Listing:
    """What waited in `new` at one moment, and where it goes."""

    work = None

    def __init__(self, new=None):
        self.new = new
        self.filenames = collections.deque(oldest_first(new) if new else ())


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
