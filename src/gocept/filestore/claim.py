import contextlib
import gocept.filestore.draft
import gocept.filestore.interfaces
import gocept.filestore.name
import io
import os
import warnings
import zope.interface


MODES = ('r', 'rb', 'rt')


@zope.interface.implementer(gocept.filestore.interfaces.IClaim)
class Claim:
    """A file in `work` whose lock is ours."""

    def __init__(self, layout, attempts, work, filename, held, attempt=1,
                 has_events=False):
        self._layout = layout
        self._attempts = attempts
        self._work = work
        self._held = held
        self._has_events = has_events
        self._is_shared = False
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
            self._let_go()

    def __del__(self):
        is_open = self._is_open()
        self._let_go()
        if is_open:
            warnings.warn('dropped %r' % self, ResourceWarning, source=self)

    def _is_open(self):
        """Tell whether we are to settle this claim; a forked child is not."""
        return self._held is not None and self._held.is_ours()

    def __repr__(self):
        return '<%s.%s of %r, attempt %s>' % (
            type(self).__module__, type(self).__name__, self.path,
            self.attempt)

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
        text = gocept.filestore.draft.text_options(
            mode, encoding, errors, newline)
        return open(
            self._descriptor(), mode, io.DEFAULT_BUFFER_SIZE, *text)

    def _descriptor(self):
        """Return a descriptor whose position nobody else moves."""
        if self._is_shared:
            return self._work.open(self.filename)
        self._is_shared = True
        return os.dup(self._held.descriptor)

    def finish(self, keep=True):
        self._check()
        if self._has_events:
            self._attempts.forget(self.filename, self._inode)
        if keep:
            self._move(self._layout['cur'], self._remove_older)
            self._let_go()
        else:
            self._remove()

    def _remove(self):
        held, self._held = self._held, None
        try:
            self._work.remove(self.filename)
        except FileNotFoundError:
            pass  # GlusterFS says so to the process that has removed it
        held.close()

    def _remove_older(self, cur):
        with contextlib.suppress(FileNotFoundError):
            cur.remove(self.filename)

    def fail(self, error):
        self._check()
        failed = self._layout.made('failed')
        self._attempts.add(self.filename, self._inode, 'failed', error)
        self._move(failed, self._number_older)
        self._let_go()

    def _number_older(self, failed):
        number, done = 0, False
        while not done:
            number += 1
            done = self._number(failed, gocept.filestore.name.backup(
                self.filename, number))

    def _number(self, failed, backup):
        """Give the older file a number; tell whether its name is free now."""
        with contextlib.suppress(FileNotFoundError):
            try:
                failed.move(self.filename, failed, backup)
            except gocept.filestore.interfaces.NameTaken:
                if not failed.has_twins(self.filename, backup):
                    return False
                failed.remove(self.filename)
        return True

    def release(self):
        self._check()
        try:
            self._move(self._layout['new'])
        except gocept.filestore.interfaces.NameTaken:
            self._attempts.add(self.filename, self._inode, 'released')
        self._let_go()

    def _settle(self, error):
        if error is None:
            self.finish()
        elif isinstance(error, Exception):
            self.fail(error)
        else:
            self.release()

    def _move(self, space, make_room=None):
        """Move the file, and never replace; make room if there is none."""
        while True:
            try:
                return self._work.move(self.filename, space, self.filename)
            except gocept.filestore.interfaces.NameTaken:
                if make_room is None:
                    raise
                make_room(space)
            except gocept.filestore.interfaces.NoSuchFile:
                self._forsake()
                raise

    def _forsake(self):
        """Somebody has taken the file away by hand."""
        self._attempts.forget(self.filename, self._inode)
        self._let_go()

    @property
    def _inode(self):
        return self._held.status.st_ino

    def _check(self):
        if self._held is None:
            raise gocept.filestore.interfaces.Settled(
                self.filename, self._layout.path,
                'this claim was settled before')

    def _let_go(self):
        held, self._held = self._held, None
        if held is not None:
            held.release()
