"""A directory of a store, and all that is asked of the files in it."""
import errno
import functools
import gocept.filestore.disk.file_system
import gocept.filestore.disk.move
import gocept.filestore.interfaces
import itertools
import os
import random
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
FULL = errno.ENOSPC, errno.EDQUOT
# What Linux answers without flock(2), as Lustre and NFS may be mounted.
NEEDED = dict.fromkeys((errno.ENOLCK, errno.ENOSYS), ' (a store needs flock)')
NOT_WRITABLE = (' (on NFS only who may write a file can lock it; its mode is '
                '%03o, of user %s and group %s: chmod u+w or g+w lets them)')


def is_file(entry):
    """Tell whether it is a regular file, and not hidden."""
    try:
        return entry.name[0] != '.' and entry.is_file(follow_symlinks=False)
    except OSError:
        return False  # gone before a file system without types was asked


class Space:
    """A directory of a store, held open so that nobody can exchange it.

    Somebody may close the descriptor, and get its number for something else.
    We know ours by a mark: nobody has anything to do with the position of a
    directory that is open. To ask for it takes a fifth of the time of an
    fstat(2), and leads to no question to a server.
    """

    descriptor = -1
    identity = None
    locking = os.O_RDONLY  # how a file has to be open, to be locked

    def __init__(self, store, name, directory, durable):
        self.store = store
        self.name = name
        self.durable = durable
        self.path = os.path.join(store, name)
        self.directory = directory
        self.mark = random.randrange(1, 2 ** 31)
        self._open()
        self.is_local = gocept.filestore.disk.file_system.is_local(
            self.descriptor)
        if not self.is_local:
            self.locking = gocept.filestore.disk.file_system.locking(
                self.descriptor)

    def _open(self):
        with Naming(self.path):
            try:
                descriptor = os.open(self.directory, DIRECTORY)
            except FileNotFoundError:
                raise self.not_prepared() from None
            status = os.fstat(descriptor)
        if self.identity not in (None, status[1:3]):
            os.close(descriptor)
            raise gocept.filestore.interfaces.NotPrepared(
                self.name, self.store, 'another one lies there by now')
        try:
            os.lseek(descriptor, self.mark, os.SEEK_SET)
        except OSError:
            self.mark = 0  # where it is anyway
        self._status, self.identity = status, status[1:3]
        self.descriptor = descriptor

    def __del__(self, lseek=os.lseek, close=os.close):
        try:
            if lseek(self.descriptor, 0, 1) == self.mark:
                close(self.descriptor)
        except OSError:
            pass  # there is nothing to lose

    def known(self):
        """Return this space, which is opened anew if somebody has closed it.

        Raise `NotPrepared` if its path leads to another directory.
        """
        try:
            if os.lseek(self.descriptor, 0, os.SEEK_CUR) == self.mark:
                return self
        except OSError:
            pass
        self._open()
        return self

    @functools.cached_property
    def number(self):
        """What no other directory has: its disk, and its inode there."""
        with Naming(self.path):
            return '%x.%x' % (
                os.fstatvfs(self.descriptor).f_fsid, self._status.st_ino)

    @property
    def last(self):
        """When, until it was opened, a name came or went; in nanoseconds."""
        return self._status.st_mtime_ns

    def path_of(self, filename):
        return f'{self.path}/{filename}'

    def facts(self, filename, **more):
        """Return what a log record about a file has as attributes."""
        return {'store': self.store, 'file': filename, **more}

    def is_current(self):
        """Tell whether the path still leads here; then it is known.

        No other directory can have our inode as long as we hold it open; but
        an NFS server knows nothing of that, and gives its number again.
        """
        try:
            return (os.lstat(self.directory)[1:3] == self.identity
                    and self.known() is self
                    and (self.is_local or not gocept.filestore.disk.move
                         .is_gone(self.descriptor)))
        except OSError:
            return False

    def changed(self):
        """Return when a name has come or gone, in nanoseconds.

        It is the ctime of the directory, which nobody can set.
        """
        with Naming(self.path):
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
            if (error.errno == errno.EEXIST and not self.is_local
                    and self.stat(filename) is None):
                return self.create(filename, flags, mode)
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
        if not self.is_local:
            self.look_anew(filename)
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

    def look_anew(self, filename):
        """Let nothing be outdated that is remembered of a name.

        What is local need not be asked: who changes it is this kernel.
        """
        with Naming(self.path):
            gocept.filestore.disk.move.look_anew(self.descriptor, filename)

    def stat(self, filename):
        """Return the status of what has this name, or None."""
        if not self.is_local:
            self.look_anew(filename)
        try:
            return os.stat(
                filename, dir_fd=self.descriptor, follow_symlinks=False)
        except OSError as error:
            if error.errno in GONE:
                return None
            raise self.explained(error, filename) from None

    def has_file(self, filename):
        status = self.stat(filename)
        return status is not None and stat.S_ISREG(status.st_mode)

    def is_at(self, filename, status, descriptor=None):
        """Tell whether the file of this status is here, under this name.

        For one that is open and locked, this is so even if this host takes
        another file for that of the name.
        """
        if self.is_local:
            return gocept.filestore.disk.move.is_at(
                self.descriptor, filename, status)
        return gocept.filestore.disk.move.is_still_at(
            self.descriptor, filename, status, descriptor)

    def check(self, filename, kinds=FILE):
        """Raise an error if something else lies here than such a file."""
        status = self.stat(filename)
        if status and stat.S_IFMT(status.st_mode) not in kinds:
            raise self.not_regular(filename, 'it is no regular file')

    def remove(self, filename):
        try:
            is_known = (
                os.lseek(self.descriptor, 0, os.SEEK_CUR) == self.mark)
        except OSError:
            is_known = False
        if not is_known:
            self.known()
        if not self.is_local:
            self.look_anew(filename)
        try:
            os.unlink(filename, dir_fd=self.descriptor)
        except OSError as error:
            raise self.explained(error, filename) from None

    def inode(self, filename, is_wanted=is_file):
        """Return the inode that a fresh listing gives for a name, or None."""
        for entry in self.entries(is_wanted):
            if entry.name == filename:
                return entry.inode()

    def entries(self, is_wanted=is_file):
        """Yield the entries of a fresh listing that are wanted.

        It is opened by its path: a descriptor that threads or forked
        processes share has one position for all of them.
        """
        try:
            if not self.is_local:
                yield from filter(is_wanted, self._listed())
                return
            with os.scandir(self.directory) as entries:
                yield from filter(is_wanted, entries)
        except OSError as error:
            raise self._not_listed(error) from None

    def _listed(self, scandir=os.scandir, is_again=False):
        """Return all entries.

        GlusterFS has said EIO of a directory that changed, once in some ten
        thousand listings; not again when it was asked again.
        """
        try:
            with scandir(self.directory) as entries:
                return list(entries)
        except OSError as error:
            if is_again or error.errno != errno.EIO:
                raise
            return self._listed(scandir, is_again=True)

    def names(self):
        """Return the names of a fresh listing, whatever they are of.

        Where there is next to nothing it takes half as long as `entries`.
        """
        try:
            if not self.is_local:
                return [entry.name for entry in self._listed()]
            return os.listdir(self.directory)
        except OSError as error:
            raise self._not_listed(error) from None

    def _not_listed(self, error):
        if isinstance(error, FileNotFoundError):
            return self.not_prepared()
        return OSError(error.errno, error.strerror, self.path)

    def not_prepared(self):
        return gocept.filestore.interfaces.NotPrepared(
            self.name, self.store, 'prepare() makes it')

    def move(self, filename, target, new_name, status=None):
        """Move a file into another space; never replace one.

        Both are known then, as of `known`.
        """
        try:
            are_known = (
                os.lseek(self.descriptor, 0, os.SEEK_CUR) == self.mark
                and os.lseek(target.descriptor, 0, os.SEEK_CUR) == target.mark)
        except OSError:
            are_known = False
        if not are_known:
            self.known(), target.known()
        number = gocept.filestore.disk.move.noreplace(
            self.descriptor, filename, target.descriptor, new_name)
        if number:
            self._move_otherwise(number, filename, target, new_name, status)

    def _move_otherwise(self, number, filename, target, new_name, status):
        try:
            gocept.filestore.disk.move.otherwise(
                number, self.descriptor, filename, target.descriptor, new_name,
                self.durable, status)
        except OSError as error:
            if (error.errno == errno.EEXIST and not target.is_local
                    and target.stat(new_name) is None):
                # NFS has remembered a name that has gone.
                return self.move(filename, target, new_name, status)
            raise self._not_moved(error, filename, target, new_name) from None

    def replace(self, filename, target, new_name, is_locked=False):
        """Move a file into another space, and replace one that is there.

        Claims are taken from `new`, so no file is replaced there while it is
        being taken. Both are known then, as of `known`.
        """
        self.known(), target.known()
        if not self.is_local:
            self.look_anew(filename)
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
        """Return the error of a move, with the space that is meant, or both.
        """
        if isinstance(error, FileExistsError):
            return target.explained(error, new_name)
        explained = self.explained(error, filename)
        if not isinstance(
                explained, gocept.filestore.interfaces.FileStoreError):
            explained.filename2 = target.path_of(new_name)
        return explained

    def sync_file(self, filename, sync=gocept.filestore.disk.move.sync):
        """Bring a file to the disk, if the store is durable."""
        if not self.durable:
            return
        descriptor = self.open(filename)
        try:
            try:
                sync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            tell_path(error, self.path_of(filename))
            raise

    def sync_files(self, count):
        """Bring so many files to the disk at once, where that is better.

        Return an iterator of what is left to be done with the descriptor of
        each: nothing but a question, after a first sync, with which xfs tells
        the cache of its realtime device to write, if it has one.
        """
        with Naming(self.path):
            if self.durable and gocept.filestore.disk.move.sync_all(
                    self.known().descriptor, count):
                return itertools.chain(
                    [gocept.filestore.disk.move.sync], itertools.repeat(
                        gocept.filestore.disk.move.see_written))
        return itertools.repeat(gocept.filestore.disk.move.sync)

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
        return kind(error.errno, reason(error), self.path_of(filename))

    def not_to_lock(self, error, filename):
        """Return the error for a file that can not be opened, to lock it."""
        explained = self.explained(error, filename)
        status = error.errno == errno.EACCES and self.stat(filename)
        if status and self.locking == os.O_RDWR:
            explained.strerror += NOT_WRITABLE % (
                status.st_mode & 0o7777, status.st_uid, status.st_gid)
        return explained

    def no_such_file(self, filename):
        return gocept.filestore.interfaces.NoSuchFile(
            filename, self.store, 'there is none in %r' % self.name)

    def not_alone(self, filename):
        return self.not_regular(filename, 'it has another name elsewhere')

    def not_regular(self, filename, reason):
        return gocept.filestore.interfaces.NotRegular(
            filename, self.store, '%s, in %r' % (reason, self.name))


def reason(error):
    return (error.strerror or '') + NEEDED.get(error.errno, '')


def described(error, filename=None):
    """Return one line for an error that may not tell which file it means."""
    if isinstance(error, gocept.filestore.interfaces.FileStoreError):
        return str(error)
    reason = error.strerror or str(error)
    if error.filename2 is not None:
        return '%r -> %r: %s' % (error.filename, error.filename2, reason)
    if error.filename is not None:
        filename = error.filename
    return reason if filename is None else '%r: %s' % (filename, reason)


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
