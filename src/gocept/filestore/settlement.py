import contextlib
import gocept.filestore.deed
import gocept.filestore.interfaces
import time


POLICIES = (None, 'commit', 'abort')


class Settlement:
    """Brings to an end what the batches of dead processes have begun."""

    interval = 0.1  # seconds between two looks

    def __init__(self, layout, attempts, intents, in_doubt=None,
                 now=time.monotonic):
        if in_doubt not in POLICIES:
            raise ValueError(
                'what is in doubt is settled by one of %s, not %r' % (
                    ', '.join(map(repr, POLICIES)), in_doubt))
        self._layout = layout
        self._attempts = attempts
        self._intents = intents
        self._in_doubt = in_doubt
        self._now = now
        self._look_at = now()

    def look(self, refused):
        """Settle what is decided, unless somebody has looked just now."""
        # That it is not prepared is told by the verb that has called us.
        with contextlib.suppress(gocept.filestore.interfaces.NotPrepared):
            if self._now() >= self._look_at:
                self.settle(refused)

    def settle(self, refused):
        """Settle what is decided, or what the policy of the store decides.

        Tell whether there was something.
        """
        self._look_at = self._now() + self.interval
        count = 0
        for intent in self._intents.left():
            try:
                count += self._settle(intent)
            except OSError as error:
                refused.append(error)
        return count > 0

    def decide(self, commit, filenames):
        """Settle what is in doubt; return the names of the intents."""
        settled = []
        for intent in self._intents.left():
            if intent.is_committed or (
                    filenames and intent.filename not in filenames):
                continue
            (self._commit if commit else self._abort)(intent)
            settled.append(intent.filename)
        missing = sorted(set(filenames) - set(settled))
        if missing:
            raise gocept.filestore.interfaces.NoSuchFile(
                missing[0], self._layout.path, 'no such intent is in doubt')
        return settled

    def _settle(self, intent):
        """Settle an intent; tell whether it was decided."""
        if intent.is_committed:
            return self._roll_forward(intent)
        if not intent.two_phase or self._in_doubt == 'abort':
            return self._abort(intent)
        return self._in_doubt == 'commit' and self._commit(intent)

    def _commit(self, intent):
        for deed in intent.deeds:
            if not deed.is_possible(self._layout):
                raise gocept.filestore.interfaces.NoSuchFile(
                    deed.filename, self._layout.path,
                    'it has gone, so %r can not be committed' % (
                        intent.filename))
        intent.mark()
        return self._roll_forward(intent)

    def _roll_forward(self, intent):
        is_done = gocept.filestore.deed.carry_out(
            intent.deeds, self._layout, self._attempts)
        if is_done:
            intent.remove()
        return is_done

    def _abort(self, intent):
        """Remove the drafts; what was claimed is taken over by a claim."""
        intent.remove()
        tmp = self._layout['tmp']
        for deed in intent.deeds:
            if isinstance(deed, gocept.filestore.deed.Publish) and (
                    tmp.has_file(deed.draft)):
                tmp.remove(deed.draft)
        return True


def described(intents, clock=time.time):
    """Return a dictionary for each intent that was left behind."""
    return [{
        'intent': intent.filename,
        'age': max(0, clock() - intent.time),
        'decided': intent.is_committed,
        **{kind: sorted(deed.filename for deed in intent.deeds
                        if isinstance(deed, class_))
           for kind, class_ in gocept.filestore.deed.DEEDS.items()}}
        for intent in intents.left()]
