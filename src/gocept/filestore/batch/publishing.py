"""Files that are published with a batch: drafts that move to `new`."""
import contextlib
import gocept.filestore.batch.deed
import gocept.filestore.disk.lock
import gocept.filestore.disk.probe
import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.publish
import stat


class Publishing(gocept.filestore.publish.Publication):
    """A draft that becomes visible with its batch."""

    begin = join = None  # what the batch says to it

    def _open(self, *places):
        self.begin(self.filename)
        return super()._open(*places)

    def _publish(self):
        self._begin_writing()
        self.file.close()
        self.deed = Publish(filename=self.filename, draft=self._draft,
                            replace=self._replace)
        self.draft, self.key = self._draft, ('publish', self.filename)
        self.join(self)
        # The batch has us now. Without a way back, both go at once when it
        # is dropped.
        self.begin = self.join = None

    def twice(self):
        return self._taken('it is published twice in this batch')

    def announce(self):
        if self.announcement is not None:
            self._announce()

    def check(self, places, reserved):
        """Look for what might keep it from `new`; its intent is written.

        Who cleans `tmp` locks a draft before it asks for intents. So a draft
        that we can lock now will not be removed by anybody.
        """
        self.deed.places = tmp, new = places
        taken = gocept.filestore.disk.lock.take(tmp, self._draft)
        if taken is None:
            raise gocept.filestore.interfaces.NoSuchFile(
                self.filename, self._layout.path,
                'its draft has gone from %r' % tmp.name)
        gocept.filestore.disk.lock.let_go(taken[0])
        if new.stat(self.filename) is not None:
            new.check(self.filename)
            if not self._replace:
                raise self._taken('there is one in %r' % new.name)
        if reserved:
            self._check_name(reserved)

    def _check_name(self, reserved):
        if not self._replace and ('name', self.filename) in reserved:
            raise self._taken('another batch is about to publish one')

    def publish_alone(self, reserved):
        """Publish it, which is all or nothing by itself."""
        self._check_name(reserved)
        super()._publish()

    def is_held(self):
        return False  # no more than its name

    def undo(self):
        self._discard()

    def _taken(self, reason):
        return gocept.filestore.interfaces.NameTaken(
            self.filename, self._layout.path, reason)


class Publish(gocept.filestore.batch.deed.Deed):
    """What is written down of it: a draft moves to `new`."""

    kind = 'publish'
    facts = {'filename': str, 'draft': str, 'replace': bool}
    # A power cut must not bring the draft back when the intent has gone.
    spaces = ('new', 'tmp')
    places = None  # from where to where, if this is who has voted

    @property
    def reserved(self):
        return dict.fromkeys(
            [('name', self.filename), ('draft', self.draft)], self.filename)

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
        if status.st_nlink > 1 and (
                gocept.filestore.disk.probe.leaves_names(tmp)) and (
                layout.space_of(self.filename, status)):
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

    def give_up(self, attempts):
        with contextlib.suppress(gocept.filestore.interfaces.NoSuchFile):
            attempts.layout['tmp'].remove(self.draft)
        attempts.sweep(self.filename)

    def tell(self, store):
        gocept.filestore.event.notify(
            gocept.filestore.event.Published, self.filename, store)
