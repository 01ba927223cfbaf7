"""Claims that are finished with a batch: files that leave `work`."""
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
import gocept.filestore.disk.space
import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.queue.claim
import os


class Finishing:
    """A claim that is settled with its batch."""

    draft = None

    def __init__(self, layout, claim, keep):
        if not isinstance(claim, gocept.filestore.queue.claim.Claim):
            raise TypeError('a claim of a store can be finished here, not %r'
                            % (claim,))
        self._layout = layout
        self._claim = claim
        self.filename = claim.filename
        with gocept.filestore.disk.space.Naming(claim.path):
            status = os.fstat(claim.fileno())
        if not self._is_there(status):
            raise gocept.filestore.interfaces.ForeignClaim(
                self.filename, layout.path, 'it was not claimed from here')
        self._status = status
        self.deed = Finish(self.filename, status.st_ino, status.st_mtime_ns,
                           claim.attempt, keep)
        self.deed.claim = claim

    @property
    def key(self):
        return 'finish', self.deed.inode

    def twice(self):
        return gocept.filestore.interfaces.Settled(
            self.filename, self._layout.path,
            'this claim is finished twice in this batch')

    def prepare(self):
        self._claim.fileno()  # raises an error if it was settled
        if self.deed.keep:
            self._layout['cur']
        if not self._is_there(self._status):
            raise self._layout['work'].no_such_file(self.filename)

    def _is_there(self, status):
        work = self._layout.get('work')
        return work and gocept.filestore.disk.move.is_at(
            work.descriptor, self.filename, status)

    def check(self, taken):
        """It is ours, so there is nobody whom we could be in the way of."""

    def undo(self):
        """It is still up to who has claimed it."""

    def let_go(self):
        self._claim.drop()


class Finish:
    """What is written down of it: a file leaves `work`."""

    kind = 'finish'
    facts = {'filename': str, 'inode': int, 'changed': int, 'attempt': int,
             'keep': bool}
    claim = None  # of the process that has it, if this is that one

    def __init__(self, filename, inode, changed, attempt, keep):
        self.filename = filename
        self.inode = inode
        self.changed = changed
        self.attempt = attempt
        self.keep = keep

    @property
    def spaces(self):
        return ('cur', 'work') if self.keep else ('work',)

    def reserve(self, concerns):
        concerns.claims.add((self.filename, self.inode))

    def is_possible(self, layout):
        status = status_in(layout.get('work'), self.filename)
        return is_same(status, self) or not (self.keep or status)

    def carry_out(self, layout, attempts, is_first=False):
        work = layout.get('work')
        if self.claim is not None:
            return self._finish_ours(work, attempts)
        if not is_same(status_in(work, self.filename), self):
            return self._has_gone(layout, is_first)
        held = gocept.filestore.disk.lock.hold(work, self.filename)
        if held is None:
            return False  # somebody asks whose it is, for a moment
        self._finish_for_another(work, attempts, held)
        return True

    def _finish_ours(self, work, attempts):
        self.claim.fileno()  # raises an error if it was settled
        status = status_in(work, self.filename)
        if status and status.st_ino == self.inode:
            self.claim.done(self.keep)
            return True
        # What has this name now is none of our business.
        attempts.forget(self.filename, self.inode)
        self.claim.drop()
        return self._has_gone(attempts.layout, is_first=True)

    def _finish_for_another(self, work, attempts, held):
        claim = gocept.filestore.queue.claim.Claim(
            attempts, work, self.filename, held, has_events=True)
        try:
            claim.done(self.keep)
        finally:
            claim.drop()

    def _has_gone(self, layout, is_first):
        """Most likely it was finished by who has died, if there was one."""
        if is_first and self.keep:
            raise gocept.filestore.interfaces.NoSuchFile(
                self.filename, layout.path, 'it has gone from work')
        return True

    def give_up(self, layout):
        """Whoever claims next takes it over."""

    def tell(self, store):
        gocept.filestore.event.notify(
            gocept.filestore.event.Finished, self.filename, store,
            self.attempt)


def status_in(space, filename):
    """Return the status of a file that nobody but us moves, or None."""
    return space and space.fresh_stat(filename)


def is_same(status, deed):
    """Tell whether this is the file of a deed.

    The inode of one that has gone may be that of another one, whose content
    was written at another time. No move changes the mtime.
    """
    return status is not None and (status.st_ino, status.st_mtime_ns) == (
        deed.inode, deed.changed)
