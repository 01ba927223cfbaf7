import gocept.filestore.listing
import time


NEVER = None, None, ()


class Register:
    """The files of a space, listed anew only if some have come or gone."""

    coarse = 2  # seconds; the clock of MooseFS has whole ones

    def __init__(self, selection, clock=time.time):
        self._selection = selection
        self._clock = clock
        self._last = NEVER  # in one, since threads share it

    def files(self, space):
        """Return when each file came there, its name and its inode.

        Once the directory has not changed for some time, the list will do:
        what changes from now on gets another time. Other hosts may have
        another clock.
        """
        changed = space.changed()
        listed, kept, files = self._last
        if listed is not space or kept != changed:
            is_at_rest = space.is_local and (
                self._clock() - changed / 1e9 > self.coarse)
            files = [(gocept.filestore.listing.arrival(entry), entry.name,
                      entry.inode()) for entry in space.entries()
                     if self._selection.has(entry.name)]
            self._last = (space, changed, files) if is_at_rest else NEVER
        return files
