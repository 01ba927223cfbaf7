"""The spaces of a store: for what, where they lie, and how they are made."""
import contextlib
import errno
import gocept.filestore.disk.move
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import os
import stat
import time
import weakref


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
AGES = tuple(300 * 2 ** number for number in range(9))  # seconds, as qshape
MOST = 256  # directories that all stores of a process keep open
opened = {}  # those, with their layouts, in the order of their opening


class Layout:
    """The spaces of one store: where they lie, and how they are made.

    `clock()` is the time in seconds since the epoch, for what is written down
    and for ages; `now()` is one that is never set back, for pauses. Both are
    handed down from here. What is compared with a time that the disk has set,
    to see whether it is fresh, goes by the `disk_clock` of this machine.
    """

    is_ready = False  # for claims, although the disk may be full by then
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
        self._look_at = self._look_above_at = now()

    def __getitem__(self, name):
        """Return the space; raise `NotPrepared` if it is not there."""
        space = self._spaces.get(name)
        if space is not None:
            if self._is_current(space):
                return space
            self._spaces.clear()  # most likely the others have gone as well
        space = self._spaces[name] = self._opened(name)
        opened[weakref.ref(space, has_gone)] = weakref.ref(self)
        if len(opened) > MOST:
            close_first()
        return space

    def recent(self, *names):
        """Return spaces that were looked at a moment ago, or make them.

        A look costs as much as writing a small file. Whoever exchanges the
        directory of a store meets writers who have just begun in any case.
        What is open is known each time, as `Space.known` tells.
        """
        now = self.now()
        if now >= self._look_at:
            self._look_at = now + self.interval
            # A copy: other threads may find spaces meanwhile.
            if not all(map(self._is_current, list(self._spaces.values()))):
                self._spaces.clear()
        found = []
        for name in names:
            try:
                space = self._spaces[name]
                is_known = (
                    os.lseek(space.descriptor, 0, os.SEEK_CUR) == space.mark)
            except (KeyError, OSError):
                is_known = False
            if not is_known:
                space = (self.made(name) if name in ON_FIRST_USE
                         else self[name])
            found.append(space)
        return found

    def _is_current(self, space):
        """Tell whether a path still leads to a space.

        Another host may have moved the store aside, and NFS goes by what it
        knew of the directory above (measured: 16 seconds).
        """
        if not space.is_local and self.now() >= self._look_above_at:
            self._look_above_at = self.now() + self.interval
            store = os.path.basename(self._directory.rstrip('/'))
            for directory, name in (
                    (parent(self._directory), store),
                    (self._directory, space.name)):
                with contextlib.suppress(OSError):  # it may not be ours
                    look_anew(directory, name)
        return space.is_current()

    def get(self, name):
        """Return a space, or None if it is made on first use and was not."""
        try:
            return self._found(name)
        except FileNotFoundError:
            if name in PREPARED:
                raise
        # A store that is not there has no empty spaces.
        if not self['new'].is_local:
            look_anew(self._directory, name)  # another host has just made it
            with contextlib.suppress(FileNotFoundError):
                return self._found(name)

    def _found(self, name):
        if not (name in PREPARED or name in self._spaces):
            os.lstat(self._path_of(name))
        return self[name]

    def place(self):
        """Return what a copy of the store does not have in common with it.

        Inodes that were written down elsewhere are none of the files here.
        """
        return ' '.join(
            space.number for space in self.recent('tmp', 'new'))

    def check(self, name, known):
        """Raise `InvalidSpace` if this is none of the known spaces."""
        if name not in known:
            raise gocept.filestore.interfaces.InvalidSpace(
                name, self.path, 'the spaces for this are %s' % ', '.join(
                    dict.fromkeys(known)))

    def is_made(self, name):
        """Tell whether there is something of this name; it costs little."""
        new = self._spaces.get('new')
        if new is not None and not new.is_local:
            look_anew(self._directory, name)
        return os.access(f'{self._directory}/{name}', os.F_OK)

    def made(self, name):
        """Return a space that is made on first use, for all who use `new`.

        Whoever opens one syncs the store's directory before anything moves
        there: the process that made it may not have come that far.
        """
        space = self._spaces.get(name)
        if space is None or not self._is_current(space):
            # A store that is not there is not made by this.
            new = os.stat(self['new'].directory)
            mode = (stat.S_IMODE(new.st_mode) if self.directory_mode is None
                    else self.directory_mode)
            make(self._path_of(name), mode, self.path, like=new)
            self._sync(self._directory)
            space = self[name]
        return space

    def make_ready(self):
        """Make what a claim needs, while there is room for it."""
        try:
            if not self.is_made('work'):
                self.made('work')
        except gocept.filestore.interfaces.NotSynced:
            raise
        except OSError:
            pass  # there is no room, or it is not ours
        self.is_ready = True

    def share(self, descriptor):
        """Let all who use `new` use a file of what is written down, too."""
        [space] = self.recent('new')
        new = os.fstat(space.descriptor)
        status = give(descriptor, new)
        mode = new.st_mode & 0o666
        if self.file_mode is None and mode != status.st_mode & 0o777:
            os.fchmod(descriptor, mode)

    def space_of(self, filename, status,
                 names=('new', 'work', 'cur', 'failed'), descriptor=None):
        """Return the space in which a file has this name, or None.

        It may be on its way, in the order of these spaces. The descriptor is
        that of the file, if it is open.
        """
        for name in names:
            space = self.get(name)
            if space and space.is_at(filename, status, descriptor):
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


