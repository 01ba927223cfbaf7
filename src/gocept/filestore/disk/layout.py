"""The spaces of a store: for what, where they lie, and how they are made."""
import contextlib
import errno
import gocept.filestore.disk.move
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import os
import stat
import time


# The table of the spaces. What may be done with what lies there:
#   prepare  the directory is made by prepare(), others on first use
#   move     and copied and removed, by the verbs of those names
#   batch    removed by a batch
#   clean    removed when it is old
#   count    counted by status(), in this order
# and where our own moves take a file from there.
TABLE = {
    'tmp': ('prepare move clean count', 'new'),
    'new': ('prepare move batch count', 'work'),
    'work': ('count', 'new cur failed'),
    'failed': ('move batch clean count', 'new'),
    'cur': ('prepare move batch clean count', ''),
    'attempts': ('count', ''),
    'voted': ('', 'committed'),
    'committed': ('', '')}


def usable(use):
    """Return the names of the spaces for a use; those of `prepare` first."""
    return tuple(sorted(
        (name for name, (uses, _) in TABLE.items() if use in uses.split()),
        key=lambda name: 'prepare' not in TABLE[name][0]))


def sources(target):
    """Return the names of the spaces from which our own moves come."""
    return tuple(name for name, (_, targets) in TABLE.items()
                 if target in targets.split())


def targets(source):
    """Return the names of the spaces to which our own moves go."""
    return tuple(TABLE[source][1].split())


PREPARED = usable('prepare')
ON_FIRST_USE = tuple(name for name in TABLE if name not in PREPARED)
ALL = PREPARED + ON_FIRST_USE
MOVED = usable('move')
FROM_BATCH = usable('batch')
CLEANED = usable('clean')
COUNTED = tuple(name for name in TABLE if 'count' in TABLE[name][0].split())
UNDECIDED, DECIDED = 'voted', 'committed'


class Layout:
    """The spaces of one store: where they lie, and how they are made.

    `clock()` is the time in seconds since the epoch, for what is written down
    and for ages; `now()` is one that is never set back, for pauses. Both are
    handed down from here. What is compared with a time that the disk has set,
    to see whether it is fresh, goes by the `disk_clock` of this machine.
    """

    interval = 0.1  # seconds between two looks, whoever looks at whatever

    def __init__(self, path, durable=True, file_mode=None,
                 directory_mode=None, prepare=False, clock=time.time,
                 now=time.monotonic):
        self.path = os.fspath(path)
        self.durable = durable
        self.file_mode = file_mode
        self.directory_mode = directory_mode
        self.clock = clock
        self.now = now
        self._directory = absolute(self.path)
        self._prepare = prepare
        self._spaces = {}
        self._look_at = now()

    def __getitem__(self, name):
        """Return the space; raise `NotPrepared` if it is not there."""
        space = self._spaces.get(name)
        if space is not None and not space.is_current():
            self._spaces.clear()  # most likely the others have gone as well
            space = None
        if space is None:
            space = self._spaces[name] = self._opened(name)
        return space

    def recent(self, name):
        """Return a space that was looked at a moment ago.

        A look costs as much as writing a small file. Whoever exchanges the
        directory of a store meets writers who have just begun in any case.
        """
        now = self.now()
        if now >= self._look_at:
            self._look_at = now + self.interval
            # A copy: other threads may find spaces meanwhile.
            if not all(map(is_current, list(self._spaces.values()))):
                self._spaces.clear()
        return self._spaces.get(name) or self[name]

    def get(self, name):
        """Return a space, or None if it is made on first use and was not."""
        try:
            return self[name]
        except FileNotFoundError:
            if name not in ON_FIRST_USE:
                raise
        self['new']  # a store that is not there has no empty spaces

    def check(self, name, known):
        """Raise `InvalidSpace` if this is none of the known spaces."""
        if name not in known:
            raise gocept.filestore.interfaces.InvalidSpace(
                name, self.path, 'the spaces for this are %s' % ', '.join(
                    dict.fromkeys(known)))

    def is_made(self, name):
        """Tell whether there is something of this name; it costs little."""
        return os.access(self._path_of(name), os.F_OK)

    def made(self, name):
        """Return a space that is made on first use.

        Whoever opens one syncs the store's directory before anything moves
        there: the process that made it may not have come that far.
        """
        space = self._spaces.get(name)
        if space is None or not space.is_current():
            self['new']  # a store that is not there is not made by this
            make(self._path_of(name), self.directory_mode, self.path)
            self._sync(self._directory)
            space = self[name]
        return space

    def space_of(self, filename, status):
        """Return the space in which a file has this name, or None.

        It may be on its way, in the order of these spaces.
        """
        for name in ('new', 'work', 'cur', 'failed'):
            space = self.get(name)
            if space and space.is_at(filename, status):
                return space

    def prepare(self):
        self._look_at = self.now()
        for directory in missing_parents(self._directory):
            make(directory, None, self.path)
            self._sync(parent(directory))
        make(self._directory, self.directory_mode, self.path, os.stat)
        for name in PREPARED:
            make(self._path_of(name), self.directory_mode, self.path)
        self._sync(self._directory)
        # Who may not read the parent finds a store that others have made.
        with contextlib.suppress(PermissionError):
            self._sync(parent(self._directory))

    def _path_of(self, name):
        return f'{self._directory}/{name}'

    def _opened(self, name):
        try:
            return self._open(name)
        except gocept.filestore.interfaces.NotPrepared:
            if not self._prepare or name not in PREPARED:
                raise
        self.prepare()
        return self._open(name)

    def _open(self, name):
        try:
            return gocept.filestore.disk.space.Space(
                self.path, name, self._path_of(name), self.durable)
        except FileNotFoundError:
            raise gocept.filestore.interfaces.NotPrepared(
                name, self.path, 'prepare() makes it') from None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                there = os.path.isdir(self._directory)
                raise in_the_way(
                    self._path_of(name) if there else self._directory,
                    self.path) from None
            raise

    def _sync(self, path):
        if self.durable:
            sync(path)


def is_current(space):
    return space.is_current()


def sync(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        gocept.filestore.disk.move.sync(descriptor)
    finally:
        os.close(descriptor)


def absolute(path):
    """Return where a path leads from the working directory of now."""
    return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)


def parent(path):
    return os.path.dirname(path.rstrip('/')) or '/'


def missing_parents(path):
    """Return the directories above the path that are not there, top first."""
    result = []
    path = parent(path)
    while not os.path.lexists(path):
        result.insert(0, path)
        path = parent(path)
    return result if os.path.isdir(path) else [path] + result


def make(path, mode, store, status=os.lstat):
    """Make a directory with the exact mode, unless it is there."""
    try:
        os.mkdir(path, 0o777 if mode is None else mode)
    except FileExistsError:
        if not is_directory(path, status):
            raise in_the_way(path, store) from None
        return
    if mode is not None:
        set_mode(path, mode)


def set_mode(path, mode):
    descriptor = os.open(path, gocept.filestore.disk.space.DIRECTORY)
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def is_directory(path, status):
    try:
        return stat.S_ISDIR(status(path).st_mode)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return False  # a symbolic link that leads nowhere
        raise


def in_the_way(path, store):
    return gocept.filestore.interfaces.InTheWay(
        path, store, 'it is in the way, because it is no directory')
