import collections
import gocept.filestore.selection
import itertools
import math
import threading


DIGITS = 19  # of the largest time in nanoseconds, 2 ** 63
CHUNK = 256  # names that are read at once
BLOCK = 64  # names, at most, that are left to who was faster
SHARE = 16  # and at most one of so many that are left


class Listing:
    """What waited in `new` at one moment, and where it goes."""

    work = None
    has_held = False  # whether somebody held a file of it
    has_skipped = False  # whether files of it were left to others
    # So many files, one after the other, were taken by others. Until one was
    # claimed none is left to others, since that might be the last one.
    lost = -math.inf

    def __init__(self, new=None, order='age',
                 selection=gocept.filestore.selection.EVERYTHING):
        self.new = new
        self.behind = []  # those behind an older one of their name
        self._keys = collections.deque()
        self._more = iter(())
        self._name_at = 0
        self._reading = threading.Lock()
        if new:
            self._begin(order, new, selection)

    def _begin(self, order, new, selection):
        if order == 'age':
            self._keys.extend(arrivals(new, selection))
            self._name_at = DIGITS
        elif order == 'name':
            self._keys.extend(sorted(names(new, selection)))
        elif new.is_local:
            self._more = names(new, selection)
        else:
            # As long as a listing is open, MooseFS looks up names in it.
            self._keys.extend(names(new, selection))

    def next(self):
        """Return the next name, or None; each one to one thread only."""
        while True:
            try:
                return self._keys.popleft()[self._name_at:]
            except IndexError:
                if not self._read():
                    return None

    def _read(self):
        """Read more of the directory; tell whether there was more."""
        with self._reading:
            more = list(itertools.islice(self._more, CHUNK))
            self._keys.extend(more)
        return more

    def lose(self):
        """Note that somebody else was faster with a file.

        He goes on with the next ones. All have the same listing, and would
        try in vain what others take; so after two, some are left to him.
        """
        self.lost += 1
        if self.lost > 1:
            for _ in range(min(BLOCK, len(self._keys) // SHARE)):
                self.next()
                self.has_skipped = True

    def names(self):
        """Return the names of all that is left, in a set."""
        while self._read():
            pass
        return {key[self._name_at:] for key in self._keys}

    def put_back(self):
        """Let those have their turn whose name may be free by now."""
        behind, self.behind = self.behind, []
        self._keys.extendleft('0' * self._name_at + name
                              for name in reversed(behind))


def names(space, selection):
    """Yield the names of files as the directory has them."""
    return (entry.name for entry in space.entries()
            if selection.has(entry.name))


def arrivals(space, selection=gocept.filestore.selection.EVERYTHING):
    """Return, in order, strings of when a file came there, and its name.

    The move that brought a file has set its ctime, on every file system. One
    string takes half the memory of a tuple, and is sorted faster.
    """
    keys = [str(arrival(entry)).zfill(DIGITS) + entry.name
            for entry in space.entries() if selection.has(entry.name)]
    keys.sort()
    return keys


def oldest_first(space):
    """List the names of files, those first that came first."""
    return [key[DIGITS:] for key in arrivals(space)]


def arrival(entry):
    """Return when a file came there, in nanoseconds since the epoch."""
    try:
        return max(0, entry.stat(follow_symlinks=False).st_ctime_ns)
    except OSError:
        return 0  # it has gone meanwhile, as whoever claims it will see


def until(space, limit):
    """List the names of files that came into a space until then."""
    keys = arrivals(space) if space else ()
    return [key[DIGITS:] for key in keys if int(key[:DIGITS]) <= limit]


ORDERS = ('age', 'directory', 'name')
