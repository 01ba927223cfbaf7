"""What a batch of a store in memory consists of."""
import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.memory_claim
import gocept.filestore.memory_publish


class Publishing(gocept.filestore.memory_publish.Publication):
    """A draft that becomes visible with its batch."""

    kind = 'publish'

    def __init__(self, check, add, *args):
        super().__init__(*args)
        self._check = check
        self._add = add

    def __enter__(self):
        self._check(self.filename)
        return super().__enter__()

    def _publish(self):
        self._add(self)
        self._check = self._add = None  # a batch that is dropped is to go

    @property
    def key(self):
        return self.kind, self.filename

    @property
    def draft(self):
        return self._draft

    def twice(self):
        return self._spaces.name_taken(
            self.filename, 'it is published twice in this batch')

    def prepare(self):
        """It is complete since its block was left."""

    def check(self, taken):
        if not self.is_possible():
            raise self._spaces.no_such_file(
                self.filename, "its draft has gone from 'tmp'")
        if self._replace:
            return
        if self.filename in self._spaces['new']:
            raise self._spaces.name_taken(
                self.filename, "there is one in 'new'")
        if self.filename in taken:
            raise self._spaces.name_taken(
                self.filename, 'another batch is about to publish one')

    def is_possible(self):
        return self._draft in self._spaces['tmp']

    def carry_out(self):
        """Do it, and tell whether it could be done."""
        if not self._replace and self.filename in self._spaces['new']:
            return False  # somebody was faster, so ours goes next
        self._move()
        return True

    def undo(self):
        self._discard()

    give_up = undo


class Finishing:
    """A claim that is settled with its batch."""

    kind = 'finish'
    draft = None

    def __init__(self, spaces, claim, keep):
        if not isinstance(claim, gocept.filestore.memory_claim.Claim):
            raise TypeError('a claim of a store can be finished here, not %r'
                            % (claim,))
        claim.check()
        if not claim.is_of(spaces):
            raise gocept.filestore.interfaces.ForeignClaim(
                claim.filename, spaces.path, 'it was not claimed from here')
        self.filename = claim.filename
        self.file = spaces.get('work', claim.filename)
        self._spaces = spaces
        self._claim = claim
        self._keep = keep

    @property
    def key(self):
        return self.kind, self.file.st_ino

    def twice(self):
        return self._spaces.settled(
            self.filename, 'this claim is finished twice in this batch')

    def prepare(self):
        self._claim.check()

    def check(self, taken):
        """It is ours, so there is nobody whom we could be in the way of."""

    def is_possible(self):
        return self._spaces['work'].get(self.filename) is self.file

    def carry_out(self):
        self._claim.done(self._keep)
        return True

    def tell(self):
        gocept.filestore.event.notify(
            gocept.filestore.event.Finished, self.filename,
            self._spaces.path, self._claim.attempt)

    def undo(self):
        """It is still up to who has claimed it."""

    give_up = undo


class Removing:
    """A file that goes with its batch."""

    kind = 'remove'
    draft = file = _claim = None

    def __init__(self, spaces, attempts, filename, space):
        self._spaces = spaces
        self._attempts = attempts
        self.filename = filename
        self._space = space
        spaces.get(space, filename)

    @property
    def key(self):
        return self.kind, self._space, self.filename

    def twice(self):
        return self._spaces.no_such_file(
            self.filename, 'it is removed twice in this batch')

    def prepare(self):
        file = self._spaces.get(self._space, self.filename)
        if file.is_held:
            raise self._spaces.no_such_file(
                self.filename,
                'another process is taking it from %r' % self._space)
        if self._space == 'new':
            # There nobody claims it.
            self._spaces.move(self.filename, 'new', 'work')
            self._claim = gocept.filestore.memory_claim.Claim(
                self._spaces, self._attempts, self.filename)
        self.file = file
        file.is_held = True

    def check(self, taken):
        """It is ours by now."""

    def is_possible(self):
        return True  # what has gone need not be removed

    def carry_out(self):
        if self._claim is not None:
            self._claim.done(keep=False)
        elif self._spaces[self._space].get(self.filename) is self.file:
            del self._spaces[self._space][self.filename]
            forget(self._attempts, self.filename, self.file)
        self._let_go()
        return True

    def tell(self):
        """Nobody is told of what is removed."""

    def undo(self):
        if self._claim is not None:
            self._claim.release()
        self._let_go()

    def give_up(self):
        if self._claim is not None:
            self._claim.drop()
        self._let_go()

    def _let_go(self):
        if self.file is not None:  # it was voted on
            self.file.is_held = False


def forget(attempts, filename, file):
    """Drop what is written down of a file that goes."""
    attempts.forget(attempts.name_of(filename, file.st_ino), file.st_ino)
