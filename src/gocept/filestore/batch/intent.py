"""What batches are about to do, written down for all who look."""
import contextlib
import gocept.filestore.batch.finishing
import gocept.filestore.batch.publishing
import gocept.filestore.batch.removing
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
import gocept.filestore.disk.name
import gocept.filestore.disk.probe
import gocept.filestore.disk.process
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import json
import math
import os


KINDS = {deed.kind: deed
         for deed in (gocept.filestore.batch.publishing.Publish,
                      gocept.filestore.batch.finishing.Finish,
                      gocept.filestore.batch.removing.Remove)}
# In this order: an intent moves from the first to the second.
SPACES = 'voted', 'committed'


class Intents:
    """What the batches of a store are about to do.

    The process that has begun a batch holds the lock of its intent. So one
    that nobody has locked was left behind: in `voted` by who has died before
    it was decided, in `committed` by who has died before all was done.
    """

    def __init__(self, layout):
        self._layout = layout
        self._known = {}  # what it reserves; an intent never changes

    def write(self, deeds, two_phase):
        """Write down what is to be done, and return it as an `Intent`."""
        content = self._layout.clock(), two_phase, deeds
        try:
            return self._publish(*content)
        except FileNotFoundError:
            self._layout['tmp']
            for name in SPACES:
                self._layout.made(name)
            return self._publish(*content)

    def _publish(self, *content):
        """Return a new intent, locked before others can see it."""
        tmp, voted, committed = self._layout.recent('tmp', *SPACES)
        filename, held = gocept.filestore.disk.name.unique(), None
        try:
            descriptor = tmp.create(
                filename, os.O_WRONLY, self._layout.file_mode)
            held = gocept.filestore.disk.lock.Held(
                descriptor, os.fstat(descriptor))
            self._layout.share(held.descriptor)
            fill(tmp, held.descriptor, written(
                self._layout.place(), *content).encode())
            # Nobody else has its name, so that none can be replaced.
            gocept.filestore.disk.probe.rename(tmp, filename, voted)
            voted.sync()
        except BaseException as error:
            withdraw(filename, held, tmp, voted)
            gocept.filestore.disk.space.tell_path(
                error, voted.path_of(filename))
            raise
        return Intent(
            self._layout, (voted, committed), filename, held, *content)

    def left(self, refused):
        """Yield the intents that no live process has, locked, oldest first.

        What is wrong with one does not keep the others.
        """
        for filename, name in sorted(self._found(self._spaces()).items()):
            try:
                intent = self._take(name, filename)
            except OSError as error:
                refused.append(error)
                continue
            if intent is not None:
                with intent:
                    yield intent

    def reserved(self, but=None):
        """Return what others than an intent keep for themselves."""
        return set().union(*(
            self._reserved(but.spaces, but.filename) if but
            else self._reserved(self._spaces())))

    def has_draft(self, draft, but=None):
        """Tell whether a draft is about to be published.

        If it is so under one certain name, that does not count.
        """
        return any(reserved.get(('draft', draft), but) != but
                   for reserved in self._reserved(self._spaces()))

    def has_claim(self, filename, inode):
        """Tell whether a file in `work` is about to leave it."""
        return any(('claim', filename, inode) in reserved
                   for reserved in self._reserved(self._spaces()))

    def described(self):
        """Return a dictionary for each intent that was left behind."""
        now = self._layout.clock()
        return [intent.described(now) for intent in self.left(refused=[])
                if intent.is_committed or intent.is_in_doubt]

    def _spaces(self):
        return tuple(map(self._layout.get, SPACES))

    def _reserved(self, spaces, but=None):
        """Return what each intent reserves, also of those that live."""
        found = self._found(spaces, but)
        if self._known:
            self._known = {filename: self._known[filename]
                           for filename in self._known if filename in found}
        return found and [
            self._known.get(filename) or self._learn(name, filename)
            for filename, name in found.items()]

    def _learn(self, name, filename):
        content, reserved = self._read(name, filename), {}
        if content:
            for deed in content['deeds']:
                reserved.update(deed.reserved)
            self._known[filename] = reserved
        return reserved

    def _found(self, spaces, but=None):
        """Return the names of all intents, with the names of their spaces.

        One with two names was left by a move in two steps; it is committed.
        """
        found = {}
        for space in filter(None, spaces):
            for filename in space.names():
                if filename != but and (filename in self._known or (
                        filename[0] != '.' and space.has_file(filename))):
                    found[filename] = space.name
        return found

    def _take(self, name, filename):
        space = self._layout[name]
        held = gocept.filestore.disk.lock.hold(space, filename)
        if held is None:
            return None
        try:
            content = space.is_at(filename, held.status) and (
                self._read(name, filename))
        except BaseException:
            held.release()  # the error refers to it, and may live long
            raise
        if not content:
            return held.release()
        return Intent(self._layout, self._spaces(), filename, held, **content,
                      is_committed=name == 'committed')

    def _read(self, name, filename):
        """Return what is written down; None if it has gone, or is spoilt.

        It may have been committed since it was listed.
        """
        for later in SPACES[SPACES.index(name):]:
            space = self._layout.get(later)
            with contextlib.suppress(FileNotFoundError):
                if space:
                    with open(space.open(filename), 'rb') as file:
                        return self._adopted(parsed(file.read()))

    def _adopted(self, content):
        """Let what was written in the store that this is a copy of hold here.

        There the inodes were others. But nobody takes a file of an intent, so
        what has its name and mtime is the one.
        """
        if content and content.pop('place') not in (
                None, self._layout.place()):
            for deed in content['deeds']:
                deed.adopt(self._layout)
        return content


