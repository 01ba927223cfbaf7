import contextlib
import gocept.filestore.draft
import gocept.filestore.interfaces
import gocept.filestore.name
import io
import itertools
import os
import warnings
import zope.interface


@zope.interface.implementer(gocept.filestore.interfaces.IClaim)
class Claim:
    """A file in `work` whose lock is ours."""

    def __init__(self, layout, attempts, work, filename, held, attempt):
        self._layout = layout
        self._attempts = attempts
        self._work = work
        self._held = held
        self._unread = True
        self.filename = filename
        self.attempt = attempt

    def __enter__(self):
        self._check()
        return self

    def __exit__(self, kind, error, traceback):
        if self._held is None:
            return
        try:
            self._settle(error)
        finally:
            self._drop()

    def __del__(self):
        if self._held is not None:
            warnings.warn(
                'dropped %r' % self, ResourceWarning, source=self)

    def __repr__(self):
        return '<%s.%s of %r, attempt %s>' % (
            type(self).__module__, type(self).__name__, self.path,
            self.attempt)

    @property
    def path(self):
        return self._work.path_of(self.filename)

    def fileno(self):
        self._check()
        return self._held.descriptor

    def open(self, mode='r', encoding=None, errors=None, newline=None):
        self._check()
        if 'r' not in mode or '+' in mode:
            raise ValueError('the mode to read with is r or rb, not %r' % mode)
        text = gocept.filestore.draft.text_options(
            mode, encoding, errors, newline)
        return open(
            self._descriptor(), mode, io.DEFAULT_BUFFER_SIZE, *text)

    def _descriptor(self):
        """Return a descriptor whose position nobody else moves."""
        if self._unread:
            self._unread = False
            return os.dup(self._held.descriptor)
        return self._work.open(self.filename)

    def finish(self, keep=True):
        self._check()
        if keep:
            self._keep()
        else:
            self._remove()
        if self.attempt > 1:
            self._attempts.forget(self.filename, self._held.status.st_ino)
        self._let_go() if keep else self._drop()

    def _remove(self):
        try:
            self._work.remove(self.filename)
        except FileNotFoundError:
            pass  # GlusterFS says so to the process that has removed it

    def _keep(self):
        """Move to `cur`, and never replace: a done file may just go."""
        cur = self._layout['cur']
        while True:
            try:
                return self._work.move(self.filename, cur, self.filename)
            except gocept.filestore.interfaces.NameTaken:
                with contextlib.suppress(FileNotFoundError):
                    cur.remove(self.filename)

    def fail(self, error):
        self._check()
        self._attempts.add(self.filename, self._held.status.st_ino, 'failed', error)
        self._give_up(self._layout.made('failed'))
        self._let_go()

    def _give_up(self, failed):
        while True:
            try:
                return self._work.move(self.filename, failed, self.filename)
            except gocept.filestore.interfaces.NameTaken:
                self._number_older(failed)

    def _number_older(self, failed):
        for number in itertools.count(1):
            try:
                return failed.move(
                    self.filename, failed,
                    gocept.filestore.name.backup(self.filename, number))
            except FileNotFoundError:
                return
            except gocept.filestore.interfaces.NameTaken:
                continue

    def release(self):
        self._check()
        if self.attempt > 1 or not self._back_to_new():
            self._attempts.add(
                self.filename, self._held.status.st_ino, 'released')
        self._let_go()

    def _back_to_new(self):
        try:
            self._work.move(
                self.filename, self._layout['new'], self.filename)
        except gocept.filestore.interfaces.NameTaken:
            return False
        return True

    def _settle(self, error):
        if error is None:
            self.finish()
        elif isinstance(error, Exception):
            self.fail(error)
        else:
            self.release()

    def _check(self):
        if self._held is None:
            raise gocept.filestore.interfaces.Settled(
                self.filename, self._layout.path,
                'this claim was settled before')

    def _let_go(self):
        self._held.unlock()
        self._drop()

    def _drop(self):
        held, self._held = self._held, None
        if held is not None:
            held.close()
