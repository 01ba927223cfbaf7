"""Files that are removed with a batch, from where nobody claims them."""
import contextlib
import gocept.filestore.batch.finishing
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
import gocept.filestore.interfaces
import gocept.filestore.queue.claim
import gocept.filestore.retry.removal


class Removing:
    """A file that goes with its batch, and that nobody takes from the vote on.
    """

    draft = deed = _work = None

    def __init__(self, layout, attempts, filename, space):
        self._layout = layout
        self._attempts = attempts
        self.filename = filename
        self._space = space
        self._found()

    @property
    def key(self):
        return 'remove', self._space, self.filename

    def twice(self):
        return self._none('it is removed twice in this batch')

    def prepare(self):
        space = self._found()
        held = gocept.filestore.disk.lock.hold(space, self.filename)
        if held is None:
            raise self._none(
                'another process is taking it from %r' % self._space)
        if self._space == 'new':
            space = self._work = self._taken_away(space, held)
        self.deed = Remove(self.filename, space.name, held.status.st_ino,
                           held.status.st_mtime_ns)
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
        space.check(self.filename)
        if not space.has_file(self.filename):
            raise space.no_such_file(self.filename)
        return space

    def check(self, taken):
        """It is ours by now."""

    def undo(self):
        if self._work:
            gocept.filestore.queue.claim.Claim(
                self._attempts, self._work, self.filename, self.deed.held,
                has_events=True).release()
        elif self.deed:
            self.let_go()

    def let_go(self):
        self.deed.held.release()

    def _none(self, reason):
        return gocept.filestore.interfaces.NoSuchFile(
            self.filename, self._layout.path, reason)


class Remove:
    """What is written down of it: a file goes.

    One of `new` lies in `work` from the vote on.
    """

    kind = 'remove'
    facts = {'filename': str, 'space': ('work', 'cur', 'failed'),
             'inode': int, 'changed': int}
    held = None  # if this is the process that has locked it

    def __init__(self, filename, space, inode, changed):
        self.filename = filename
        self.space = space
        self.inode = inode
        self.changed = changed

    @property
    def spaces(self):
        return (self.space,)

    def reserve(self, concerns):
        if self.space == 'work':
            concerns.claims.add((self.filename, self.inode))

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
        return not gocept.filestore.batch.finishing.is_same(
            space.stat(self.filename), self)

    def _remove(self, space, attempts, held):
        with held, contextlib.suppress(gocept.filestore.interfaces.NoSuchFile):
            if not gocept.filestore.batch.finishing.is_same(held.status, self):
                return
            if gocept.filestore.disk.move.is_at(
                    space.descriptor, self.filename, held.status):
                gocept.filestore.retry.removal.remove_aside(
                    attempts, space, self.filename, held)
            else:
                gocept.filestore.retry.removal.forget(
                    attempts, self.filename, self.inode)

    def give_up(self, layout):
        """It stays; what lies in `work` is taken over by a claim."""

    def tell(self, store):
        """Nobody is told of that."""
