import collections
import contextlib
import gocept.filestore.batch.deed
import gocept.filestore.disk.layout
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
import gocept.filestore.disk.name
import gocept.filestore.disk.process
import gocept.filestore.disk.space
import gocept.filestore.publish
import json
import math
import os


# What others have to know of an intent: the names that it is about to
# publish, its drafts, and names and inodes of the files that it has claimed.
Concerns = collections.namedtuple('Concerns', 'names drafts claims')
# In this order: an intent moves from the first to the second.
SPACES = (gocept.filestore.disk.layout.UNDECIDED,
          gocept.filestore.disk.layout.DECIDED)


class Intents:
    """What the batches of a store are about to do, written down.

    The process that has begun a batch holds the lock of its intent. So one
    that nobody has locked was left behind: in `voted` by who has died before
    it was decided, in `committed` by who has died before all was done.
    """

    def __init__(self, layout):
        self._layout = layout
        self._known = {}  # an intent never changes

    def write(self, deeds, two_phase):
        """Write down what is to be done, and return it as an `Intent`."""
        for name in SPACES:
            self._layout.made(name)
        content = {
            'time': self._layout.clock(),
            'host': gocept.filestore.disk.name.HOST,
            'process': gocept.filestore.disk.process.number,
            'two_phase': two_phase,
            'deeds': list(map(gocept.filestore.batch.deed.written, deeds))}
        filename, held = self._publish(json.dumps(content))
        return Intent(self._layout, 'voted', filename, held, content, deeds)

    def _publish(self, text):
        """Return the name of a new intent, and its lock held from the start.
        """
        publication = gocept.filestore.publish.Publication(
            self._layout, None, 'w', target='voted')
        with contextlib.ExitStack() as failing:
            failing.callback(self._withdraw, publication.filename)
            failing.enter_context(gocept.filestore.disk.space.Naming(
                self._layout['voted'].path_of(publication.filename)))
            with publication as file:
                file.write(text + '\n')
                held = gocept.filestore.disk.lock.Held(
                    os.dup(file.fileno()), os.fstat(file.fileno()))
                failing.callback(held.release)
            failing.pop_all()
        return publication.filename, held

    def _withdraw(self, filename):
        """Remove what may be there although its directory was not synced."""
        # Another error is on its way already.
        with contextlib.suppress(OSError):
            self._layout['voted'].remove(filename)

    def left(self, refused):
        """Yield the intents that no live process has, locked, oldest first.

        What is wrong with one does not keep the others.
        """
        for filename, name in sorted(self._found().items()):
            try:
                intent = self._take(name, filename)
            except OSError as error:
                refused.append(error)
                continue
            if intent is not None:
                with intent:
                    yield intent

    def published(self, but):
        """Return the names that others are about to publish."""
        return {name for concerns in self._concerns(but)
                for name in concerns.names}

    def has_draft(self, draft):
        """Tell whether a draft is about to be published."""
        return any(draft in concerns.drafts for concerns in self._concerns())

    def has_claim(self, filename, inode):
        """Tell whether a file in `work` is about to leave it."""
        return any((filename, inode) in concerns.claims
                   for concerns in self._concerns())

    def described(self):
        """Return a dictionary for each intent that was left behind."""
        now = self._layout.clock()
        return [intent.described(now) for intent in self.left(refused=[])
                if intent.is_committed or intent.is_in_doubt]

    def _concerns(self, but=None):
        """Yield the concerns of all intents, also of those that live."""
        found = self._found()
        for filename in set(self._known) - set(found):
            self._known.pop(filename, None)
        for filename, name in found.items():
            if filename != but:
                yield self._known.get(filename) or self._learn(name, filename)

    def _learn(self, name, filename):
        content = self._read(name, filename)
        concerns = concerns_of(content['deeds'] if content else ())
        if content:
            self._known[filename] = concerns
        return concerns

    def _found(self):
        """Return the names of all intents, with their spaces.

        One with two names was left by a move in two steps; it is committed.
        """
        return {entry.name: name for name in SPACES
                for entry in self._entries(name)}

    def _entries(self, name):
        space = self._layout.get(name)
        return space.entries() if space else ()

    def _take(self, name, filename):
        space = self._layout[name]
        held = gocept.filestore.disk.lock.hold(space, filename)
        if held is None:
            return None
        content = gocept.filestore.disk.move.is_at(
            space.descriptor, filename, held.status) and (
                self._read(name, filename))
        if not content:
            return held.release()
        return Intent(self._layout, name, filename, held, content,
                      content['deeds'])

    def _read(self, name, filename):
        """Return what is written down; None if it has gone, or is spoilt.

        It may have been committed since it was listed.
        """
        for later in SPACES[SPACES.index(name):]:
            space = self._layout.get(later)
            with contextlib.suppress(FileNotFoundError):
                if space:
                    with open(space.open(filename), 'rb') as file:
                        return parsed(file.read())


