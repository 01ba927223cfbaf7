"""Files that are published with a batch: drafts that move to `new`."""
import contextlib
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
import gocept.filestore.disk.space
import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.publish
import os
import stat


TOGETHER = 200  # drafts that are open at once


class Publishing(gocept.filestore.publish.Publication):
    """A draft that becomes visible with its batch."""

    def __init__(self, check, add, *args):
        super().__init__(*args)
        self._check = check
        self._add = add

    def __enter__(self):
        if self._check is not None:
            self._check(self.filename)
        self.deed = Publish(self.filename, self._draft, self._replace)
        return super().__enter__()

    def _publish(self):
        self.file.close()
        self._add(self)
        # The batch has us now. Without a way back, both go at once when it
        # is dropped.
        self._check = self._add = None

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
        tmp, new = self._layout.recent('tmp'), self._layout.recent('new')
        self.deed.places = tmp, new
        self._check_draft(tmp)
        if new.stat(self.filename) is not None:
            new.check(self.filename)
            if not self._replace:
                raise self._taken('there is one in %r' % new.name)
        if self.filename in taken and not self._replace:
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


class Publish:
    """What is written down of it: a draft moves to `new`."""

    kind = 'publish'
    facts = {'filename': str, 'draft': str, 'replace': bool}
    # A power cut must not bring the draft back when the intent has gone.
    spaces = ('new', 'tmp')
    places = None  # from where to where, if this is who has voted

    def __init__(self, filename, draft, replace):
        self.filename = filename
        self.draft = draft
        self.replace = replace

    def reserve(self, concerns):
        concerns.names.add(self.filename)
        concerns.drafts.add(self.draft)

    def is_possible(self, layout):
        return layout['tmp'].has_file(self.draft)

    def carry_out(self, layout, attempts, is_first=False):
        try:
            if self.places:
                return self._move(*self.places)
        except FileNotFoundError:
            pass  # it has gone, or directories are others than in the vote
        tmp = layout['tmp']
        status = tmp.stat(self.draft)
        if status is None:
            return self._has_gone(tmp, is_first)
        if not stat.S_ISREG(status.st_mode):
            raise tmp.not_regular(self.draft, 'it is no regular file')
        if status.st_nlink > 1 and layout.space_of(self.filename, status):
            tmp.remove(self.draft)  # a move in two steps was cut off
            return True
        return self._move(tmp, layout['new'])

    def _move(self, tmp, new):
        move = tmp.replace if self.replace else tmp.move
        try:
            move(self.draft, new, self.filename)
        except gocept.filestore.interfaces.NameTaken:
            return False  # somebody was faster, so ours goes next
        return True

    def _has_gone(self, tmp, is_first):
        """Most likely it was moved by who has died, if there was one."""
        if is_first:
            raise gocept.filestore.interfaces.NoSuchFile(
                self.filename, tmp.store, 'its draft has gone from tmp')
        return True

    def give_up(self, layout):
        with contextlib.suppress(gocept.filestore.interfaces.NoSuchFile):
            layout['tmp'].remove(self.draft)

    def tell(self, store):
        gocept.filestore.event.notify(
            gocept.filestore.event.Published, self.filename, store)


def sync(tmp, drafts):
    """Bring drafts, and their names, to the disk."""
    for start in range(0, len(drafts), TOGETHER):
        sync_together(tmp, drafts[start:start + TOGETHER])
    tmp.sync()


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
