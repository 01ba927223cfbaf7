import time


NEVER = None, None, ()


class Register:
    """What is in a space, read anew only if files have come or gone.

    `read` gets a space, and returns what it has read.
    """

    coarse = 2  # seconds; the clock of MooseFS has whole ones

    def __init__(self, read, clock=time.time):
        self._read = read
        self._clock = clock
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
        if listed is space and since == changed:
            return files
        self._last = NEVER
        if space.is_local and self._clock() - changed / 1e9 > self.coarse:
            files = self._read(space)
            self._last = space, changed, files
            return files
