"""A file that is worked on: read, finished, failed or given back."""
import contextlib
import gocept.filestore.disk.draft
import gocept.filestore.disk.space
import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.retry.failed
import io
import logging
import os
import warnings


logger = logging.getLogger(__name__)
MODES = ('r', 'rb', 'rt')


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IClaim)
class Claim:
    """A file in `work` whose lock is ours."""

    def __init__(self, attempts, work, filename, held, attempt=1,
                 has_events=False, event=gocept.filestore.event.Claimed):
        self._layout = attempts.layout
        self._attempts = attempts
        self._work = work
        self._held = held
        self._has_events = has_events
        self._is_shared = False
        self._event = event
        self._began = self._layout.now()
        self.filename = filename
        self.attempt = attempt

    def __enter__(self):
        self._check()
        return self

    def __exit__(self, kind, error, traceback):
        try:
            if self._is_open():
                self._settle(error)
        finally:
            self.drop()

    def __del__(self):
        if self._held is None:
            return
        is_ours = self._held.is_ours()
        self.drop()
        if is_ours:
            warnings.warn('dropped %r' % self, ResourceWarning, source=self)

    def _is_open(self):
        """Tell whether we are to settle this claim; a forked child is not."""
        return self._held is not None and self._held.is_ours()

    def __repr__(self):
        return '<%s.%s of %r, attempt %s>' % (
            type(self).__module__, type(self).__name__, self.path,
            self.attempt)

    def told(self):
        """Tell that it begins; without that it does not."""
        try:
            self._tell('claimed', self._event)
        except BaseException:
            self.release()
            raise
        return self

    def _tell(self, outcome, kind=None, *facts, level=logging.DEBUG):
        if logger.isEnabledFor(level):
            logger.log(level, '%s: attempt %s %s after %.3f seconds',
                       self.path, self.attempt, outcome,
                       self._layout.now() - self._began)
        if kind is not None:
            gocept.filestore.event.notify(
                kind, self.filename, self._layout.path, self.attempt, *facts)

    @property
    def path(self):
        return self._work.path_of(self.filename)

    def fileno(self):
        self._check()
        self._is_shared = True
        return self._held.descriptor

    def open(self, mode='r', encoding=None, errors=None, newline=None):
        self._check()
        if mode not in MODES:
            raise ValueError('the mode to read with is one of %s, not %r'
                             % (', '.join(MODES), mode))
        text = gocept.filestore.disk.draft.text_options(
            mode, encoding, errors, newline)
        try:
            return open(
                self._descriptor(), mode, io.DEFAULT_BUFFER_SIZE, *text)
        except OSError as error:
            raise self._work.explained(error, self.filename) from None

    def _descriptor(self):
        """Return a descriptor whose position nobody else moves."""
        if self._is_shared:
            return self._work.open(self.filename)
        self._is_shared = True
        return os.dup(self._held.descriptor)

    def finish(self, keep=True):
        self.done(keep)
        self._tell('finished', gocept.filestore.event.Finished)

    def done(self, keep):
        """Settle it, and let others tell."""
        self._check()
        if self._has_events:
            self._forget()
        if keep:
            self._take_away(self._keep)
            self.drop()
        else:
            self._remove()

    def _forget(self):
        with gocept.filestore.disk.space.Naming(self.path):
            self._attempts.forget(self.filename, self._inode)

    def _remove(self):
        try:
            self._work.remove(self.filename)
        except FileNotFoundError:
            pass  # GlusterFS says so to the process that has removed it
        held, self._held = self._held, None
        held.close()

    def fail(self, error):
        self._check()
        self._has_events = True
        with gocept.filestore.disk.space.Naming(self.path):
            is_last = self._attempts.fail(
                self.filename, self._inode, self.attempt, error)
            if is_last:
                self._take_away(self._give_up)
        self.drop()
        self._tell_failed(is_last, error)

    def _tell_failed(self, is_last, error):
        if is_last:
            self._tell('was the last one, and failed',
                       gocept.filestore.event.GivenUp, error,
                       level=logging.INFO)
        else:
            self._tell('failed', gocept.filestore.event.Failed, error)

    def release(self):
        self._check()
        with gocept.filestore.disk.space.Naming(self.path):
            try:
                self._take_away(self._give_back)
            except gocept.filestore.interfaces.NameTaken:
                self._attempts.release(self.filename, self._inode)
        self.drop()
        self._tell('released')

    def _settle(self, error):
        if error is None:
            self.finish()
        elif isinstance(error, Exception):
            self.fail(error)
        else:
            self.release()

    def _keep(self):
        """Move the file to `cur`, in the place of an older one."""
        cur = self._layout.recent('cur')
        while True:
            try:
                return self._work.move(self.filename, cur, self.filename)
            except gocept.filestore.interfaces.NameTaken:
                with contextlib.suppress(FileNotFoundError):
                    cur.remove(self.filename)
            except gocept.filestore.interfaces.NoSuchFile:
                if cur.is_current():
                    raise
                cur = self._layout['cur']

    def _give_up(self):
        gocept.filestore.retry.failed.take(
            self._layout, self._work, self.filename)

    def _give_back(self):
        self._work.move(self.filename, self._layout['new'], self.filename)

    def _take_away(self, move):
        """Move the file out of `work`, unless somebody did so by hand."""
        try:
            move()
        except gocept.filestore.interfaces.NoSuchFile:
            self._forget()
            self.drop()
            raise

    @property
    def _inode(self):
        return self._held.status.st_ino

    def _check(self):
        if self._held is None:
            raise gocept.filestore.interfaces.Settled(
                self.filename, self._layout.path,
                'this claim was settled before')

    def drop(self):
        """Let go and settle nothing, as if this process had died."""
        held, self._held = self._held, None
        if held is not None:
            held.release()
