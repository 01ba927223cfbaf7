import gocept.filestore.interfaces
import gocept.filestore.layout
import io
import itertools
import os
import threading
import weakref


ON_FIRST_USE = gocept.filestore.layout.Layout.on_first_use


class File:
    """A file, with its status under the names of stat(2)."""

    is_held = False  # somebody works on it
    draft = None  # what it is written with, as long as it is open

    def __init__(self, inode, content, now):
        self.st_ino = inode
        self.write(content, now)

    def write(self, content, now):
        self._content = content
        self.st_mtime = self.st_ctime = now

    @property
    def content(self):
        return self._content if self.draft is None else (
            self.draft.getvalue())


class Spaces:
    """What lies in the spaces of one store, and a lock for all of it."""

    sub_dirs = ('tmp', 'new', 'cur')

    def __init__(self, path, prepare, now):
        self.path = path
        self.lock = threading.RLock()
        self.now = now
        self.watches = weakref.WeakSet()
        self._prepare = prepare
        self._spaces = {}
        self._count = itertools.count(1)

    def prepare(self):
        with self.lock:
            for name in (*self.sub_dirs, *ON_FIRST_USE):
                self._spaces.setdefault(name, {})

    def __getitem__(self, name):
        """Return the files of a space by their names."""
        if self._prepare and not self._spaces:
            self.prepare()
        if name not in self._spaces:
            raise gocept.filestore.interfaces.NotPrepared(
                name if name in self.sub_dirs else 'new', self.path,
                'prepare() makes it')
        return self._spaces[name]

    def path_of(self, space, filename):
        return os.path.join(self.path, space, filename)

    def by_age(self, space):
        """Return pairs of name and file, what came first first."""
        return sorted(self[space].items(), key=arrival)

    def get(self, space, filename):
        if filename not in self[space]:
            raise self.no_such_file(filename, 'there is none in %r' % space)
        return self[space][filename]

    def add(self, space, filename, content=b'', replace=False):
        """Return a new file."""
        file = File(next(self._count), content, self.now())
        self._put(space, filename, file, replace)
        return file

    def move(self, filename, source, target, replace=False, new_name=None):
        file = self.get(source, filename)
        new_name = new_name or filename
        if replace and (source, filename) == (target, new_name):
            return
        self._put(target, new_name, file, replace)
        del self[source][filename]

    def _put(self, space, filename, file, replace):
        if not replace and filename in self[space]:
            raise self.name_taken(filename, 'there is one in %r' % space)
        file.st_ctime = self.now()
        file.order = next(self._count)
        self[space][filename] = file
        if space == 'new':
            for watch in list(self.watches):
                watch.wake()

    def check_draft(self, filename, *spaces):
        """Raise an error if one of the spaces has this draft in use."""
        for space in spaces:
            file = self[space].get(filename)
            if file and file.draft is not None:
                raise gocept.filestore.interfaces.DraftInUse(
                    filename, self.path,
                    'a live process is writing this draft')

    def write(self, filename, file, mode, text):
        """Return a draft, open for writing."""
        file.draft = Draft(file, self)
        return opened(file.draft, mode, self.path_of('tmp', filename), text)

    def name_taken(self, filename, reason):
        return gocept.filestore.interfaces.NameTaken(
            filename, self.path, reason)

    def no_such_file(self, filename, reason):
        return gocept.filestore.interfaces.NoSuchFile(
            filename, self.path, reason)

    def settled(self, filename, reason):
        return gocept.filestore.interfaces.Settled(
            filename, self.path, reason)


def arrival(item):
    filename, file = item
    return file.order


class Draft(io.BytesIO):
    """What a file is written with; it keeps the content when it is closed."""

    appends = False

    def __init__(self, file, spaces):
        super().__init__(file.content)
        self._file = file
        self._spaces = spaces

    def write(self, data):
        if self.appends:
            self.seek(0, os.SEEK_END)
        return super().write(data)

    def close(self):
        with self._spaces.lock:
            if not self.closed:
                self._file.draft = None
                self._file.write(self.getvalue(), self._spaces.now())
            super().close()


def opened(raw, mode, path, text):
    """Return a file as the builtin open() does."""
    raw.name, raw.mode = path, mode
    if 'a' in mode:
        raw.appends = True
        raw.seek(0, os.SEEK_END)
    file = buffer_of(mode)(raw)
    if 'b' not in mode:
        file = io.TextIOWrapper(file, *text)
        file.mode = mode
    return file


def buffer_of(mode):
    if '+' in mode:
        return io.BufferedRandom
    return io.BufferedReader if 'r' in mode else io.BufferedWriter


class Reading(io.BytesIO):
    """What a file is read with."""
