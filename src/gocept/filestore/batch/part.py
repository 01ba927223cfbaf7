"""What a batch consists of, as long as it can be given up."""
import contextlib
import gocept.filestore.batch.deed
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import gocept.filestore.publish
import gocept.filestore.queue.claim
import os


TOGETHER = 200  # drafts that are open at once


class Publishing(gocept.filestore.publish.Publication):
    """A draft that becomes visible with its batch."""

    def __init__(self, check, add, *args):
        super().__init__(*args)
        self._check = check
        self._add = add

    def __enter__(self):
        self._check(self.filename)
        self.deed = gocept.filestore.batch.deed.Publish(
            self.filename, self._draft, self._replace)
        self.deed.is_ours = True
        return super().__enter__()

    def _publish(self):
        self.file.close()
        self._add(self)

    @property
    def key(self):
        return 'publish', self.filename

    def twice(self):
        return self._taken('it is published twice in this batch')

    @property
    def draft(self):
        return self._draft

    def prepare(self):
        """It is complete since its block was left."""

    def check(self, taken):
        """Look for what might keep it from `new`; its intent is written.

        Who cleans `tmp` locks a draft before it asks for intents. So a draft
        that we can lock now will not be removed by anybody.
        """
        self._check_draft(self._layout['tmp'])
        new = self._layout['new']
        new.check(self.filename)
        if self._replace:
            return
        if new.has_file(self.filename):
            raise self._taken('there is one in %r' % new.name)
        if self.filename in taken:
            raise self._taken('another batch is about to publish one')

    def _check_draft(self, tmp):
        held = gocept.filestore.disk.lock.hold(tmp, self._draft)
        if held is None:
            raise gocept.filestore.interfaces.NoSuchFile(
                self.filename, self._layout.path,
                'its draft has gone from %r' % tmp.name)
        held.release()

    def undo(self):
        self._discard()

    def let_go(self):
        """Nothing is held."""

    def _taken(self, reason):
        return gocept.filestore.interfaces.NameTaken(
            self.filename, self._layout.path, reason)


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
        self.deed = finish(claim, status, claim.attempt, keep)

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


class Removing:
    """A file that goes with its batch, and that nobody takes from the vote on.
    """

    draft = deed = _claim = None

    def __init__(self, layout, attempts, filename, space):
        self._layout = layout
        self._attempts = attempts
        self.filename = filename
        self._space = space
        self._check()

    @property
    def key(self):
        return 'remove', self._space, self.filename

    def twice(self):
        return self._none('it is removed twice in this batch')

    def prepare(self):
        space = self._check()
        held = gocept.filestore.disk.lock.hold(space, self.filename)
        if held is None:
            raise self._none(
                'another process is taking it from %r' % self._space)
        if self._space == 'new':
            # A lock ends with its process, and then a claim would take it.
            return self._take_away(space, held)
        self.deed = gocept.filestore.batch.deed.Remove(
            self.filename, self._space, held.status.st_ino,
            held.status.st_mtime_ns)
        self.deed.held = held

    def _take_away(self, new, held):
        """Move it to `work`, as a claim does."""
        work = self._layout.made('work')
        new.move(self.filename, work, self.filename, held.status)
        self._claim = gocept.filestore.queue.claim.Claim(
            self._attempts, work, self.filename, held,
            has_events=True)
        self.deed = finish(self._claim, held.status, 0, keep=False)

    def _check(self):
        """Return the space in which the file is."""
        space = self._layout.get(self._space)
        if not space:
            raise self._none('there is none in %r' % self._space)
        space.check(self.filename)
        if not space.has_file(self.filename):
            raise space.no_such_file(self.filename)
        return space

    def check(self, taken):
        """It is ours by now."""

    def undo(self):
        if self._claim is not None:
            self._claim.release()
        elif self.deed is not None:
            self.deed.held.release()

    def let_go(self):
        if self._claim is not None:
            self._claim.drop()
        else:
            self.deed.held.release()

    def _none(self, reason):
        return gocept.filestore.interfaces.NoSuchFile(
            self.filename, self._layout.path, reason)


def finish(claim, status, attempt, keep):
    """Return the deed that finishes a claim of this process."""
    deed = gocept.filestore.batch.deed.Finish(
        claim.filename, status.st_ino, status.st_mtime_ns, attempt, keep)
    deed.claim = claim
    return deed


def sync(tmp, drafts):
    """Bring drafts to the disk, if the store is durable."""
    for start in range(0, len(drafts) if tmp.durable else 0, TOGETHER):
        sync_together(tmp, drafts[start:start + TOGETHER])


def sync_together(tmp, drafts):
    """Bring drafts to the disk, and let it begin with all of them at once.

    It takes three times as long if it begins with each only when that one is
    synced (measured on ext4).
    """
    with (gocept.filestore.disk.space.Naming(tmp.path),
          contextlib.ExitStack() as end):
        descriptors = []
        for draft in drafts:
            descriptors.append(tmp.open(draft))
            end.callback(os.close, descriptors[-1])
            start_writing(descriptors[-1])
        for draft, descriptor in zip(drafts, descriptors, strict=True):
            with gocept.filestore.disk.space.Naming(tmp.path_of(draft)):
                gocept.filestore.disk.move.sync(descriptor)


def start_writing(descriptor):
    if hasattr(os, 'posix_fadvise'):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
