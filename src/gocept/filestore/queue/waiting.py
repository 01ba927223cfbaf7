"""The files that waited in `new` at one moment, handed out one by one."""
import collections
import gocept.filestore.disk.listing
import gocept.filestore.disk.name
import math
import random


CHUNK = 4096  # names that are read at once
BLOCK = 64  # names, at most, that are left to who was faster, each time
FEW = 16  # the last names, of which none is left


class Listing:
    """What waited in `new` at one moment."""

    place = None  # the identity of `new`
    has_held = False  # whether somebody held a file of it
    has_skipped = False  # whether files of it were left to others
    lost = 0  # so many files of it were taken by others

    def __init__(self, new=None, order='age',
                 is_wanted=gocept.filestore.disk.name.everything):
        self.behind = []  # those behind an older one of their name
        self._keys = collections.deque()
        self._new = None  # as long as there may be more to read
        self._met = set()
        self._name_at = 0
        if new:
            self.place = new.identity
            self._begin(order, new, is_wanted)

    def _begin(self, order, new, is_wanted):
        if order == 'age':
            self._keys.extend(
                gocept.filestore.disk.listing.arrivals(new, is_wanted))
            self._name_at = gocept.filestore.disk.listing.DIGITS
        elif order == 'name':
            self._keys.extend(sorted(
                gocept.filestore.disk.listing.names(new, is_wanted)))
        else:
            self._new, self._is_wanted = new, is_wanted

    def next(self):
        """Return the next name, or None; each one to one thread only."""
        while True:
            try:
                return self._keys.popleft()[self._name_at:]
            except IndexError:
                if not self._read():
                    return None

    def _read(self):
        """Read more of the directory; tell whether there was more.

        It is not left open: a forked child would share its position, others
        might close it, and MooseFS would look up names in it. So it begins
        anew, and passes over what was met before and still lies there. Two
        threads may read the same; one of them is faster with each file.
        """
        if self._new is None:
            return False
        most = CHUNK if self._new.is_local else math.inf
        met, more = set(), []
        for name in gocept.filestore.disk.listing.names(
                self._new, self._is_wanted):
            (met.add if name in self._met else more.append)(name)
            if len(more) == most:
                break
        else:
            self._new = None
        self._met = met.union(more)
        self._keys.extend(more)
        return more

    def lose(self):
        """Note that somebody else was faster with a file.

        He goes on with the next one, as we would, and so each of us would try
        in vain what another one takes. From the second time on some are left
        to him: by chance, for many who jump as far would meet there again.
        """
        self.lost += 1
        if self.lost > 1:
            left = len(self._keys)
            for _ in range(min(random.randint(0, BLOCK), left // 2,
                               max(0, left - FEW))):
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
