"""A real store for one test, the clock that goes with it, and helpers."""
import contextlib
import functools
import gocept.filestore.disk.file_system
import gocept.filestore.filestore
import os
import shutil
import tempfile
import time


SHARED_MEMORY = '/dev/shm'  # shm_overview(7): a tmpfs on most of Linux


class Store(gocept.filestore.filestore.FileStore):
    """A `FileStore` that is quick to make, and gone after the test.

    Without a path it lies in a directory of its own, on a tmpfs where there
    is one. It is not durable unless it is told to be. Retries, ages, quiet
    periods and `clean` go by a clock, which `advance` lets run ahead.
    """

    def __init__(self, path=None, durable=False, **options):
        self._ahead = Clock()
        self._process = os.getpid()
        options = {'clock': self._ahead.clock, 'now': self._ahead.now,
                   **options}
        with contextlib.ExitStack() as failing:
            if path is None:
                directory = tempfile.mkdtemp(prefix='filestore-', dir=place())
                failing.callback(remove, directory)
                path = os.path.join(directory, 'store')
            super().__init__(path, durable, **options)
            self._end = failing.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()

    def __reduce__(self):
        return gocept.filestore.filestore.FileStore, self._arguments

    def advance(self, seconds):
        """Let so many seconds pass, for this store alone."""
        self._ahead.advance(seconds)

    def close(self):
        """Remove the directory, if it is our own. May be called twice.

        A forked child leaves that to its parent.
        """
        if self._process == os.getpid():
            self._end.close()


class Clock:
    """The time as it is, and some seconds more."""

    def __init__(self):
        self._seconds = 0

    def advance(self, seconds):
        if seconds < 0:
            raise ValueError('a clock is not set back, by %r' % (seconds,))
        self._seconds += seconds

    def clock(self):
        return time.time() + self._seconds

    def now(self):
        return time.monotonic() + self._seconds


def place():
    """Return a directory on a tmpfs, or None for where others go as well."""
    for directory in (tempfile.gettempdir(), SHARED_MEMORY):
        if os.access(directory, os.W_OK | os.X_OK) and is_in_memory(directory):
            return directory


@functools.cache
def is_in_memory(directory):
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        return gocept.filestore.disk.file_system.magic(
            descriptor) == gocept.filestore.disk.file_system.TMPFS
    finally:
        os.close(descriptor)


def remove(directory):
    """Remove all of it; most of it is empty, and soon gone."""
    store = os.path.join(directory, 'store')
    with contextlib.suppress(OSError):
        for name in () if os.path.islink(store) else os.listdir(store):
            remove_directory(f'{store}/{name}')
    remove_directory(store)
    remove_directory(directory)


def remove_directory(path):
    try:
        os.rmdir(path)
    except OSError:
        shutil.rmtree(path, ignore_errors=True)


def publish(store, filename, content=''):
    """Publish a file with this text, or these bytes."""
    with store.publish(
            filename, 'wb' if isinstance(content, bytes) else 'w') as file:
        file.write(content)


def names(store):
    """Return lists of names by the spaces in which they lie."""
    found = {space: list(map(os.path.basename, store.list(space)))
             for space in (*store.sub_dirs, 'work', 'failed')}
    return {space: filenames for space, filenames in found.items()
            if filenames}


def read(store, space, filename, mode='r'):
    """Return the text of a file, or its bytes with mode 'rb'.

    It is read from a copy in `tmp`, as that is all that a store allows.
    """
    if space != 'tmp':
        store.copy(filename, space, 'tmp', replace=False)
    try:
        with store.create(filename, mode.replace('r', 'r+')) as file:
            return file.read()
    finally:
        if space != 'tmp':
            store.remove(filename, 'tmp')
