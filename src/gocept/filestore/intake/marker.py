"""A second file, like a.xml.done, that says that a file is ready."""
import contextlib
import gocept.filestore.disk.move
import stat
import time


MISSING = 'its marker is not there'
FUTURE = 'its marker is newer than the clock of the file system'
PATIENCE = 50  # pauses, more than the clock of any file system needs


class Marker:
    """A second file, like a.xml.done, that says that a file is ready.

    It is removed after its file was renamed. Until then it could release a
    newer file of that name, half-written. So the newer one is not looked at
    before; and a marker is older than the renaming (their ctime tells), so
    that one which somebody has put there since is known and stays. That holds
    for whoever goes on after a crash, too.
    """

    def __init__(self, suffix, folder, sleep=time.sleep):
        if not suffix or '/' in suffix:
            raise ValueError('%r can not be the suffix of a marker' % suffix)
        self.suffix = suffix
        self._folder = folder
        self._sleep = sleep

    def of(self, filename):
        return filename + self.suffix

    def objection(self, filename):
        """Return a reason why a file is not ready, or None."""
        marker = self.of(filename)
        status = self._folder.inside.stat(marker)
        if status is None:
            return MISSING
        if not stat.S_ISREG(status.st_mode):
            raise self._folder.inside.not_regular(
                marker, 'it is no regular file')
        return None if self._is_past(status.st_ctime_ns) else FUTURE

    def _is_past(self, moment):
        """Tell whether a moment has passed; wait for a tick of the clock."""
        for _ in range(PATIENCE):
            if self._folder.disk_time() > moment:
                return True
            self._sleep(gocept.filestore.disk.move.PAUSE)
        return False

    def remove(self, filename, moment):
        """Remove the marker of a file that was renamed at that moment."""
        marker = self.of(filename)
        status = self._folder.inside.stat(marker)
        if status and status.st_ctime_ns < moment:
            with contextlib.suppress(FileNotFoundError):
                self._folder.inside.remove(marker)
