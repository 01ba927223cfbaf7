"""Brings to an end what a batch has decided, of this process or another."""
import contextlib
import gocept.filestore.interfaces
import logging


logger = logging.getLogger(__name__)
POLICIES = (None, 'commit', 'abort')


class Settlement:
    """Brings to an end what the batches of dead processes have begun."""

    def __init__(self, attempts, intents, in_doubt=None):
        if in_doubt not in POLICIES:
            raise ValueError(
                'what is in doubt is settled by one of %s, not %r' % (
                    ', '.join(map(repr, POLICIES)), in_doubt))
        self._layout = attempts.layout
        self._attempts = attempts
        self._intents = intents
        self._in_doubt = in_doubt
        self.look_at = self._layout.now()

    def look(self, refused):
        """Settle what is decided, unless somebody has looked just now.

        Who asks for each file asks for `look_at` first, without a call.
        """
        if self._layout.now() < self.look_at:
            return
        # That it is not prepared is told by the verb that has called us.
        with contextlib.suppress(gocept.filestore.interfaces.NotPrepared):
            self.settle(refused)

    def settle(self, refused):
        """Settle what is decided, or what the policy of the store decides.

        Tell whether there was something.
        """
        self.look_at = self._layout.now() + self._layout.interval
        count = 0
        for intent in self._intents.left(refused):
            try:
                count += self._settle(intent)
            except gocept.filestore.interfaces.NotSynced:
                raise
            except OSError as error:
                refused.append(error)
        return count > 0

    def _settle(self, intent):
        """Settle an intent; tell whether it has come to its end."""
        if intent.is_committed:
            is_settled = self._roll_forward(intent)
        elif not intent.two_phase or self._in_doubt == 'abort':
            is_settled = self._abort(intent)
        else:
            is_settled = self._in_doubt == 'commit' and self._commit(intent)
        if is_settled:
            logger.warning('%r of %r: what a dead process has left is %s',
                           intent.filename, self._layout.path,
                           'committed' if intent.is_committed else 'aborted')
        return is_settled

    def decide(self, commit, filenames):
        """Settle what is in doubt; return the names of the intents."""
        if isinstance(filenames, str):
            raise TypeError('intents are a sequence of names, not a string')
        wanted = None if filenames is None else set(filenames)
        settled, refused, unknown = [], [], set(wanted or ())
        for intent in self._intents.left(refused):
            if not intent.is_in_doubt or (
                    wanted is not None and intent.filename not in wanted):
                continue
            unknown.discard(intent.filename)
            try:
                (self._commit if commit else self._abort)(intent)
            except OSError as error:
                refused.append(error)
            else:
                settled.append(intent.filename)
        refused += [gocept.filestore.interfaces.NoSuchFile(
            name, self._layout.path, 'no such intent is in doubt')
            for name in sorted(unknown)]
        if refused:
            raise refused[0]
        return settled

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
        is_done = carry_out(intent, self._attempts)
        if not is_done:
            self.look_at = self._layout.now()  # nobody is to overtake it
        return is_done

    def _abort(self, intent):
        intent.remove()
        for deed in intent.deeds:
            deed.give_up(self._attempts)
        return True


def carry_out(intent, attempts):
    """Do what is left, and forget it then; tell whether all is done."""
    layout = attempts.layout
    done, lost = carry_out_all(intent.deeds, layout, attempts, intent.is_first)
    is_over = len(done) + len(lost) == len(intent.deeds)
    try:
        if is_over:
            sync(intent, layout)
            for deed in done:
                deed.tell(layout.path)
    finally:
        if lost:
            raise lost[0]
    return is_over


def carry_out_all(deeds, layout, attempts, is_first=False):
    """Carry out deeds; return which are done, and what of them is lost.

    What is wrong with one does not keep the others; but a directory that
    could not be synced is not synced again for the next one.
    """
    done, lost, errors = [], [], []
    for deed in deeds:
        try:
            if deed.carry_out(layout, attempts, is_first):
                done.append(deed)
        except gocept.filestore.interfaces.NotSynced:
            raise
        except (gocept.filestore.interfaces.NoSuchFile,
                gocept.filestore.interfaces.Settled) as error:
            # Somebody was there first, by hand; nobody can do it any more.
            logger.error('%s', error)
            lost.append(error)
        except OSError as error:
            errors.append(error)
    if errors:
        raise (lost + errors)[0]
    return done, lost


def sync(intent, layout):
    """Bring to the disk what was carried out, and forget the intent."""
    try:
        if layout.durable:
            names = {name for deed in intent.deeds for name in deed.spaces}
            for space in filter(None, map(layout.get, sorted(names))):
                space.sync()
    finally:
        # A sync that has failed is told, and not tried again by others.
        intent.remove()
