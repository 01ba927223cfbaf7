"""A directory of a store, and all that is asked of the files in it."""
import contextlib
import errno
import functools
import gocept.filestore.disk.file_system
import gocept.filestore.disk.move
import gocept.filestore.interfaces
import os
import stat


DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Never follow a link, never wait for the other end of a pipe, never make a
# terminal our own.
SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
GONE = gocept.filestore.disk.move.GONE
FILE = (stat.S_IFREG,)
FILE_OR_LINK = (stat.S_IFREG, stat.S_IFLNK)
SPECIAL = {
    errno.ELOOP: 'it is a symbolic link',
    errno.ENXIO: 'it is a pipe, a socket or a device',
    errno.EISDIR: 'it is a directory'}


def is_file(entry):
    """Tell whether it is a regular file, and not hidden."""
    try:
        return entry.name[0] != '.' and entry.is_file(follow_symlinks=False)
    except OSError:
        return False  # gone before a file system without types was asked


class Space:
    """A directory of a store, held open so that nobody can exchange it."""

    def __init__(self, store, name, directory, durable):
        self.store = store
        self.name = name
        self.durable = durable
        self.path = os.path.join(store, name)
        self.directory = directory
        with Naming(self.path):
            self.descriptor = os.open(directory, DIRECTORY)
            self._status = os.fstat(self.descriptor)
        self.is_local = gocept.filestore.disk.file_system.is_local(
            self.descriptor)

    def __del__(self, close=os.close):
        if hasattr(self, 'descriptor'):
            with contextlib.suppress(OSError):  # there is nothing to lose
                close(self.descriptor)

    def path_of(self, filename):
        return f'{self.path}/{filename}'

    def is_current(self):
        """Tell whether the path still leads here.

        No other directory can have our inode as long as we hold it open.
        """
        try:
            return os.path.samestat(os.lstat(self.directory), self._status)
        except OSError:
            return False

    def changed(self):
        """Return when a name has come or gone, in nanoseconds.

        It is the ctime of the directory, which nobody can set.
        """
        return os.fstat(self.descriptor).st_ctime_ns

    def create(self, filename, flags, mode=None):
        """Create a file that is not there yet, with the exact mode.

        Return its descriptor.
        """
        try:
            descriptor = os.open(
                filename, flags & ~os.O_TRUNC | NEW,
                0o666 if mode is None else mode, dir_fd=self.descriptor)
        except OSError as error:
            raise self.explained(error, filename) from None
        if mode is not None:
            self._set_mode(filename, descriptor, mode)
        return descriptor

    def _set_mode(self, filename, descriptor, mode):
        try:
            os.fchmod(descriptor, mode)
        except OSError as error:
            os.close(descriptor)
            self.remove(filename)
            raise self.explained(error, filename) from None

    def open(self, filename, flags=os.O_RDONLY):
        """Open a regular file and return its descriptor."""
        try:
            descriptor = os.open(
                filename, flags | SAFE, dir_fd=self.descriptor)
        except OSError as error:
            raise self.explained(error, filename) from None
        with Naming(self.path_of(filename)):
            status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise self.not_regular(filename, 'it is no regular file')
        return descriptor

    def open_alone(self, filename, flags=os.O_RDONLY):
        """Do the same for a file that has no second name."""
        descriptor = self.open(filename, flags)
        if os.fstat(descriptor).st_nlink > 1:
            os.close(descriptor)
            raise self.not_alone(filename)
        return descriptor

    def stat(self, filename):
        """Return the status of what has this name, or None."""
        try:
            return os.stat(
                filename, dir_fd=self.descriptor, follow_symlinks=False)
        except OSError as error:
            if error.errno in GONE:
                return None
            raise self.explained(error, filename) from None

    def fresh_stat(self, filename):
        """Return the same, and trust no cache."""
        if not self.is_local:
            gocept.filestore.disk.move.refresh(self.descriptor, filename)
        return self.stat(filename)

    def has_file(self, filename):
        status = self.stat(filename)
        return status is not None and stat.S_ISREG(status.st_mode)

    def is_at(self, filename, status):
        """Tell whether the file of this status is here, under this name."""
        return gocept.filestore.disk.move.is_at(
            self.descriptor, filename, status)

    def check(self, filename, kinds=FILE):
        """Raise an error if something else lies here than such a file."""
        status = self.stat(filename)
        if status and stat.S_IFMT(status.st_mode) not in kinds:
            raise self.not_regular(filename, 'it is no regular file')

    def remove(self, filename):
        try:
            os.unlink(filename, dir_fd=self.descriptor)
        except OSError as error:
            raise self.explained(error, filename) from None

    def inode(self, filename):
        """Return the inode that a fresh listing gives for a name, or None."""
        for entry in self.entries():
            if entry.name == filename:
                return entry.inode()

    def entries(self, is_wanted=is_file):
        """Yield the entries of a fresh listing that are wanted.

        It opens the directory anew: a descriptor that threads or forked
        processes share has one position for all of them.
        """
        try:
            descriptor = os.open('.', DIRECTORY, dir_fd=self.descriptor)
            try:
                with os.scandir(descriptor) as entries:
                    yield from filter(is_wanted, entries)
            finally:
                with contextlib.suppress(OSError):  # it was only read
                    os.close(descriptor)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.path) from None

    def names(self):
        """Return the names of a fresh listing, whatever they are of.

        Where there is next to nothing it takes half as long as `entries`.
        """
        try:
            descriptor = os.open('.', DIRECTORY, dir_fd=self.descriptor)
            try:
                return os.listdir(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            error.filename = self.path
            raise

    def move(self, filename, target, new_name, status=None):
        """Move a file into another space; never replace one."""
        try:
            gocept.filestore.disk.move.move(
                self.descriptor, filename, target.descriptor, new_name,
                self.durable, status)
        except OSError as error:
            raise self._not_moved(error, filename, target, new_name) from None

    def replace(self, filename, target, new_name, is_locked=False):
        """Move a file into another space, and replace one that is there.

        Claims are taken from `new`, so no file is replaced there while it is
        being taken.
        """
        target.check(new_name)
        move = gocept.filestore.disk.move.replace
        if target.name == 'new':
            move = functools.partial(
                gocept.filestore.disk.move.replace_unlocked,
                durable=self.durable)
        try:
            move(self.descriptor, filename, target.descriptor, new_name,
                 is_locked)
        except OSError as error:
            raise self._not_moved(error, filename, target, new_name) from None

    def _not_moved(self, error, filename, target, new_name):
        """Return the error of a move, with the space that is meant."""
        if isinstance(error, FileExistsError):
            return target.explained(error, new_name)
        return self.explained(error, filename)

    def sync_file(self, filename):
        """Bring a file to the disk, if the store is durable."""
        if not self.durable:
            return
        with Naming(self.path_of(filename)):
            descriptor = self.open(filename)
            try:
                gocept.filestore.disk.move.sync(descriptor)
            finally:
                os.close(descriptor)

    def sync(self):
        """Bring to the disk which names are here, if the store is durable."""
        if self.durable:
            with Naming(self.path):
                gocept.filestore.disk.move.sync(self.descriptor)

    def explained(self, error, filename):
        """Return the error to raise for one that the disk gave."""
        if error.errno in GONE:
            return self.no_such_file(filename)
        if error.errno == errno.EEXIST:
            return gocept.filestore.interfaces.NameTaken(
                filename, self.store, 'there is one in %r' % self.name)
        if error.errno in SPECIAL:
            return self.not_regular(filename, SPECIAL[error.errno])
        kind = gocept.filestore.interfaces.NotSynced if isinstance(
            error, gocept.filestore.interfaces.NotSynced) else OSError
        return kind(error.errno, error.strerror, self.path_of(filename))

    def no_such_file(self, filename):
        return gocept.filestore.interfaces.NoSuchFile(
            filename, self.store, 'there is none in %r' % self.name)

    def not_alone(self, filename):
        return self.not_regular(filename, 'it has another name elsewhere')

    def not_regular(self, filename, reason):
        return gocept.filestore.interfaces.NotRegular(
            filename, self.store, '%s, in %r' % (reason, self.name))


class Naming:
    """Lets errors in a block tell a path; those of open files do not."""

    __slots__ = ('path',)

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if error is not None:
            tell_path(error, self.path)


def tell_path(error, path):
    """Let an error of an open file tell its path."""
    if isinstance(error, OSError) and error.filename is None:
        error.filename = path
