"""What lies in a space: in the order in which it came, or as last read."""
import gocept.filestore.disk.name
import math
import time


DIGITS = 19  # of the largest time in nanoseconds, 2 ** 63
NEVER = None, None, ()


class CachedListing:
    """What is in a space, read anew only if files have come or gone.

    `read` gets a space, and returns what it has read.
    """

    coarse = 2  # seconds; the clock of MooseFS has whole ones

    def __init__(self, read, disk_clock=time.time):
        self._read = read
        self._disk_clock = disk_clock
        self._last = NEVER  # in one, since threads share it

    def files(self, space):
        """Return what is there now."""
        kept = self.kept(space)
        return self._read(space) if kept is None else kept

    def kept(self, space):
        """Return the same, or None for a directory that changes.

        Once it has not changed for some time, what was read will do: the next
        change gets another time. Other hosts may have another clock.
        """
        changed = space.changed()
        listed, since, files = self._last
        if listed == space.identity and since == changed:
            return files
        self._last = NEVER
        if space.is_local and self._disk_clock() - changed / 1e9 > self.coarse:
            files = self._read(space)
            self._last = space.identity, changed, files
            return files


def names(space, is_wanted):
    """Yield the names of files as the directory has them."""
    return (entry.name for entry in space.entries() if is_wanted(entry.name))


def arrivals(space, is_wanted=gocept.filestore.disk.name.everything):
    """Return, in order, strings of when a file came there, and its name.

    The move that brought a file has set its ctime, on every file system. One
    string takes half the memory of a tuple, and is sorted faster. There may
    be a million, so that nothing is called for each that can be done here.
    """
    keys = []
    for entry in space.entries(is_wanted=None):
        name = entry.name
        if name[0] != '.' and is_wanted(name):
            try:
                if entry.is_file(follow_symlinks=False):
                    came = entry.stat(follow_symlinks=False).st_ctime_ns
                    keys.append(str(came).zfill(DIGITS) + name)
            except OSError:
                keys.append('0' * DIGITS + name)  # as for `arrival`
    keys.sort()
    return keys


def arrival(entry):
    """Return when a file came there, in nanoseconds since the epoch."""
    try:
        return max(0, entry.stat(follow_symlinks=False).st_ctime_ns)
    except OSError:
        return 0  # it has gone meanwhile, as whoever claims it will see


def until(space, limit=math.inf, is_wanted=None):
    """List the names of files that came into a space until then, in order."""
    is_wanted = is_wanted or gocept.filestore.disk.name.everything
    keys = arrivals(space, is_wanted) if space else ()
    return [key[DIGITS:] for key in keys if int(key[:DIGITS]) <= limit]
