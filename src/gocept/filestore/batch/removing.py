"""Files that are removed with a batch, from where nobody claims them."""
import contextlib
import gocept.filestore.batch.deed
import gocept.filestore.disk.lock
import gocept.filestore.interfaces
import gocept.filestore.retry.removal


class Removing:
    """A file that goes with its batch; nobody takes it from the vote on."""

    draft = deed = _work = None

    def __init__(self, layout, attempts, filename, space):
        self._layout = layout
        self._attempts = attempts
        self.filename = filename
        self._space = space
        self.key = 'remove', space, filename
        self._found()

    def twice(self):
        return self._none('it is removed twice in this batch')

    def take(self):
        space = self._found()
        held = gocept.filestore.disk.lock.hold(space, self.filename)
        if held is None:
            raise self._none(
                'another process is taking it from %r' % self._space)
        if self._space == 'new':
            space = self._work = self._taken_away(space, held)
        self.deed = Remove(
            filename=self.filename, space=space.name,
            inode=held.status.st_ino, changed=held.status.st_mtime_ns)
        self.deed.held = held

    def _taken_away(self, new, held):
        """Move it to `work`, as a claim does.

        A lock ends with its process, and then a claim would take it.
        """
        try:
            work = self._layout.made('work')
            new.move(self.filename, work, self.filename, held.status)
        except BaseException:
            held.release()  # the error refers to it, and may live long
            raise
        return work

    def _found(self):
        """Return the space in which the file is."""
        space = self._layout.get(self._space)
        if not space:
            raise self._none('there is none in %r' % self._space)
        if not space.has_file(self.filename):
            space.check(self.filename)  # there may be something else
            raise space.no_such_file(self.filename)
        return space

    def is_held(self):
        return False  # not before the vote

    def undo(self):
        work, self._work = self._work, None
        if work:
            self.deed.give_back(self._attempts, work, self.deed.held)
        elif self.deed:
            self.let_go()

    def let_go(self):
        held, self.deed.held = self.deed.held, None
        if held:
            held.release()

    def _none(self, reason):
        return gocept.filestore.interfaces.NoSuchFile(
            self.filename, self._layout.path, reason)


class Remove(gocept.filestore.batch.deed.Deed):
    """What is written down of it: a file goes.

    One of `new` lies in `work` from the vote on.
    """

    kind = 'remove'
    facts = {'filename': str, 'space': ('work', 'cur', 'failed'),
             'inode': int, 'changed': int}
    held = None  # if this is the process that has locked it

    @property
    def spaces(self):
        return (self.space,)

    @property
    def reserved(self):
        claim = 'claim', self.filename, self.inode
        return {claim: self.filename} if self.space == 'work' else {}

    def is_possible(self, layout):
        return True  # what has gone need not be removed

    def carry_out(self, layout, attempts, is_first=False):
        space = layout.get(self.space)
        if not space:
            return True
        held = self.held or gocept.filestore.disk.lock.hold(
            space, self.filename)
        if held is not None:
            self._remove(space, attempts, held)
        # It has gone; or somebody works with it, for a moment.
        return not self.is_of(space.stat(self.filename))

    def _remove(self, space, attempts, held):
        with held, contextlib.suppress(gocept.filestore.interfaces.NoSuchFile):
            if not self.is_of(held.status):
                return
            if space.is_at(self.filename, held.status):
                gocept.filestore.retry.removal.remove_aside(
                    attempts, space, self.filename, held)
            else:
                gocept.filestore.retry.removal.settle(
                    attempts, space, self.filename, self.inode, False)
