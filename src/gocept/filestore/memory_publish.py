import contextlib
import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.name
import gocept.filestore.publish
import zope.interface


@zope.interface.implementer(gocept.filestore.interfaces.IPublication)
class Publication:
    """A draft of a store in memory, on its way to `new`."""

    file = None

    def __init__(self, spaces, filename, mode, replace, text):
        if mode not in gocept.filestore.publish.MODES:
            raise ValueError(
                'the mode to publish with is one of %s, not %r' % (
                    ', '.join(gocept.filestore.publish.MODES), mode))
        self._spaces = spaces
        self._draft = gocept.filestore.name.unique()
        self.filename = self._draft if filename is None else filename
        self._mode = mode
        self._replace = replace
        self._text = text

    def __enter__(self):
        if self.file is not None:
            raise self._spaces.settled(
                self.filename, 'it was published before')
        with self._spaces.lock:
            self._spaces['new']
            self.file = self._spaces.write(
                self._draft, self._spaces.add('tmp', self._draft),
                self._mode, self._text)
        return self.file

    def __exit__(self, kind, error, traceback):
        if kind is not None:
            return self._discard()
        try:
            self.file.close()
            self._publish()
        except BaseException:
            self._discard()
            raise

    def _publish(self):
        with self._spaces.lock:
            self._move()
        self.tell()

    def _move(self):
        self._spaces.move(
            self._draft, 'tmp', 'new', self._replace, self.filename)

    def tell(self):
        gocept.filestore.event.notify(
            gocept.filestore.event.Published, self.filename,
            self._spaces.path)

    def _discard(self):
        # Another error is on its way already. ValueError: the file was
        # detached from its buffer.
        with contextlib.suppress(OSError, ValueError):
            self.file.close()
        self._spaces['tmp'].pop(self._draft, None)
