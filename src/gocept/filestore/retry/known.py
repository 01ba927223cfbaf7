"""About which names something may be written down, without asking twice."""
import gocept.filestore.disk.listing
import gocept.filestore.disk.space
import os
import time


class Known:
    """Tells about which files of `new` something may be written down.

    What is written down about a file is there before the file comes to `new`,
    and each move sets the ctime. So one look at `attempts` is enough for all
    files that came before.
    """

    large = 2 ** 18  # bytes of a directory; of ten thousand names, or so
    tick = 0.02  # seconds; a ctime may be as late as a tick, at 100 Hz 0.01

    def __init__(self, layout, disk_clock=time.time):
        self._layout = layout
        self._disk_clock = disk_clock
        self._listing = gocept.filestore.disk.listing.CachedListing(
            lambda space: {entry.name for entry in space.entries()},
            disk_clock)
        self.renew()

    def renew(self):
        """Forget what may be outdated: the directory, and the clock."""
        self._is_made = None  # and nobody has looked
        self._known = -1, ()  # ask always; in one, since threads share it

    def has(self, filename, arrival, new):
        """Tell whether it has a file of this name, or might have one.

        The arrival in the space `new` is a ctime, in nanoseconds.
        """
        until, names = self._known
        if arrival < until:
            return filename in names
        if not self._is_made:
            # See whether anything has ever failed, and with which names.
            moment = self._disk_clock()
            space = self._layout.is_made('attempts') and (
                self._layout.get('attempts'))
            names = self._listed(space) if space else ()
            if names is not None and new.is_local:
                self._known = (moment - self.tick) * 1e9, names
            self._is_made = bool(space)
        if not self._is_made:
            return False
        [attempts] = self._layout.recent('attempts')
        return attempts.has_file(filename)

    def _listed(self, space):
        """Return the names, or None if it takes less to ask for each."""
        with gocept.filestore.disk.space.Naming(space.path):
            is_large = os.fstat(space.descriptor).st_size > self.large
        return None if is_large else self._listing.kept(space)
