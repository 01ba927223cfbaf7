"""Looks which files of a folder are whole, and takes them."""
import contextlib
import gocept.filestore.disk.name
import gocept.filestore.disk.process
import gocept.filestore.disk.space
import gocept.filestore.disk.writing
import gocept.filestore.intake.delivery
import gocept.filestore.intake.marker
import gocept.filestore.interfaces
import os
import stat


SHARE = 0.02  # of the time, at most, is spent with looks that nobody asks for
LITTLE = 0.003  # of it, where we are told of what happens
CHANGED = 'it has not been quiet for long enough'
WRITTEN = 'a process has it open for writing'
UNSURE = 'it can not be told whether a process has it open for writing'
TAKEN = 'an older file of its name waits'


@gocept.filestore.interfaces.implementer(gocept.filestore.interfaces.IIntake)
class Intake(gocept.filestore.disk.process.Ours):
    """Takes in what others drop into a folder, as soon as it is whole."""

    leases = changes = None
    pause = 0
    _is_watched = False

    def __init__(self, layout, folder, quiet=5, marker=None, include=('*',),
                 exclude=()):
        self.store = layout.path
        self.directory = folder.path
        self.waiting = {}
        self.refused = {}
        self._layout = layout
        self._folder = folder
        self._delivery = gocept.filestore.intake.delivery.Delivery(
            layout, folder, self._noted)
        self._marker = None if marker is None else (
            gocept.filestore.intake.marker.Marker(marker, folder))
        self._has_such_a_name = gocept.filestore.disk.name.wanted(
            include, exclude)
        self._outside = gocept.filestore.disk.writing.Quiet(quiet, layout.now)
        self._parked = gocept.filestore.disk.writing.Quiet(quiet, layout.now)
        self._now = layout.now

    def watch(self):
        self._is_watched = True

    def check(self):
        with self._naming(), self._folder.lock() or contextlib.nullcontext():
            pass  # all was made, or was there

    def take(self):
        self.pause = 0
        with self._naming():
            held = self._folder.lock()
            if held is None:
                return []
            with held:
                begin = self._now()
                is_told = self._is_watched and self._folder.watch()
                taken = self._take()
                self._rest(begin, is_told)
                return taken

    def _naming(self):
        return gocept.filestore.disk.space.Naming(os.fspath(self.directory))

    def _take(self):
        self.waiting, self.refused = {}, {}
        with self._delivery.together() as group:
            for filename, _ in in_order(self._looked_at(
                    self._entries(self._folder.parked).values())):
                self._publish(filename)
            group.flush()  # newer ones of their names are parked after that
            found = in_order(self._looked_at(self._wanted()))
            for filename, status in found:
                if self._may_be_ready(filename, status):
                    self._park(filename)
        self._parked.keep([filename for filename, reason
                           in self.waiting.items() if reason != WRITTEN])
        self._outside.keep(dict(found))
        return self._delivery.taken

    def _rest(self, begin, is_told):
        """Say when it makes sense to look again.

        Who closes a file is told of before it counts as closed.
        """
        self.changes = self._folder.watcher.notifier
        if is_told and WRITTEN in self.waiting.values():
            return
        end = min(self._outside.next_end(begin), self._parked.next_end(begin))
        now = self._now()
        share = LITTLE if self.changes else SHARE
        self.pause = max(0, min(end - now, (now - begin) / share))

    def _entries(self, space):
        return {entry.name: entry for entry in space.entries(
            lambda entry: entry.name[0] != '.')}

    def _wanted(self):
        """Yield what has such a name, and a marker if there is to be one."""
        entries = self._entries(self._folder.inside)
        for filename, entry in entries.items():
            if not self._is_wanted(filename):
                continue
            if not self._marker or self._marker.of(filename) in entries:
                yield entry
            elif not entry.is_dir(follow_symlinks=False):
                self.waiting.setdefault(
                    filename, gocept.filestore.intake.marker.MISSING)

    def _is_wanted(self, filename):
        if self._marker and filename.endswith(self._marker.suffix):
            return False
        return self._has_such_a_name(filename)

    def _looked_at(self, entries):
        """Yield names and status of what is no directory."""
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                self._note(entry.name, error)
            else:
                if not stat.S_ISDIR(status.st_mode):
                    yield entry.name, status

    def _may_be_ready(self, filename, status):
        """Tell whether a file that was listed is worth a closer look."""
        if not (self._marker or self._outside.has_passed(filename, status)):
            self.waiting.setdefault(filename, CHANGED)
        elif status.st_nlink > 1:
            self._note(filename, self._folder.inside.not_alone(filename))
        else:
            return True
        return False

    def _park(self, filename):
        """Take a file out of the folder, and publish it if it is whole."""
        with self._noted(filename):
            # It may be some time since it was listed.
            status = self._folder.inside.stat(filename)
            if status is None:
                return
            objection = self._is_not_ready(filename, status)
            if objection is None:
                is_written = self._folder.park(filename)
                self.leases = is_written is not None
                if not is_written:
                    return self._publish(filename)
                objection = WRITTEN
            self.waiting.setdefault(filename, objection)

    def _is_not_ready(self, filename, status):
        """Return a reason, or None."""
        if self._marker:
            return self._marker.objection(filename)
        return None if self._outside.has_passed(filename, status) else CHANGED

    def _publish(self, filename):
        """Publish a parked file, with others, if it is whole."""
        with self._noted(filename), open(
                self._folder.parked.open(filename), 'rb') as file:
            status = os.fstat(file.fileno())
            if self._delivery.is_done(filename, status, file.fileno()):
                return
            objection = self._is_not_whole(filename, file, status)
            if objection is None:
                if self._marker:
                    self._marker.remove(filename, status.st_ctime_ns)
                return self._delivery.deliver(filename, file)
            if objection == WRITTEN:
                self._folder.put_back(filename)
            self.waiting.setdefault(filename, objection)

    def _is_not_whole(self, filename, file, status):
        """Return a reason, or None."""
        is_written = gocept.filestore.disk.writing.is_written(file.fileno())
        self.leases = is_written is not None
        if is_written:
            return WRITTEN
        if is_written is None and not self._marker:
            # Nobody can change it by its path: who does has it open.
            if self._parked.has_changed(filename, status):
                return WRITTEN
            if not self._parked.has_passed(filename, status):
                return UNSURE
        if self._layout['new'].stat(filename):
            return TAKEN

    @contextlib.contextmanager
    def _noted(self, filename):
        """Note what is wrong with one file, so that others do not wait."""
        try:
            with gocept.filestore.disk.space.Naming(
                    self._folder.parked.path_of(filename)):
                yield
        except OSError as error:
            self._note(filename, error)

    def _note(self, filename, error):
        if isinstance(error, gocept.filestore.interfaces.WRONG_WITH_ALL):
            raise error
        if isinstance(error, gocept.filestore.interfaces.NameTaken):
            self.waiting.setdefault(filename, TAKEN)
        elif isinstance(error, BlockingIOError):  # its writer has a lease
            self.waiting.setdefault(filename, WRITTEN)
        elif not isinstance(error, FileNotFoundError):  # taken away by others
            self.refused[filename] = error.with_traceback(None)


def in_order(found):
    """Sort names and status: what was changed last comes last."""
    return sorted(found, key=lambda item: (item[1].st_ctime_ns, item[0]))
