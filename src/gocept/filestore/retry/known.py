"""About which names something may be written down, without asking twice."""
import gocept.filestore.disk.listing
import time


ASK_ALWAYS = -1, ()


class Known:
    """Tells about which files of `new` something may be written down.

    What is written down about a file is there before the file comes to `new`,
    and each move sets the ctime. So one look at `attempts` is enough for all
    files that came before.
    """

    tick = 0.02  # seconds; a ctime may be as late as a tick, at 100 Hz 0.01

    def __init__(self, layout, disk_clock=time.time):
        self._layout = layout
        self._disk_clock = disk_clock
        self._listing = gocept.filestore.disk.listing.CachedListing(
            names, disk_clock)
        self.renew()

    def renew(self):
        """Forget what may be outdated: the directory, and the clock."""
        self._space = None
        self._known = ASK_ALWAYS  # in one, since threads share it

    def has(self, filename, arrival):
        """Tell whether it has a file of this name, or might have one.

        The arrival in `new` is a ctime, in nanoseconds.
        """
        until, names = self._known
        if arrival < until:
            return filename in names
        attempts = self._space or self._look()
        return attempts is not None and attempts.has_file(filename)

    def _look(self):
        """Return the space `attempts`, or None if nothing has ever failed."""
        moment, space = self._disk_clock(), None
        if self._layout.is_made('attempts'):
            space = self._layout.get('attempts')
        names = self._listing.kept(space) if space else ()
        if names is not None and self._layout.recent('new').is_local:
            self._known = (moment - self.tick) * 1e9, names
        self._space = space
        return space


def names(space):
    return {entry.name for entry in space.entries()}
