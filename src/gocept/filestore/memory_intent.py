import gocept.filestore.interfaces
import gocept.filestore.name
import gocept.filestore.settlement
import weakref


KINDS = ('publish', 'finish', 'remove')


class Intent:
    """What a batch is about to do, from its vote on."""

    is_decided = False

    def __init__(self, batch, parts, two_phase, now):
        self.filename = gocept.filestore.name.unique()
        self.parts = list(parts)
        self.two_phase = two_phase
        self.time = now
        self._todo = list(parts)
        # A batch that was dropped is one whose process has died.
        self._batch = weakref.ref(batch)

    @property
    def is_left(self):
        return self._batch is None or self._batch() is None

    def let_go(self):
        self._batch = None

    def names(self, kind):
        return sorted(
            part.filename for part in self.parts if part.kind == kind)

    def carry_out(self):
        """Do what can be done; what is wrong with one keeps no other."""
        errors, todo = [], []
        for part in self._todo:
            try:
                if not part.carry_out():
                    todo.append(part)
            except gocept.filestore.interfaces.FileStoreError as error:
                errors.append(error)
        self._todo = todo
        if errors:
            raise errors[0]

    @property
    def is_done(self):
        return not self._todo

    def undo(self):
        for part in reversed(self.parts):
            part.give_up()

    def tell(self):
        for part in self.parts:
            part.tell()


class Intents:
    """What the batches of a store in memory are about to do."""

    def __init__(self, spaces, in_doubt):
        if in_doubt not in gocept.filestore.settlement.POLICIES:
            raise ValueError(
                'what is in doubt is settled by one of %s, not %r' % (
                    ', '.join(map(
                        repr, gocept.filestore.settlement.POLICIES)),
                    in_doubt))
        self._spaces = spaces
        self._in_doubt = in_doubt
        self._intents = {}

    def write(self, batch, parts, two_phase):
        intent = Intent(batch, parts, two_phase, self._spaces.now())
        self._intents[intent.filename] = intent
        return intent

    def names(self, space):
        """Return the names in `voted` or `committed`."""
        return [intent.filename for intent in self._all()
                if intent.is_decided == (space == 'committed')]

    def published(self, but):
        """Return the names that others are about to publish."""
        return {name for intent in self._all() if intent is not but
                for name in intent.names('publish')}

    def has_draft(self, draft):
        return any(part.draft == draft for intent in self._all()
                   for part in intent.parts)

    def has_left(self, file):
        """Tell whether a file belongs to a batch that has gone."""
        return any(part.file is file for intent in self.left()
                   for part in intent.parts)

    def left(self):
        """Return those whose batch has gone, oldest first."""
        return [intent for intent in self._all() if intent.is_left]

    def described(self):
        return [{
            'intent': intent.filename,
            'age': max(0, self._spaces.now() - intent.time),
            'decided': intent.is_decided,
            **{kind: intent.names(kind) for kind in KINDS}}
            for intent in self.left()
            if intent.is_decided or intent.two_phase]

    def settle(self):
        """Bring to an end what can be; return what is wrong with others."""
        errors = []
        for intent in self.left():
            try:
                self._settle(intent)
            except OSError as error:
                errors.append(error)
        return errors

    def _settle(self, intent):
        if intent.is_decided:
            self.carry_out(intent)
        elif not intent.two_phase or self._in_doubt == 'abort':
            self._abort(intent)
        elif self._in_doubt == 'commit':
            self._commit(intent)

    def decide(self, commit, filenames):
        """Settle what is in doubt; return the names of the intents."""
        if isinstance(filenames, str):
            raise TypeError('intents are a sequence of names, not a string')
        self._spaces['new']
        in_doubt = {intent.filename: intent for intent in self.left()
                    if intent.two_phase and not intent.is_decided}
        wanted = in_doubt if filenames is None else set(filenames)
        settled, errors = [], []
        for filename in sorted(wanted):
            try:
                self._decide(commit, filename, in_doubt)
            except OSError as error:
                errors.append(error)
            else:
                settled.append(filename)
        if errors:
            raise errors[0]
        return settled

    def _decide(self, commit, filename, in_doubt):
        if filename not in in_doubt:
            raise self._spaces.no_such_file(
                filename, gocept.filestore.settlement.NO_SUCH_INTENT)
        (self._commit if commit else self._abort)(in_doubt[filename])

    def _commit(self, intent):
        for part in intent.parts:
            if not part.is_possible():
                raise self._spaces.no_such_file(
                    part.filename, 'it has gone, so %r can not be committed'
                    % intent.filename)
        self.carry_out(intent)

    def carry_out(self, intent):
        """Decide on an intent, and do what it says."""
        with self._spaces.lock:
            intent.is_decided = True
            intent.let_go()
            intent.carry_out()
            is_done = intent.is_done and self.forget(intent)
        if is_done:
            intent.tell()

    def _abort(self, intent):
        with self._spaces.lock:
            self.forget(intent)
            intent.undo()

    def forget(self, intent):
        """Tell whether nobody else has done so before."""
        return self._intents.pop(intent.filename, None) is not None

    def _all(self):
        return list(self._intents.values())
