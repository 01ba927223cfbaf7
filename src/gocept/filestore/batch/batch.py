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
import gocept.filestore.publish
import gocept.filestore.retry.metadata
import os


MOST = 250  # files that are held at once


@gocept.filestore.interfaces.implementer(gocept.filestore.interfaces.IBatch)
class Batch(gocept.filestore.publish.Writable,
            gocept.filestore.disk.process.Ours):
    """What is to happen together, and the files that it is about."""

    def __init__(self, attempts, intents, two_phase=False):
        self._layout = attempts.layout
        self._attempts = attempts
        self._intents = intents
        self._two_phase = two_phase
        self._parts = {}  # in their order
        self._intent = None
        self._chunks = []  # intents that hold what was let go
        self._let_go = []
        self._has_voted = False
        self._is_over = False
        self._process = os.getpid()

    def __enter__(self):
        self._check()
        return self

    def __exit__(self, kind, error, traceback):
        try:
            # In a forked child, it is for its parent to do.
            if kind is None and self._process == os.getpid():
                self._happen()
        finally:
            self.abort()

    def _happen(self):
        parts = list(self._parts.values())
        if len(parts) == 1 and parts[0].draft and not self._two_phase:
            self._check()
            parts[0].publish_alone(self._intents.reserved())
            self._is_over = True
        else:
            self.vote()
            self.commit()

    def publish(self, filename=None, mode='w', replace=False, encoding=None,
                errors=None, newline=None, metadata=None):
        self._check()
        text = gocept.filestore.disk.draft.text_options(
            mode, encoding, errors, newline)
        if filename is not None:
            filename = gocept.filestore.disk.name.check(
                filename, self._layout.path)
        part = gocept.filestore.batch.publishing.Publishing(
            self._layout, filename, mode, bool(replace), text)
        part.begin, part.join = self._check, self._add
        if metadata:
            part.announcement = gocept.filestore.retry.metadata.Announcement(
                self._attempts, metadata)
        return part

    def finish(self, claim, keep=True):
        self._check()
        self._add(gocept.filestore.batch.finishing.Finishing(
            self._layout, self._attempts, claim, bool(keep)))
        if len(self._parts) % MOST == 0:
            self._hold_less([part for part in self._parts.values()
                             if part.is_held()])

    def remove(self, filename, space):
        self._check()
        self._layout.check(space, gocept.filestore.disk.layout.FROM_BATCH)
        self._add(gocept.filestore.batch.removing.Removing(
            self._layout, self._attempts,
            gocept.filestore.disk.name.check(
                gocept.filestore.disk.name.bare(filename), self._layout.path),
            space))

    def _add(self, part):
        """Let a part happen with the others, unless it is one of them."""
        self._check(part.filename)
        if self._parts.setdefault(part.key, part) is not part:
            raise part.twice()

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
        drafts = [part for part in parts if part.draft]
        self._take()
        if drafts and self._layout.durable:
            tmp = self._layout['tmp']
            syncs = tmp.sync_files(len(drafts))
            for part in drafts:
                tmp.sync_file(part.draft, next(syncs))
            tmp.sync()
        for part in drafts:
            part.announce()  # an intent may be committed by others
        self._intent = self._intents.write(
            [part.deed for part in parts], self._two_phase)
        while self._chunks:
            self._chunks.pop().remove()
        reserved = drafts and self._intents.reserved(but=self._intent)
        places = drafts and self._layout.recent('tmp', 'new')
        for part in drafts:
            part.check(places, reserved)
        self._has_voted = True

    def _take(self):
        """Take what others may hold."""
        held = []
        for part in self._parts.values():
            if part.draft:
                continue
            part.take()
            if isinstance(part, gocept.filestore.batch.removing.Removing):
                held.append(part)
            if len(held) == MOST:
                self._hold_less(held)
                held = []

    def _hold_less(self, held):
        """Let an intent of their own hold files, whose descriptors can go.

        Nobody takes from `work` what an intent is about. It goes itself when
        that of the batch is written.
        """
        self._chunks.append(self._intents.write(
            [part.deed for part in held], two_phase=False))
        for part in held:
            self._let_go.append(part)
            part.let_go()

    def commit(self):
        self._check_ours()
        if self._is_over or self._parts and not self._has_voted:
            raise self._settled('only what was voted on can be committed')
        try:
            if self._parts:
                self._intent.mark()
                if not gocept.filestore.batch.settlement.carry_out(
                        self._intent, self._attempts):
                    self._intent.release()
        except BaseException:
            if self._intent.is_committed:
                self._leave_to_others()
            raise
        self._is_over = True

    def _leave_to_others(self):
        """Hold nothing any more: it is decided, and others go on."""
        self._is_over = True
        for part in self._parts.values():
            if not part.draft:
                part.let_go()
        self._intent.release()

    def abort(self):
        if self._is_over or self._process != os.getpid():
            return
        self._is_over = True
        with contextlib.ExitStack() as last_first:
            last_first.callback(self._undo)
            for intent in filter(None, [*self._chunks, self._intent]):
                last_first.callback(intent.remove)
            for part in self._let_go:
                last_first.callback(part.undo)

    def _check(self, filename=None):
        if self._is_over or self._intent or self._process != os.getpid():
            self._check_ours()
            raise self._settled('this batch has come to its end', filename)

    def _check_ours(self):
        if self._process != os.getpid():
            raise self._settled('this batch belongs to another process')

    def _settled(self, reason, filename=None):
        return gocept.filestore.interfaces.Settled(
            filename, self._layout.path, reason)
