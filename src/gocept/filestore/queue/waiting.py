"""The files that waited in `new` at one moment, handed out one by one."""
import collections
import gocept.filestore.disk.listing
import gocept.filestore.disk.name
import itertools
import math
import threading


ORDERS = ('age', 'directory', 'name')
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
                 is_wanted=gocept.filestore.disk.name.everything):
        self.new = new
        self.behind = []  # those behind an older one of their name
        self._keys = collections.deque()
        self._more = iter(())
        self._name_at = 0
        self._reading = threading.Lock()
        if new:
            self._begin(order, new, is_wanted)

    def _begin(self, order, new, is_wanted):
        names = gocept.filestore.disk.listing.names(new, is_wanted)
        if order == 'age':
            self._keys.extend(
                gocept.filestore.disk.listing.arrivals(new, is_wanted))
            self._name_at = gocept.filestore.disk.listing.DIGITS
        elif order == 'name':
            self._keys.extend(sorted(names))
        elif new.is_local:
            self._more = names
        else:
            # As long as a listing is open, MooseFS looks up names in it.
            self._keys.extend(names)

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
