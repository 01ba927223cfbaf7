import collections
import gocept.filestore.selection


class Listing:
    """What waited in `new` at one moment, and where it goes."""

    work = attempts = None
    has_held = False  # whether somebody held a file of it

    def __init__(self, new=None, order='age',
                 selection=gocept.filestore.selection.EVERYTHING):
        self.new = new
        self.filenames = collections.deque(
            ORDERS[order](new, selection) if new else ())
        self.behind = []  # those behind an older one of their name

    def next(self):
        """Return the next name, or None; each one to one thread only."""
        try:
            return self.filenames.popleft()
        except IndexError:
            return None

    def put_back(self):
        """Let those have their turn whose name may be free by now."""
        behind, self.behind = self.behind, []
        self.filenames.extendleft(reversed(behind))


def oldest_first(space, selection=gocept.filestore.selection.EVERYTHING):
    """List the names of files, those first that came into the space first.

    The move that brought a file has set its ctime, on every file system.
    """
    arrivals = [(arrival(entry), entry.name) for entry in space.entries()
                if selection.has(entry.name)]
    return [name for ctime, name in sorted(arrivals)]


def by_name(space, selection):
    return sorted(entry.name for entry in space.entries()
                  if selection.has(entry.name))


ORDERS = {'age': oldest_first, 'name': by_name}


def arrival(entry):
    try:
        return entry.stat(follow_symlinks=False).st_ctime_ns
    except OSError:
        return 0  # it has gone meanwhile, as whoever claims it will see


def until(space, limit):
    """List the names of files that came into a space until then."""
    arrivals = [(arrival(entry), entry.name)
                for entry in space.entries()] if space else ()
    return [name for ctime, name in sorted(arrivals) if ctime <= limit]
