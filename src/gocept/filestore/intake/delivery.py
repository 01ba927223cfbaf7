"""Brings files that are parked in a folder into `new`."""
import contextlib
import errno
import functools
import gocept.filestore.disk.copy
import gocept.filestore.disk.file_system
import gocept.filestore.disk.move
import gocept.filestore.disk.probe
import gocept.filestore.disk.space
import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.publish
import logging
import os
import stat


logger = logging.getLogger(__name__)


class Delivery:
    """Brings files that are parked in a folder into `new`, together.

    `noted(filename)` is a context manager that notes what is wrong with one.
    """

    def __init__(self, layout, folder, noted):
        self.layout = layout
        self.folder = folder
        self.noted = noted
        self.unsynced = {}

    @contextlib.contextmanager
    def together(self):
        """Publish what is delivered in the block, at its end at the latest."""
        self.taken, self._is_near = [], True
        with gocept.filestore.publish.Group(self.layout) as self._group:
            yield self._group

    def is_done(self, filename, status, descriptor):
        """Tell whether a file was delivered or put back before, by a move in
        two steps whose process has died in between; and do the second one.
        """
        inside = self.folder.inside
        if not inside.is_local:
            status = gocept.filestore.disk.file_system.counted(
                status, descriptor)
        if status.st_nlink < 2:
            return False
        space = gocept.filestore.disk.probe.leaves_names(inside) and (
            inside if inside.is_at(filename, status, descriptor)
            else self.layout.space_of(
                filename, status, descriptor=descriptor))
        if not space:
            raise self.folder.parked.not_alone(filename)
        space.sync()
        self.folder.parked.remove(filename)
        return True

    def deliver(self, filename, file):
        """Let a file go with the others, unless it could not be synced."""
        key = filename, os.fstat(file.fileno()).st_ino
        if key in self.unsynced:
            raise OSError(*self.unsynced[key])
        if not (self._is_near and self._set_mode(file)):
            return self._copy(filename, file)
        if self.layout.durable:
            gocept.filestore.disk.move.begin_writing(file.fileno())
        self._group.add(Parcel(self, filename, file))

    def _set_mode(self, file):
        """Give a file its mode; tell whether we may."""
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        try:
            if self.layout.file_mode not in (None, mode):
                os.fchmod(file.fileno(), self.layout.file_mode)
        except PermissionError:
            return False  # it is somebody else's; a copy is ours
        return True

    def copy_far(self, filename, file):
        """Copy what can not be moved; so most likely no file can."""
        self._is_near = False
        with self.noted(filename):
            self._copy(filename, file)

    def _copy(self, filename, file):
        mode = self.layout.file_mode
        copy = Copy(self.layout, filename, 'wb',
                    file_mode=0o600 if mode is None else mode)
        copy.delivery, copy.join = self, self._group.add
        copy.refuse = functools.partial(self.refuse, filename)
        with copy as target:
            gocept.filestore.disk.copy.copy_content(file, target)
            gocept.filestore.disk.copy.copy_facts(file, target)
            if mode is None:
                gocept.filestore.disk.copy.set_access(
                    target.fileno(), file.fileno())

    def refuse(self, filename, error):
        with self.noted(filename):
            raise error

    @contextlib.contextmanager
    def told(self, filename):
        """Count a file as taken in, if nothing goes wrong in the block."""
        with self.noted(filename):
            yield
            self.taken.append(filename)


class Parcel:
    """A parked file that is to be moved with others."""

    def __init__(self, delivery, filename, file):
        self.filename = filename
        self.space = delivery.layout['new']
        self._delivery = delivery
        self.source = delivery.folder.parked
        self.file = open(os.dup(file.fileno()), 'rb')

    def sync(self, sync):
        """Bring it to the disk; what has failed is never tried again."""
        descriptor = self.file.fileno()
        try:
            with gocept.filestore.disk.space.Naming(
                    self.source.path_of(self.filename)):
                if self.space.durable:
                    sync(descriptor)
        except gocept.filestore.interfaces.NotSynced as error:
            self._delivery.unsynced[
                self.filename, os.fstat(descriptor).st_ino] = (
                error.errno, error.strerror)
            raise

    def move(self):
        self.source.move(self.filename, self.space, self.filename)
        self.undo()

    def tell(self):
        with self._delivery.told(self.filename):
            tell(self.space, self.filename)

    def fail(self, error):
        try:
            if error.errno == errno.EXDEV:
                self._delivery.copy_far(self.filename, self.file)
            else:
                self._delivery.refuse(self.filename, error)
        finally:
            self.undo()

    def undo(self):
        # What was only read can not be lost.
        with contextlib.suppress(OSError):
            self.file.close()


class Copy(gocept.filestore.publish.Part):
    """A copy of a parked file, which goes when that is published."""

    delivery = None

    def tell(self):
        with self.delivery.told(self.filename):
            self.delivery.folder.parked.remove(self.filename)
            tell(self.space, self.filename)


def tell(space, filename):
    logger.info('%s: taken in', space.path_of(filename),
                extra=space.facts(filename))
    gocept.filestore.event.notify(
        gocept.filestore.event.Published, filename, space.store)
