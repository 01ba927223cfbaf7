"""A directory that others drop files into, and what is hidden in it."""
import contextlib
import errno
import gocept.filestore.disk.layout
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
import gocept.filestore.disk.name
import gocept.filestore.disk.space
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
        """Rename a file out of the folder, if it may go into a store."""
        self._check(filename)
        number = gocept.filestore.disk.move.noreplace(
            self.inside.descriptor, filename, self.parked.descriptor,
            filename)
        if number in gocept.filestore.disk.move.UNSUPPORTED:
            self._rename(filename)
        elif number:
            raise self._explained(number, filename)

    def _rename(self, filename):
        """Do the same where the file system can not do it in one step.

        To link and unlink would lose a file that is put there in between. We
        have the lock, so nobody else puts a file to be replaced in our way.
        """
        if self.parked.stat(filename):
            raise self._explained(errno.EEXIST, filename)
        try:
            os.rename(filename, filename, src_dir_fd=self.inside.descriptor,
                      dst_dir_fd=self.parked.descriptor)
        except OSError as error:
            raise self._explained(error.errno, filename) from None

    def _explained(self, number, filename):
        space = self.parked if number == errno.EEXIST else self.inside
        return space.explained(OSError(number, os.strerror(number)), filename)

    def _check(self, filename):
        gocept.filestore.disk.name.check(filename, self._layout.path)
        os.close(self.inside.open_alone(filename))


def is_inside(directory, status):
    """Tell whether a directory is another one, or lies in it."""
    path = os.path.realpath(directory)
    while not os.path.samestat(os.stat(path), status):
        if path == '/':
            return False
        path = gocept.filestore.disk.layout.parent(path)
    return True


def names(space):
    """List the names that are not hidden."""
    return [entry.name for entry in space.entries(is_visible)]


def is_visible(entry):
    return entry.name[0] != '.'
