import contextlib
import gocept.filestore.deed
import gocept.filestore.lock
import gocept.filestore.move
import gocept.filestore.name
import gocept.filestore.publish
import gocept.filestore.space
import json
import os
import time


class Intents:
    """What the batches of a store are about to do, written down.

    The process that has begun a batch holds the lock of its intent. So one
    that nobody has locked was left behind: in `voted` by who has died before
    it was decided, in `committed` by who has died before all was done.
    """

    def __init__(self, layout, drafts, now=time.time):
        self._layout = layout
        self._drafts = drafts
        self._now = now

    def write(self, deeds, two_phase):
        """Write down what is to be done, and return it as an `Intent`."""
        self._layout.made('committed')
        self._layout.made('voted')
        content = {
            'time': self._now(),
            'host': gocept.filestore.name.HOST,
            'process': os.getpid(),
            'two_phase': two_phase,
            'deeds': list(map(gocept.filestore.deed.written, deeds))}
        filename, held = self._publish(json.dumps(content))
        return Intent(self._layout, 'voted', filename, held, content, deeds)

    def _publish(self, text):
        """Return the name of a new intent, and its lock held from the start.
        """
        publication = gocept.filestore.publish.Publication(
            self._layout, self._drafts, None, 'w', target='voted')
        with contextlib.ExitStack() as failing:
            failing.callback(self._withdraw, publication.filename)
            failing.enter_context(gocept.filestore.space.Naming(
                self._layout['voted'].path_of(publication.filename)))
            with publication as file:
                file.write(text + '\n')
                held = gocept.filestore.lock.Held(
                    os.dup(file.fileno()), os.fstat(file.fileno()))
                failing.callback(held.release)
            failing.pop_all()
        return publication.filename, held

    def _withdraw(self, filename):
        """Remove what may be there although its directory was not synced."""
        # Another error is on its way already.
        with contextlib.suppress(OSError):
            self._layout['voted'].remove(filename)

    def left(self):
        """Yield the intents that no live process has, locked, oldest first.
        """
        for filename, name in sorted(self._found().items()):
            intent = self._take(name, filename)
            if intent is not None:
                with intent:
                    yield intent

    def published(self, but=None):
        """Return the names that are about to be published."""
        return {deed.filename for deed in self._deeds(but)
                if isinstance(deed, gocept.filestore.deed.Publish)}

    def has_draft(self, draft):
        """Tell whether a draft is about to be published."""
        return any(isinstance(deed, gocept.filestore.deed.Publish)
                   and deed.draft == draft for deed in self._deeds())

    def has_claim(self, inode):
        """Tell whether a claimed file is about to be finished."""
        return any(isinstance(deed, gocept.filestore.deed.Finish)
                   and deed.inode == inode for deed in self._deeds())

    def _deeds(self, but=None):
        """Yield all deeds that are written down, also those of live ones."""
        for filename, name in self._found().items():
            content = None if filename == but else self._read(name, filename)
            if content:
                yield from map(gocept.filestore.deed.read, content['deeds'])

    def _found(self):
        """Return the names of all intents, with their spaces.

        Who has two names was left by a move in two steps; it is committed.
        """
        return {entry.name: name for name in ('voted', 'committed')
                for entry in self._entries(name)}

    def _entries(self, name):
        space = self._layout.get(name)
        return space.entries() if space else ()

    def _take(self, name, filename):
        space = self._layout[name]
        held = gocept.filestore.lock.hold(space, filename)
        if held is None:
            return None
        content = gocept.filestore.move.is_at(
            space.descriptor, filename, held.status) and (
                self._read(name, filename))
        if not content:
            return held.release()
        return Intent(
            self._layout, name, filename, held, content,
            list(map(gocept.filestore.deed.read, content['deeds'])))

    def _read(self, name, filename):
        """Return what is written down; None if it has gone, or is spoilt."""
        try:
            file = open(self._layout[name].open(filename), 'rb')
        except FileNotFoundError:
            return None
        with file:
            return parsed(file.read())


def parsed(text):
    try:
        content = json.loads(text)
        for record in content['deeds']:
            gocept.filestore.deed.read(record)
        content['time'], content['two_phase']
    except (ValueError, RecursionError, LookupError, TypeError):
        return None
    return content


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
        self._held.release()

    @property
    def is_committed(self):
        return self._space == 'committed'

    def mark(self):
        """Decide that all of it is done. From here on others go on."""
        committed = self._layout['committed']
        self._layout['voted'].move(
            self.filename, committed, self.filename, self._held.status)
        self._space = 'committed'
        committed.sync()

    def remove(self):
        """Forget it, and let go. A move in two steps may have left two names.
        """
        for name in ('voted', 'committed'):
            space = self._layout[name]
            if space.has_file(self.filename):
                space.remove(self.filename)
        if not self.is_committed:
            self._layout['voted'].sync()
        self._held.release()
