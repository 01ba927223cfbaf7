"""Brings files that are parked in a folder into `new`."""
import errno
import gocept.filestore.disk.copy
import gocept.filestore.disk.move
import gocept.filestore.disk.space
import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.publish
import logging
import os
import shutil
import stat


logger = logging.getLogger(__name__)


class Delivery:
    """Brings files that are parked in a folder into `new`."""

    def __init__(self, layout, folder):
        self._layout = layout
        self._folder = folder
        self._unsynced = {}

    def is_done(self, filename, status):
        """Tell whether a file was delivered before, by a move in two steps
        whose process has died in between; and do the second one.
        """
        if status.st_nlink < 2:
            return False
        space = self._layout.space_of(filename, status)
        if space is None:
            raise self._folder.parked.not_alone(filename)
        space.sync()
        self._folder.parked.remove(filename)
        return True

    def deliver(self, filename, file):
        if not (self._set_mode(file) and self._move(filename, file)):
            self._copy(filename, file)

    def _set_mode(self, file):
        """Give a file its mode; tell whether we may."""
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        try:
            if self._layout.file_mode not in (None, mode):
                os.fchmod(file.fileno(), self._layout.file_mode)
        except PermissionError:
            return False  # it is somebody else's; a copy is ours
        return True

    def _move(self, filename, file):
        """Move a file; tell whether it can be moved there."""
        self._sync(filename, file)
        new = self._layout['new']
        try:
            self._folder.parked.move(filename, new, filename)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return False
        with gocept.filestore.disk.space.Naming(new.path):
            new.sync()
        logger.info('%s: taken in', new.path_of(filename))
        gocept.filestore.event.notify(
            gocept.filestore.event.Published, filename, self._layout.path)
        return True

    def _sync(self, filename, file):
        """Bring a file to the disk; what has failed is never tried again."""
        key = filename, os.fstat(file.fileno()).st_ino
        if key in self._unsynced:
            raise OSError(*self._unsynced[key])
        try:
            if self._layout.durable:
                gocept.filestore.disk.move.sync(file.fileno())
        except gocept.filestore.interfaces.NotSynced as error:
            self._unsynced[key] = error.errno, error.strerror
            raise

    def _copy(self, filename, file):
        mode = self._layout.file_mode
        publication = gocept.filestore.publish.Publication(
            self._layout, filename, 'wb',
            file_mode=0o600 if mode is None else mode)
        with publication as target:
            shutil.copyfileobj(file, target)
            if mode is None:
                gocept.filestore.disk.copy.set_access(
                    target.fileno(), file.fileno())
        self._folder.parked.remove(filename)