@contextlib.contextmanager
def directory_at(path, flags=gocept.filestore.disk.move.HERE):
    """Open a directory for the time of the block; errors in it tell its path.
    """
    descriptor = os.open(path, flags)
    with gocept.filestore.disk.space.Naming(path):
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def look_anew(directory, name):
    """Let this host see what another one has just made, or moved aside."""
    with directory_at(directory) as descriptor:
        gocept.filestore.disk.move.look_anew(descriptor, name)


def has_gone(space, opened=opened):
    opened.pop(space, None)


def close_first():
    """Let the space go that was opened first, as there are many.

    Whoever is using it meanwhile has it, and so it stays open for him.
    """
    first = list(opened)[0]  # at once: other threads may open some
    layout, space = opened.pop(first)(), first()
    if layout and space and layout._spaces.get(space.name) is space:
        del layout._spaces[space.name]


def sync(path):
    with directory_at(path) as descriptor:
        gocept.filestore.disk.move.sync(descriptor)


def absolute(path):
    """Return where a path leads from the working directory of now."""
    if os.path.isabs(path):
        return path
    with gocept.filestore.disk.space.Naming(path):  # it may have gone
        return os.path.join(os.getcwd(), path)


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


def make(path, mode, store, status=os.lstat, like=None):
    """Make a directory with the exact mode, unless it is there."""
    try:
        os.mkdir(path, 0o777 if mode is None else mode)
    except FileExistsError:
        if not is_directory(path, status):
            raise in_the_way(path, store) from None
        return
    if mode is not None:
        set_access(path, mode, like)


def set_access(path, mode, like):
    with directory_at(
            path, gocept.filestore.disk.space.DIRECTORY) as descriptor:
        if like:
            give(descriptor, like)
        os.fchmod(descriptor, mode)


def give(descriptor, like):
    """Give a file to who has another, if we are root, and to its group.

    Return its status from before.
    """
    status = os.fstat(descriptor)
    with contextlib.suppress(PermissionError):
        if status.st_uid != like.st_uid and os.geteuid() == 0:
            os.fchown(descriptor, like.st_uid, -1)
        if status.st_gid != like.st_gid:
            os.fchown(descriptor, -1, like.st_gid)
    return status


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
