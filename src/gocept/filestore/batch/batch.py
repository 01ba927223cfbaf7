"""All or nothing: what is published, finished and removed together."""
import contextlib
import gocept.filestore.batch.finishing
import gocept.filestore.batch.publishing
import gocept.filestore.batch.removing
import gocept.filestore.batch.settlement
import gocept.filestore.disk.draft
import gocept.filestore.disk.layout
import gocept.filestore.disk.name
import gocept.filestore.disk.process
import gocept.filestore.interfaces


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IBatch)
class Batch:
    """What is to happen together, and the files that it is about."""

    def __init__(self, attempts, intents, two_phase=False):
        self._layout = attempts.layout
        self._attempts = attempts
        self._intents = intents
        self._two_phase = two_phase
        self._parts = {}  # in their order
        self._intent = None
        self._has_voted = False
        self._is_over = False
        self._process = gocept.filestore.disk.process.number

    def __enter__(self):
        self._check()
        return self

    def __exit__(self, kind, error, traceback):
        if not self._is_ours():
            return  # a forked child; this is for its parent to do
        try:
            if kind is None:
                self.vote()
                self.commit()
        finally:
            self.abort()

    def publish(self, filename=None, mode='w', replace=False, encoding=None,
                errors=None, newline=None):
        self._check()
        text = gocept.filestore.disk.draft.text_options(
            mode, encoding, errors, newline)
        if filename is not None:
            filename = self._checked(filename)
        return gocept.filestore.batch.publishing.Publishing(
            self._check, self._add, self._layout, filename,
            mode, bool(replace), text)

    def finish(self, claim, keep=True):
        self._check()
        self._add(gocept.filestore.batch.finishing.Finishing(
            self._layout, claim, bool(keep)))

    def remove(self, filename, space):
        self._check()
        self._layout.check(space, gocept.filestore.disk.layout.FROM_BATCH)
        self._add(gocept.filestore.batch.removing.Removing(
            self._layout, self._attempts,
            self._checked(gocept.filestore.disk.name.bare(filename)), space))

    def _checked(self, filename):
        return gocept.filestore.disk.name.check(filename, self._layout.path)

    def _add(self, part):
        """Let a part happen with the others, unless it is one of them."""
        self._check(part.filename)
        key = part.key
        if key in self._parts:
            raise part.twice()
        self._parts[key] = part

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
        self._check()
        parts = self._parts.values()
        if not parts:
            return
        for part in parts:
            part.prepare()
        if self._layout.durable:
            gocept.filestore.batch.publishing.sync(
                self._layout['tmp'],
                [part.draft for part in parts if part.draft])
        self._intent = self._intents.write(
            [part.deed for part in parts], self._two_phase)
        taken = self._intents.published(but=self._intent)
        for part in parts:
            part.check(taken)
        self._has_voted = True

    def commit(self):
        self._check_ours()
        if self._is_over or self._parts and not self._has_voted:
            raise self._settled('only what was voted on can be committed')
        if self._parts:
            self._carry_out(self._intent)
        self._is_over = True

    def _carry_out(self, intent):
        try:
            intent.mark()
            gocept.filestore.batch.settlement.carry_out(intent, self._attempts)
        except BaseException:
            if intent.is_committed:
                self._leave_to_others()
            raise
        intent.release()

    def _leave_to_others(self):
        """Hold nothing any more: it is decided, and others go on."""
        self._is_over = True
        for part in self._parts.values():
            part.let_go()
        self._intent.release()

    def abort(self):
        if self._is_over or not self._is_ours():
            return
        self._is_over = True
        try:
            if self._intent:
                self._intent.remove()
        finally:
            self._undo()

    def _is_ours(self):
        return self._process == gocept.filestore.disk.process.number

    def _check(self, filename=None):
        if self._is_over or self._intent or (
                self._process != gocept.filestore.disk.process.number):
            self._check_ours()
            raise self._settled('this batch has come to its end', filename)

    def _check_ours(self):
        if not self._is_ours():
            raise self._settled('this batch belongs to another process')

    def _settled(self, reason, filename=None):
        return gocept.filestore.interfaces.Settled(
            filename, self._layout.path, reason)
