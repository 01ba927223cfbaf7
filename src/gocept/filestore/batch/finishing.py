"""Claims that are finished with a batch: files that leave `work`."""
import gocept.filestore.batch.deed
import gocept.filestore.disk.lock
import gocept.filestore.disk.space
import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.queue.claim
import os


class Finishing:
    """A claim that is settled with its batch."""

    draft = None

    def __init__(self, layout, attempts, claim, keep):
        if not isinstance(claim, gocept.filestore.queue.claim.Claim):
            raise TypeError('a claim of a store can be finished here, not %r'
                            % (claim,))
        self._layout = layout
        self._attempts = attempts
        self._claim = claim
        self.filename = claim.filename
        with gocept.filestore.disk.space.Naming(claim.path):
            status = os.fstat(claim.fileno())
        if not self._is_there(status):
            raise self._missing()
        self._status = status
        self.key = 'finish', status.st_ino
        self.deed = Finish(
            filename=self.filename, inode=status.st_ino,
            changed=status.st_mtime_ns, attempt=claim.attempt, keep=keep)
        self.deed.claim = claim

    def _missing(self):
        work = self._layout.get('work')
        if work and os.path.samefile(
                work.directory, os.path.dirname(self._claim.path)):
            return work.no_such_file(self.filename)
        return gocept.filestore.interfaces.ForeignClaim(
            self.filename, self._layout.path, 'it was not claimed from here')

    def twice(self):
        return gocept.filestore.interfaces.Settled(
            self.filename, self._layout.path,
            'this claim is finished twice in this batch')

    def take(self):
        if self.deed.claim:
            self._claim.check(is_to_end=True)
        if self.deed.keep:
            self._layout['cur']
        if not self._is_there(self._status):
            raise self._layout['work'].no_such_file(self.filename)

    def _is_there(self, status):
        work = self._layout.get('work')
        return work and work.is_at(self.filename, status)

    def is_held(self):
        """Tell whether it is; raise `Settled` for what was settled."""
        return self.deed.claim and self._claim.fileno()

    def undo(self):
        """It is still up to who has claimed it, or waits again."""
        if not self.deed.claim:
            self.deed.claim = self._claim
            self.deed.give_back(self._attempts, self._layout.get('work'))

    def let_go(self):
        self._claim.drop()
        self.deed.claim = None


class Finish(gocept.filestore.batch.deed.Deed):
    """What is written down of it: a file leaves `work`."""

    kind = 'finish'
    facts = {'filename': str, 'inode': int, 'changed': int, 'attempt': int,
             'keep': bool}
    claim = None  # of the process that has it, if this is that one

    @property
    def spaces(self):
        return ('cur', 'work') if self.keep else ('work',)

    @property
    def reserved(self):
        return {('claim', self.filename, self.inode): self.filename}

    def is_possible(self, layout):
        status = self.status_in(layout.get('work'))
        return self.is_of(status) or not (self.keep or status)

    def carry_out(self, layout, attempts, is_first=False):
        work = layout.get('work')
        if self.claim is not None:
            return self._finish_ours(work, attempts)
        if not self.is_of(self.status_in(work)):
            return self._has_gone(layout, is_first)
        held = gocept.filestore.disk.lock.hold(work, self.filename)
        if held is None:
            return False  # somebody asks whose it is, for a moment
        claim = gocept.filestore.queue.claim.Claim(
            attempts, work, self.filename, held.give()).go_on()
        try:
            claim.done(self.keep)
        finally:
            claim.drop()
        return True

    def _finish_ours(self, work, attempts):
        self.claim.check()
        status = self.status_in(work)
        if status and status.st_ino == self.inode:
            self.claim.done(self.keep)
            return True
        self.claim.check(is_to_end=True)
        # What has this name now is none of our business.
        attempts.settle(self.filename, self.inode)
        self.claim.drop()
        return self._has_gone(attempts.layout, is_first=True)

    def _has_gone(self, layout, is_first):
        """Most likely it was finished by who has died, if there was one."""
        if is_first and self.keep:
            raise gocept.filestore.interfaces.NoSuchFile(
                self.filename, layout.path, 'it has gone from work')
        return True

    def tell(self, store):
        gocept.filestore.event.notify(
            gocept.filestore.event.Finished, self.filename, store,
            self.attempt)