class Intent:
    """What one batch is about to do, locked by this process."""

    is_first = False  # nobody can have carried out anything yet

    def __init__(self, layout, spaces, filename, held, time, two_phase, deeds,
                 is_committed=False):
        self._layout = layout
        self._held = held
        self.spaces = spaces
        self.filename = filename
        self.time = time
        self.two_phase = two_phase
        self.deeds = deeds
        self.is_committed = is_committed

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.release()

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
                            if deed.kind == kind) for kind in KINDS}}

    def mark(self):
        """Decide that all of it is done. From here on others go on."""
        if not gocept.filestore.disk.process.is_open(
                self._held.descriptor, self._held.status):
            raise gocept.filestore.interfaces.Settled(
                self.filename, self._layout.path, 'somebody else has closed '
                'its descriptor, so it counts as left by a process that died')
        try:
            if all(self.spaces) and self.spaces[0].is_current():
                return self._move(self.spaces[0], self.spaces[1].known())
        except FileNotFoundError:
            pass  # the directories may be others since they were looked at
        committed = self._layout.made('committed')
        self._move(self._layout['voted'], committed)

    def _move(self, voted, committed):
        try:
            gocept.filestore.disk.probe.rename(voted, self.filename, committed)
        except OSError as error:
            raise voted.explained(error, self.filename) from None
        self.spaces = voted, committed
        self.is_committed = self.is_first = True
        committed.sync()

    def remove(self):
        """Forget it, and let go.

        A move in two steps that another one has begun may have left two
        names; the one in `committed` decides, and goes last. What can not be
        removed is left to others.
        """
        try:
            for space in filter(None, self.spaces[self.is_first:]):
                try:
                    space.remove(self.filename)
                except gocept.filestore.interfaces.NoSuchFile:
                    pass
            if not self.is_committed:
                self.spaces[0].known().sync()
        except BaseException:
            self.release()
            raise
        self._held.close()

    def release(self):
        self._held.release()


def fill(tmp, descriptor, text):
    """Lock a new intent, and write it."""
    gocept.filestore.disk.lock.lock(descriptor)
    while text:
        text = text[os.write(descriptor, text):]
    if tmp.durable:
        gocept.filestore.disk.move.sync(descriptor)
    if not tmp.is_local:
        # Others can read it as soon as it is closed (NFS).
        os.close(os.dup(descriptor))


def withdraw(filename, held, *spaces):
    """Remove what may be there although its directory was not synced."""
    # Another error is on its way already.
    for space in spaces:
        with contextlib.suppress(OSError):
            space.remove(filename)
    if held is not None:
        held.release()


def written(place, time, two_phase, deeds):
    return '{"place": "%s", "time": %s, "two_phase": %s, "deeds": [%s]}\n' % (
        place, time, str(two_phase).lower(),
        ', '.join([deed.written() for deed in deeds]))


def parsed(text):
    """Return what an intent says, None for what is none."""
    try:
        found = json.loads(text)
        content = {name: found[name] for name in ('time', 'two_phase')}
        content['place'] = found.get('place')
        content['deeds'] = [KINDS[record['deed']].read(record)
                            for record in found['deeds']]
        is_good = (math.isfinite(content['time'])
                   and type(content['two_phase']) is bool)
    except (ArithmeticError, LookupError, RecursionError, TypeError,
            ValueError):
        return None
    return content if is_good else None
