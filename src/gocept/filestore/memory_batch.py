import contextlib
import gocept.filestore.batch
import gocept.filestore.draft
import gocept.filestore.interfaces
import gocept.filestore.memory_part
import gocept.filestore.name
import zope.interface


@zope.interface.implementer(gocept.filestore.interfaces.IBatch)
class Batch:
    """What is to happen together in a store in memory."""

    def __init__(self, spaces, attempts, intents, two_phase):
        self._spaces = spaces
        self._attempts = attempts
        self._intents = intents
        self._two_phase = two_phase
        self._parts = {}  # in their order
        self._intent = None
        self._has_voted = False
        self._is_over = False

    def __enter__(self):
        self._check()
        return self

    def __exit__(self, kind, error, traceback):
        try:
            if kind is None:
                self.vote()
                self.commit()
        finally:
            self.abort()

    def publish(self, filename=None, mode='w', replace=False, encoding=None,
                errors=None, newline=None):
        self._check()
        text = gocept.filestore.draft.text_options(
            mode, encoding, errors, newline)
        if filename is not None:
            filename = gocept.filestore.name.check(
                filename, self._spaces.path)
        return gocept.filestore.memory_part.Publishing(
            self._check, self._add, self._spaces, filename, mode, replace,
            text)

    def finish(self, claim, keep=True):
        self._check()
        self._add(gocept.filestore.memory_part.Finishing(
            self._spaces, claim, keep))

    def remove(self, filename, space):
        self._check()
        if space not in gocept.filestore.batch.SPACES:
            raise gocept.filestore.interfaces.InvalidSpace(
                space, self._spaces.path, 'the spaces for this are %s' % (
                    ', '.join(gocept.filestore.batch.SPACES)))
        filename = gocept.filestore.name.check(
            gocept.filestore.name.bare(filename), self._spaces.path)
        self._add(gocept.filestore.memory_part.Removing(
            self._spaces, self._attempts, filename, space))

    def _add(self, part):
        self._check(part.filename)
        if part.key in self._parts:
            raise part.twice()
        self._parts[part.key] = part

    def savepoint(self):
        self._check()
        return len(self._parts)

    def rollback(self, savepoint):
        self._check()
        self._undo(savepoint)

    def _undo(self, start=0):
        with contextlib.ExitStack() as last_first:
            for key in list(self._parts)[start:]:
                last_first.callback(self._parts.pop(key).undo)

    def vote(self):
        with self._spaces.lock:
            self._check()
            if self._parts:
                self._vote(self._parts.values())

    def _vote(self, parts):
        for part in parts:
            part.prepare()
        self._intent = self._intents.write(self, parts, self._two_phase)
        taken = self._intents.published(but=self._intent)
        for part in parts:
            part.check(taken)
        self._has_voted = True

    def commit(self):
        with self._spaces.lock:
            if self._is_over or self._parts and not self._has_voted:
                raise self._spaces.settled(
                    None, 'only what was voted on can be committed')
            self._is_over = True
        if self._parts:
            self._intents.carry_out(self._intent)

    def abort(self):
        with self._spaces.lock:
            if self._is_over:
                return
            self._is_over = True
            if self._intent:
                self._intents.forget(self._intent)
            self._undo()

    def _check(self, filename=None):
        if self._is_over or self._intent:
            raise self._spaces.settled(
                filename, 'this batch has come to its end')
