"""Looks which files of a folder are whole, and takes them."""
import contextlib
import gocept.filestore.disk.name
import gocept.filestore.disk.space
import gocept.filestore.disk.writing
import gocept.filestore.intake.delivery
import gocept.filestore.intake.folder
import gocept.filestore.intake.marker
import gocept.filestore.interfaces
import os
import stat


CHANGED = 'it has not been quiet for long enough'
WRITTEN = 'a process has it open for writing'
UNSURE = 'it can not be told whether a process has it open for writing'
TAKEN = 'an older file of its name waits'
# Errors after which there is no point in going on with other files.
WRONG_WITH_ALL = (gocept.filestore.interfaces.NotPrepared,
                  gocept.filestore.interfaces.NotSynced)


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IIntake)
class Intake:
    """Takes over what others drop into a folder, each file when it is whole.
    """

    leases = None

    def __init__(self, layout, folder, quiet=5, marker=None, include=('*',),
                 exclude=()):
        self.directory = folder.path
        self.waiting = {}
        self.refused = {}
        self._layout = layout
        self._folder = folder
        self._delivery = gocept.filestore.intake.delivery.Delivery(
            layout, folder)
        self._marker = None
        if marker is not None:
            self._marker = gocept.filestore.intake.marker.Marker(
                marker, folder)
        self._has_such_a_name = gocept.filestore.disk.name.wanted(
            include, exclude)
        self._outside = gocept.filestore.disk.writing.Quiet(quiet, layout.now)
        self._parked = gocept.filestore.disk.writing.Quiet(quiet, layout.now)

    def take(self):
        with gocept.filestore.disk.space.Naming(os.fspath(self.directory)):
            held = self._folder.lock()
            if held is None:
                return []
            with held:
                return self._take()

    def _take(self):
        self.waiting, self.refused = {}, {}
        taken = [filename for filename, status in self._found(
            self._folder.parked) if self._publish(filename)]
        found = self._found(self._folder.inside, self._is_wanted)
        taken += [filename for filename, status in found
                  if self._park(filename)]
        self._parked.keep(self.waiting)
        self._outside.keep(dict(found))
        return taken

    def _found(self, space, is_wanted=None):
        """List what is no directory; what was changed last comes last."""
        found = []
        for filename in filter(
                is_wanted, gocept.filestore.intake.folder.names(space)):
            with self._noted(filename):
                status = space.stat(filename)
                if status and not stat.S_ISDIR(status.st_mode):
                    found.append((filename, status))
        return sorted(found, key=lambda item: (item[1].st_ctime_ns, item[0]))

    def _is_wanted(self, filename):
        if self._marker and filename.endswith(self._marker.suffix):
            return False
        return self._has_such_a_name(filename)

    def _park(self, filename):
        """Take a file out of the folder, and publish it if it is whole."""
        with self._noted(filename):
            # It may be some time since it was listed.
            status = self._folder.inside.stat(filename)
            if status is None:
                return False
            objection = self._is_not_ready(filename, status)
            if objection is None:
                self._folder.park(filename)
                return self._publish(filename)
            self.waiting.setdefault(filename, objection)
        return False

    def _is_not_ready(self, filename, status):
        """Return a reason, or None."""
        if self._marker:
            return self._marker.objection(filename)
        return None if self._outside.has_passed(filename, status) else CHANGED

    def _publish(self, filename):
        """Publish a parked file if it is whole; tell whether it was."""
        with self._noted(filename), open(
                self._folder.parked.open(filename), 'rb') as file:
            status = os.fstat(file.fileno())
            if self._delivery.is_done(filename, status):
                return False
            objection = self._is_not_whole(filename, file, status)
            if objection is None:
                if self._marker:
                    self._marker.remove(filename, status.st_ctime_ns)
                self._delivery.deliver(filename, file)
                return True
            self.waiting.setdefault(filename, objection)
        return False

    def _is_not_whole(self, filename, file, status):
        """Return a reason, or None."""
        if self._layout['new'].stat(filename):
            return TAKEN
        is_written = gocept.filestore.disk.writing.is_written(file.fileno())
        self.leases = is_written is not None
        if is_written:
            return WRITTEN
        if is_written is None and not self._marker and not (
                self._parked.has_passed(filename, status)):
            return UNSURE

    @contextlib.contextmanager
    def _noted(self, filename):
        """Note what is wrong with one file, so that others do not wait."""
        try:
            with gocept.filestore.disk.space.Naming(
                    self._folder.parked.path_of(filename)):
                yield
        except WRONG_WITH_ALL:
            raise
        except gocept.filestore.interfaces.NameTaken:
            self.waiting.setdefault(filename, TAKEN)
        except BlockingIOError:  # its writer has a lease on it
            self.waiting.setdefault(filename, WRITTEN)
        except FileNotFoundError:
            pass  # somebody has taken it away
        except OSError as error:
            self.refused[filename] = error.with_traceback(None)