def concerns_of(deeds):
    kinds = {class_: [deed for deed in deeds if isinstance(deed, class_)]
             for class_ in gocept.filestore.batch.deed.DEEDS.values()}
    publishing = kinds[gocept.filestore.batch.deed.Publish]
    return Concerns(
        {deed.filename for deed in publishing},
        {deed.draft for deed in publishing},
        {(deed.filename, deed.inode)
         for deed in kinds[gocept.filestore.batch.deed.Finish]})


def parsed(text):
    """Return what an intent says, None for what is none."""
    try:
        content = json.loads(text)
        content['deeds'] = list(map(
            gocept.filestore.batch.deed.read, content['deeds']))
        is_good = (math.isfinite(content['time'])
                   and type(content['two_phase']) is bool)
    except (ArithmeticError, LookupError, RecursionError, TypeError,
            ValueError):
        return None
    return content if is_good else None


class Intent:
    """What one batch is about to do, locked by this process."""

    def __init__(self, layout, space, filename, held, content, deeds):
        self._layout = layout
        self._space = space
        self._held = held
        self.filename = filename
        self.deeds = deeds
        self.time = content['time']
        self.two_phase = content['two_phase']

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.release()

    @property
    def is_committed(self):
        return self._space == 'committed'

    @property
    def is_in_doubt(self):
        return self.two_phase and not self.is_committed

    def described(self, now):
        """Return what it is about to do as a dictionary."""
        return {
            'intent': self.filename,
            'age': max(0, now - self.time),
            'decided': self.is_committed,
            **{kind: sorted(deed.filename for deed in self.deeds
                            if gocept.filestore.batch.deed.kind_of(
                                deed) == kind)
               for kind in gocept.filestore.batch.deed.DEEDS}}

    def mark(self):
        """Decide that all of it is done. From here on others go on."""
        committed = self._layout.made('committed')
        self._layout['voted'].move(
            self.filename, committed, self.filename, self._held.status)
        self._space = 'committed'
        committed.sync()

    def carry_out(self, attempts):
        """Do what is left, and forget it then; tell whether all is done."""
        if not gocept.filestore.batch.deed.carry_out_all(
                self.deeds, self._layout, attempts):
            return False
        try:
            gocept.filestore.batch.deed.sync(self.deeds, self._layout)
        finally:
            # A sync that has failed is told, and not tried again by others.
            self.remove()
        gocept.filestore.batch.deed.tell(self.deeds, self._layout.path)
        return True

    def remove(self):
        """Forget it, and let go. A move in two steps may have left two names.
        """
        for space in filter(None, map(self._layout.get, SPACES)):
            if space.has_file(self.filename):
                space.remove(self.filename)
        if not self.is_committed and self._layout.get('voted'):
            self._layout['voted'].sync()
        self.release()

    def release(self):
        self._held.release()
