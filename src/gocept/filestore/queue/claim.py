"""A file that is worked on: read, finished, failed or given back.

Logged with its path, its attempt and the seconds that it took:

- error: failed, and given up, with the traceback
- warning: failed, and tried again; the first attempt with its traceback
- info: tried again because the handler has raised `Retry`
- debug: claimed, finished, released
"""
import contextlib
import gocept.filestore.disk.draft
import gocept.filestore.disk.file_system
import gocept.filestore.disk.lock
import gocept.filestore.disk.process
import gocept.filestore.disk.space
import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.retry.attempt
import gocept.filestore.retry.failed
import io
import logging
import os
import warnings
import zope.event


logger = logging.getLogger(__name__)
MODES = ('r', 'rb', 'rt')


@gocept.filestore.interfaces.implementer(gocept.filestore.interfaces.IClaim)
class Claim(gocept.filestore.disk.process.Ours):
    """A file in `work` whose lock is ours."""

    attempt = 1
    due = None  # when the next attempt is, after this one has failed
    pauses = None  # those of who goes on to claim
    given_back = 0  # how often in a row, by now
    has_failed = False
    _event = gocept.filestore.event.Claimed
    _has_events = False  # whether something is written down about it
    _is_shared = False  # whether somebody else has its descriptor

    def __init__(self, attempts, work, filename, held):
        self._layout = attempts.layout
        self._attempts = attempts
        self._work = work
        self._held = held
        self._began = self._layout.now()
        self._process = os.getpid()
        self.filename = filename

    def go_on(self, attempt=1, event=gocept.filestore.event.Claimed):
        """Go on with a file about which something is written down."""
        self.attempt, self._event = attempt, event
        self._has_events = True
        return self

    def __enter__(self):
        self.check()
        return self

    def __exit__(self, kind, error, traceback):
        try:
            if self._held is not None and self._is_ours():
                self._settle(error)  # a forked child does not
        finally:
            self.drop()

    def __del__(self, warn=warnings.warn):
        if self._held is None:
            return
        is_ours = self._is_ours()
        self.drop()
        if is_ours:
            warn('dropped %r' % self, ResourceWarning, source=self)

    def __repr__(self):
        return '<%s.%s of %r, attempt %s>' % (
            type(self).__module__, type(self).__name__, self.path,
            self.attempt)

    def tell(self):
        """Tell that it begins; without that it does not."""
        try:
            self._tell('claimed', self._event)
        except BaseException:
            self.release()
            raise

    def _is_ours(self):
        """Tell whether this process, and not its parent, has locked it.

        Nobody can at the end of the interpreter, when modules are gone.
        """
        return bool(os) and self._process == os.getpid()

    def _tell(self, outcome, kind=None):
        if logger.isEnabledFor(logging.DEBUG):
            self._log(logging.DEBUG, outcome)
        if kind is not None:
            self._notify(kind)

    def _notify(self, kind, *facts):
        gocept.filestore.event.notify(
            kind, self.filename, self._layout.path, self.attempt, *facts)

    def _log(self, level, outcome, then='', error=None):
        gocept.filestore.retry.attempt.log(
            logger, level, self, outcome, self._layout.now() - self._began,
            then, error)

    @property
    def path(self):
        return self._work.path_of(self.filename)

    def fileno(self):
        self.check()
        self._is_shared = True
        return self._held[0]

    @property
    def metadata(self):
        self.check()
        with gocept.filestore.disk.space.Naming(self.path):
            return self._attempts.metadata(self.filename, self._held[1])

    def open(self, mode='r', encoding=None, errors=None, newline=None):
        self.check()
        if mode not in MODES:
            raise ValueError('the mode to read with is one of %s, not %r'
                             % (', '.join(MODES), mode))
        text = None
        if not (encoding is errors is newline is None):
            text = gocept.filestore.disk.draft.text_options(
                mode, encoding, errors, newline)
        try:
            if self._is_shared:  # somebody else may move its position
                descriptor = self._work.known().open(self.filename)
            else:
                self._is_shared = True
                descriptor = os.dup(self._held[0])
            return open(
                descriptor, mode, io.DEFAULT_BUFFER_SIZE,
                *text or gocept.filestore.disk.draft.USUAL['b' in mode])
        except OSError as error:
            raise self._work.explained(error, self.filename) from None

    def read_bytes(self):
        self.check()
        (descriptor, status), pieces, start = self._held, [], 0
        try:
            while piece := os.pread(descriptor, max(
                    status.st_size + 1 - start, io.DEFAULT_BUFFER_SIZE),
                    start):
                pieces.append(piece)
                start += len(piece)
        except OSError as error:
            raise self._work.explained(error, self.filename) from None
        return b''.join(pieces)

    def read_text(self, encoding=None, errors=None, newline=None):
        return gocept.filestore.disk.draft.decoded(
            self.read_bytes(), encoding, errors, newline)

    def finish(self, keep=True):
        self.done(keep)
        if zope.event.subscribers or logger.isEnabledFor(logging.DEBUG):
            self._tell('finished', gocept.filestore.event.Finished)

    def done(self, keep):
        """Settle it, and let others tell."""
        self.check(is_to_end=True)
        if self.pauses:
            self.pauses.pop(self.filename, None)
        if self._has_events:
            self._settle_events(is_there=True)
        if keep:
            self._take_away(self._keep)
        else:
            if not self._work.is_local:
                self._take_away(self._stay)  # another host may have it
            try:
                self._work.remove(self.filename)
            except FileNotFoundError:
                pass  # GlusterFS says so to the process that has removed it
            if self._has_events:
                self._forget()
        (descriptor, _), self._held = self._held, None
        gocept.filestore.disk.lock.let_go(descriptor, None, keep)

    def _settle_events(self, is_there):
        with gocept.filestore.disk.space.Naming(self.path):
            self._attempts.settle(self.filename, self._inode, is_there)

    def _forget(self):
        """Drop what has come with it, now that it has gone."""
        with gocept.filestore.disk.space.Naming(self.path):
            self._attempts.forget(self.filename, self._inode)

    def fail(self, error):
        self.check(is_to_end=True)
        if self.pauses:
            self.pauses.pop(self.filename, None)
        self._has_events = self.has_failed = True
        with gocept.filestore.disk.space.Naming(self.path):
            self.due = self._attempts.fail(
                self.filename, self._inode, self.attempt, error)
            self._take_away(
                self._give_up if self.due is None else self._stay)
        self.drop()
        self._tell_failed(error)

    def _tell_failed(self, error):
        """Tell of it; of the first and the last time with the traceback.

        What was planned needs nobody's attention.
        """
        if self.due is None:
            level, then = logging.ERROR, 'given up'
            kind = gocept.filestore.event.GivenUp
        else:
            level, then = logging.WARNING, 'tried again in %s seconds' % round(
                max(0, self.due - self._layout.clock()))
            kind = gocept.filestore.event.Failed
            if isinstance(error, gocept.filestore.interfaces.Retry):
                level = logging.INFO
        is_told = level == logging.ERROR or (
            level == logging.WARNING and self.attempt == 1)
        self._log(level, 'failed', ', %s: %s' % (
            then, gocept.filestore.retry.attempt.reason(error)),
            error if is_told else None)
        self._notify(kind, error)

    def release(self):
        self.check(is_to_end=True)
        if self.pauses is not None:
            self.given_back = self.pauses.begin(self.filename)
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
        elif gocept.filestore.disk.process.is_stop(error):
            self.release()
        else:
            self.fail(error)

    def _keep(self):
        """Move the file to `cur`, in the place of an older one."""
        [cur] = self._layout.recent('cur')
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

    def _stay(self):
        if not self._work.is_at(self.filename, self._held[1]):
            raise self._work.no_such_file(self.filename)

    def _give_back(self):
        self._work.move(self.filename, self._layout['new'], self.filename)

    def _take_away(self, move):
        """Move the file out of `work`, unless somebody did so by hand."""
        self._work.known()
        try:
            move()
        except gocept.filestore.interfaces.NoSuchFile:
            self._settle_events(is_there=False)
            self.drop()
            raise

    @property
    def _inode(self):
        return self._held[1].st_ino

    def check(self, is_to_end=False,
              is_open=gocept.filestore.disk.process.is_open):
        """Raise an error for one that was settled, or is lost, or not ours."""
        held, kind = self._held, gocept.filestore.interfaces.Settled
        if held is None:
            reason = 'this claim was settled before'
        elif is_to_end and self._process != os.getpid():
            reason = 'this claim belongs to another process'
        elif not is_open(*held):
            kind = gocept.filestore.interfaces.ClaimLost
            reason = 'somebody else has closed its descriptor'
        elif is_to_end and not self._work.is_local and self._is_lost():
            kind = gocept.filestore.interfaces.ClaimLost
            reason = 'this host was cut off, and another process has it'
        else:
            return
        if kind is gocept.filestore.interfaces.ClaimLost:
            self.drop()
        raise kind(self.filename, self._layout.path, reason)

    def _is_lost(self):
        """Tell whether somebody has taken it over although we live.

        A server gives the locks of a host away that is cut off for too long.
        Who has the file keeps us from locking it again; who has had it and
        let it wait, or put it back, has written down that we have died. On
        SMB nobody can lock again what he has locked himself.
        """
        descriptor = self._held[0]
        is_held = gocept.filestore.disk.lock.lock(descriptor) or (
            gocept.filestore.disk.file_system.is_smb(descriptor))
        return not is_held or self._attempts.history(
            self.filename, self._inode).attempts >= self.attempt

    def drop(self, let_go=gocept.filestore.disk.lock.let_go):
        """Let go and settle nothing, as if this process had died."""
        held, self._held = self._held, None
        if held is not None:
            let_go(*held, has_to_unlock=self._is_ours())
