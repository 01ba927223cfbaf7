"""A directory that others drop files into, and what is hidden in it."""
import contextlib
import errno
import gocept.filestore.disk.inotify
import gocept.filestore.disk.layout
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
import gocept.filestore.disk.name
import gocept.filestore.disk.space
import gocept.filestore.disk.writing
import gocept.filestore.interfaces
import os


HIDDEN = '.filestore'
LOCK = '.lock'
MODE = 0o700  # of the hidden directory, unless the store has one


class Folder:
    """A directory that others drop files into, and what is hidden in it.

    `inside` is the directory, `parked` the hidden one, for files that nobody
    else can open by their path any more.
    """

    inside = parked = None

    def __init__(self, path, layout):
        if not os.fspath(path):
            raise ValueError('the path of a folder can not be empty')
        self.path = path
        self._directory = gocept.filestore.disk.layout.absolute(
            os.fspath(path))
        self._layout = layout
        self.watcher = gocept.filestore.disk.inotify.Watcher()

    def watch(self):
        """Watch the folder; tell whether something has come since before.

        Where others can write through another kernel, nobody tells of all.
        """
        if not self.inside.is_local:
            return True
        if self.watcher.watches(self.inside):
            return self.watcher.has_come()
        self.watcher.watch(self.parked, self.parked, self.inside, written=True)
        return True

    def lock(self):
        """Return a `Held`, or None while another process works here."""
        if not (self.inside and self.inside.is_current()
                and self.parked.is_current()):
            self._open()
        with contextlib.suppress(gocept.filestore.interfaces.NameTaken):
            os.close(
                self.parked.create(LOCK, os.O_RDONLY, self._layout.file_mode))
        held = gocept.filestore.disk.lock.hold(self.parked, LOCK)
        if held is None:
            self.parked.check(LOCK)  # nobody can lock what is no file
        return held

    def _open(self):
        self._check_outside()
        # The slash follows a link: the folder may be reached through one.
        path = os.path.join(self._directory, '')
        inside = self._space(self._directory, path)
        gocept.filestore.disk.layout.make(
            path + HIDDEN, MODE if self._layout.directory_mode is None
            else self._layout.directory_mode, self._layout.path)
        if self._layout.durable:
            gocept.filestore.disk.layout.sync(path)
        self.parked = self._space(path + HIDDEN, path + HIDDEN)
        self.inside = inside

    def _space(self, name, directory):
        return gocept.filestore.disk.space.Space(
            self._layout.path, name, directory, self._layout.durable)

    def _check_outside(self):
        new = self._layout['new']
        if is_inside(self._directory, os.stat('..', dir_fd=new.descriptor)):
            raise gocept.filestore.interfaces.InvalidSpace(
                self.path, self._layout.path,
                'it is a part of the store; files are taken from outside')

    def disk_time(self):
        """Return the time of the file system, in nanoseconds."""
        os.utime(self.parked.descriptor)
        return os.fstat(self.parked.descriptor).st_ctime_ns

    def park(self, filename):
        """Rename a file out of the folder, unless somebody writes it.

        Return what `is_written` says of it. Who opens it for writing at this
        moment waits until his path leads to it again.
        """
        gocept.filestore.disk.name.check(filename, self._layout.path)
        with (open(self.inside.open_alone(filename), 'rb') as file,
              gocept.filestore.disk.writing.kept(file.fileno()) as written):
            if not written:
                self._hide(filename)
            if written is False:
                written = gocept.filestore.disk.writing.is_awaited(
                    file.fileno()) and self.put_back(filename)
            return written

    def _hide(self, filename):
        number = gocept.filestore.disk.move.noreplace(
            self.inside.descriptor, filename, self.parked.descriptor, filename)
        if number in gocept.filestore.disk.move.UNSUPPORTED:
            number = self._rename(filename)
        if number:
            space = self.parked if number == errno.EEXIST else self.inside
            raise space.explained(
                OSError(number, os.strerror(number)), filename)

    def put_back(self, filename):
        """Give a file its path again; tell whether no newer one has it."""
        with contextlib.suppress(gocept.filestore.interfaces.NameTaken):
            self.parked.move(filename, self.inside, filename)
            return True
        return False

    def _rename(self, filename):
        """Do the same in two steps; return the error number, or 0.

        To link and unlink would lose a file that is put there in between. We
        have the lock, so nobody else puts a file to be replaced in our way.
        """
        if self.parked.stat(filename):
            return errno.EEXIST
        try:
            os.rename(filename, filename, src_dir_fd=self.inside.descriptor,
                      dst_dir_fd=self.parked.descriptor)
        except OSError as error:
            return error.errno
        return 0


def is_inside(directory, status):
    """Tell whether a directory is another one, or lies in it."""
    path = os.path.realpath(directory)
    while not os.path.samestat(os.stat(path), status):
        if path == '/':
            return False
        path = gocept.filestore.disk.layout.parent(path)
    return True
