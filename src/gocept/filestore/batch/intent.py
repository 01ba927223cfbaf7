"""What batches are about to do, written down for all who look."""
import collections
import contextlib
import gocept.filestore.batch.finishing
import gocept.filestore.batch.publishing
import gocept.filestore.batch.removing
import gocept.filestore.disk.layout
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
import gocept.filestore.disk.name
import gocept.filestore.disk.probe
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import json
import math
import os


# What others have to know of an intent: the names that it is about to
# publish, its drafts, and names and inodes of the files that it has claimed.
Concerns = collections.namedtuple('Concerns', 'names drafts claims')
KINDS = {deed.kind: deed
         for deed in (gocept.filestore.batch.publishing.Publish,
                      gocept.filestore.batch.finishing.Finish,
                      gocept.filestore.batch.removing.Remove)}
# In this order: an intent moves from the first to the second.
SPACES = (gocept.filestore.disk.layout.UNDECIDED,
          gocept.filestore.disk.layout.DECIDED)
# Nothing in it can be a part of itself.
ENCODE = json.JSONEncoder(check_circular=False).encode


class Intents:
    """What the batches of a store are about to do.

    The process that has begun a batch holds the lock of its intent. So one
    that nobody has locked was left behind: in `voted` by who has died before
    it was decided, in `committed` by who has died before all was done.
    """

    def __init__(self, layout):
        self._layout = layout
        self._known = {}  # an intent never changes

    def write(self, deeds, two_phase):
        """Write down what is to be done, and return it as an `Intent`."""
        time = self._layout.clock()
        text = written(time, two_phase, deeds)
        try:
            spaces, filename, held = self._publish(text)
        except FileNotFoundError:
            self._layout['tmp']
            for name in SPACES:
                self._layout.made(name)
            spaces, filename, held = self._publish(text)
        return Intent(
            self._layout, spaces, filename, held, time, two_phase, deeds)

    def _publish(self, text):
        """Return a new intent: where, its name, and its lock, held at once.
        """
        recent = self._layout.recent
        tmp, voted, committed = (
            recent('tmp'), recent('voted'), recent('committed'))
        filename, held = gocept.filestore.disk.name.unique(), None
        try:
            held = locked(tmp, filename, text, self._layout.file_mode)
            # Nobody else has its name, so that none can be replaced.
            gocept.filestore.disk.probe.rename(tmp, filename, voted)
            voted.sync()
        except BaseException as error:
            withdraw(filename, held, tmp, voted)
            gocept.filestore.disk.space.tell_path(
                error, voted.path_of(filename))
            raise
        return (voted, committed), filename, held

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

    def published(self, but):
        """Return the names that others than an intent are about to publish.
        """
        return {name for concerns in self._concerns(but.spaces, but.filename)
                for name in concerns.names}

    def has_draft(self, draft):
        """Tell whether a draft is about to be published."""
        return any(draft in concerns.drafts
                   for concerns in self._concerns(self._spaces()))

    def has_claim(self, filename, inode):
        """Tell whether a file in `work` is about to leave it."""
        return any((filename, inode) in concerns.claims
                   for concerns in self._concerns(self._spaces()))

    def described(self):
        """Return a dictionary for each intent that was left behind."""
        now = self._layout.clock()
        return [intent.described(now) for intent in self.left(refused=[])
                if intent.is_committed or intent.is_in_doubt]

    def _spaces(self):
        return tuple(map(self._layout.get, SPACES))

    def _concerns(self, spaces, but=None):
        """Return the concerns of all intents, also of those that live."""
        found = self._found(spaces, but)
        if self._known:
            self._known = {filename: self._known[filename]
                           for filename in self._known if filename in found}
        return found and [
            self._known.get(filename) or self._learn(name, filename)
            for filename, name in found.items()]

    def _learn(self, name, filename):
        content = self._read(name, filename)
        concerns = Concerns(set(), set(), set())
        for deed in content['deeds'] if content else ():
            deed.reserve(concerns)
        if content:
            self._known[filename] = concerns
        return concerns

    def _found(self, spaces, but=None):
        """Return the names of all intents, with the names of their spaces.

        One with two names was left by a move in two steps; it is committed.
        """
        found = {}
        for space in spaces:
            for filename in space.names() if space else ():
                if filename != but and self._is_intent(space, filename):
                    found[filename] = space.name
        return found

    def _is_intent(self, space, filename):
        return filename in self._known or (
            filename[0] != '.' and space.has_file(filename))

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
                        return parsed(file.read())


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
        try:
            if all(self.spaces) and self.spaces[0].is_current():
                return self._move(*self.spaces)
        except FileNotFoundError:
            pass  # the directories may be others since they were looked at
        committed = self._layout.made('committed')
        self._move(self._layout['voted'], committed)

    def _move(self, voted, committed):
        voted.move(self.filename, committed, self.filename, self._held.status)
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
                self.spaces[0].sync()
        except BaseException:
            self.release()
            raise
        self._held.close()

    def release(self):
        self._held.release()


def locked(tmp, filename, text, file_mode):
    """Write an intent, and return it locked."""
    descriptor = tmp.create(filename, os.O_WRONLY, file_mode)
    try:
        gocept.filestore.disk.lock.lock(descriptor)
        rest = text.encode()
        while rest:
            rest = rest[os.write(descriptor, rest):]
        if tmp.durable:
            gocept.filestore.disk.move.sync(descriptor)
        if not tmp.is_local:
            # Others can read it as soon as it is closed (NFS).
            os.close(os.dup(descriptor))
        # Nobody exchanges a file whose name is ours, so nobody asks for more.
        return gocept.filestore.disk.lock.Held(descriptor, status=None)
    except BaseException:
        os.close(descriptor)
        raise


def withdraw(filename, held, *spaces):
    """Remove what may be there although its directory was not synced."""
    # Another error is on its way already.
    for space in spaces:
        with contextlib.suppress(OSError):
            space.remove(filename)
    if held is not None:
        held.release()


def written(time, two_phase, deeds):
    return ENCODE({'time': time, 'two_phase': two_phase, 'deeds': [
        {'deed': deed.kind, **{name: getattr(deed, name)
                               for name in deed.facts}}
        for deed in deeds]}) + '\n'


def parsed(text):
    """Return what an intent says, None for what is none."""
    try:
        found = json.loads(text)
        content = {name: found[name] for name in ('time', 'two_phase')}
        content['deeds'] = list(map(read, found['deeds']))
        is_good = (math.isfinite(content['time'])
                   and type(content['two_phase']) is bool)
    except (ArithmeticError, LookupError, RecursionError, TypeError,
            ValueError):
        return None
    return content if is_good else None


def read(record):
    """Return the deed that was written; raise `ValueError` for what is none.

    Somebody may have changed it. No name leads out of the store.
    """
    deed = KINDS[record['deed']]
    facts = {name: record[name] for name in deed.facts}
    for name, allowed in deed.facts.items():
        if not is_good(facts[name], allowed):
            raise ValueError('%s can not be %r' % (name, facts[name]))
    return deed(**facts)


def is_good(value, allowed):
    """Tell whether this is one of some values, or of a type; `str` is a name.
    """
    if isinstance(allowed, tuple):
        return value in allowed
    return type(value) is allowed and not (
        allowed is str and gocept.filestore.disk.name.objection(value))
