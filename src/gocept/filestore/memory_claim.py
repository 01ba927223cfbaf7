import gocept.filestore.claim
import gocept.filestore.draft
import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.memory_space
import gocept.filestore.name
import io
import itertools
import warnings
import zope.interface


@zope.interface.implementer(gocept.filestore.interfaces.IClaim)
class Claim:
    """A file of a store in memory that nobody else works on."""

    _file = None

    def __init__(self, spaces, attempts, filename, attempt=1):
        self._spaces = spaces
        self._attempts = attempts
        self._file = spaces.get('work', filename)
        self._file.is_held = True
        self.filename = filename
        self.attempt = attempt

    def __enter__(self):
        self.check()
        return self

    def __exit__(self, kind, error, traceback):
        try:
            if self._file is not None:
                self._settle(error)
        finally:
            self.drop()

    def __del__(self):
        if self._file is not None:
            self.drop()
            warnings.warn('dropped %r' % self, ResourceWarning, source=self)

    def __repr__(self):
        return '<%s.%s of %r, attempt %s>' % (
            type(self).__module__, type(self).__name__, self.path,
            self.attempt)

    def is_of(self, spaces):
        return self._spaces is spaces

    @property
    def path(self):
        return self._spaces.path_of('work', self.filename)

    def fileno(self):
        self.check()
        raise io.UnsupportedOperation(
            'a claim of a store in memory has no descriptor')

    def open(self, mode='r', encoding=None, errors=None, newline=None):
        if mode not in gocept.filestore.claim.MODES:
            raise ValueError('the mode to read with is one of %s, not %r' % (
                ', '.join(gocept.filestore.claim.MODES), mode))
        text = gocept.filestore.draft.text_options(
            mode, encoding, errors, newline)
        with self._spaces.lock:
            self.check()
            content = self._file.content
        return gocept.filestore.memory_space.opened(
            gocept.filestore.memory_space.Reading(content), mode, self.path,
            text)

    def finish(self, keep=True):
        self.done(keep)
        self._notify(gocept.filestore.event.Finished)

    def done(self, keep):
        """Settle it, and let others tell."""
        with self._spaces.lock:
            self.check()
            self._attempts.forget(self.filename, self._file.st_ino)
            if keep:
                self._spaces.move(self.filename, 'work', 'cur', replace=True)
            else:
                del self._spaces['work'][self.filename]
            self.drop()

    def fail(self, error):
        with self._spaces.lock:
            self.check()
            is_last = self._attempts.fail(
                self.filename, self._file.st_ino, self.attempt, error)
            if is_last:
                give_up(self._spaces, self.filename)
            self.drop()
        self._notify(gocept.filestore.event.GivenUp if is_last
                     else gocept.filestore.event.Failed, error)

    def release(self):
        with self._spaces.lock:
            self.check()
            if self.filename in self._spaces['new']:
                self._attempts.release(self.filename, self._file.st_ino)
            else:
                self._spaces.move(self.filename, 'work', 'new')
            self.drop()

    def _settle(self, error):
        if error is None:
            self.finish()
        elif isinstance(error, Exception):
            self.fail(error)
        else:
            self.release()

    def _notify(self, kind, *facts):
        gocept.filestore.event.notify(
            kind, self.filename, self._spaces.path, self.attempt, *facts)

    def check(self):
        """Raise an error if it was settled."""
        if self._file is None:
            raise self._spaces.settled(
                self.filename, 'this claim was settled before')

    def drop(self):
        """Let go and settle nothing, as if its process had died."""
        file, self._file = self._file, None
        if file is not None:
            file.is_held = False


def give_up(spaces, filename):
    """Move a file from `work` to `failed`; an older one gets a number."""
    failed = spaces['failed']
    if filename in failed:
        names = (gocept.filestore.name.backup(filename, number)
                 for number in itertools.count(1))
        name = next(name for name in names if name not in failed)
        failed[name] = failed.pop(filename)
    spaces.move(filename, 'work', 'failed')
