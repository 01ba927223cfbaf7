"""Puts a whole file into a space."""
import contextlib
import gocept.filestore.disk.draft
import gocept.filestore.disk.move
import gocept.filestore.disk.name
import gocept.filestore.disk.process
import gocept.filestore.disk.space
import gocept.filestore.event
import gocept.filestore.interfaces
import logging


logger = logging.getLogger(__name__)
MODES = ('w', 'wb', 'w+', 'w+b', 'wt', 'wb+')


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IPublication)
class Publication:
    """A draft with a unique name, on its way to its own name in `new`."""

    file = _process = None

    def __init__(self, layout, filename, mode='w', replace=False,
                 text=(None, None, None), target='new', file_mode=None):
        if mode not in MODES:
            raise ValueError('the mode to publish with is one of %s, not %r'
                             % (', '.join(MODES), mode))
        self._layout = layout
        self._draft = gocept.filestore.disk.name.unique()
        self.filename = self._draft if filename is None else filename
        self._mode = mode
        self._replace = replace
        self._text = text
        self._target = target
        self._file_mode = (
            layout.file_mode if file_mode is None else file_mode)

    def __enter__(self):
        if self.file is not None:
            raise gocept.filestore.interfaces.Settled(
                self.filename, self._layout.path, 'it was published before')
        self._process = gocept.filestore.disk.process.number
        self._began = self._layout.now()
        try:
            return self._opened()
        except OSError as error:
            gocept.filestore.disk.space.tell_path(error, self._path)
            raise

    def _opened(self):
        try:
            return self._open(self._layout.recent)
        except FileNotFoundError:
            return self._open(self._layout.__getitem__)

    @property
    def _path(self):
        return f'{self._layout.path}/{self._target}/{self.filename}'

    def _open(self, find):
        self._space, self._tmp = find(self._target), find('tmp')
        self.file = gocept.filestore.disk.draft.unique(
            self._tmp, self._draft, self._mode, self._text, self._file_mode)
        return self.file

    def __exit__(self, kind, error, traceback):
        if self._process != gocept.filestore.disk.process.number:
            return  # a forked child; this is for its parent to do
        if kind is not None:
            return self._discard()
        try:
            self._publish()
        except BaseException as error:
            self._discard()
            gocept.filestore.disk.space.tell_path(error, self._path)
            raise

    def _publish(self):
        self._write_out()
        try:
            self._move()
        except FileNotFoundError:
            if self._space.is_current():
                raise
            self._space = self._layout[self._target]
            self._move()
        self._space.sync()
        if self._target == 'new':
            self._tell()

    def _tell(self):
        if logger.isEnabledFor(logging.INFO):
            logger.info('%s: published after %.3f seconds',
                        self._path, self._layout.now() - self._began)
        gocept.filestore.event.notify(
            gocept.filestore.event.Published, self.filename,
            self._layout.path)

    def _move(self):
        move = self._tmp.replace if self._replace else self._tmp.move
        move(self._draft, self._space, self.filename)

    def _write_out(self):
        if self._layout.durable and not self.file.closed:
            self.file.flush()
            gocept.filestore.disk.move.sync(self.file.fileno())
        elif self._layout.durable:
            self._tmp.sync_file(self._draft)
        self.file.close()

    def _discard(self):
        # Another error is on its way already. ValueError: the file was
        # detached from its buffer.
        with contextlib.suppress(OSError, ValueError):
            self.file.close()
        with contextlib.suppress(OSError):
            self._tmp.remove(self._draft)
