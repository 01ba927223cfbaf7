"""Opens files in `tmp` for writing, locked as long as they are open."""
import contextlib
import gocept.filestore.disk.lock
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import io
import os


ABANDONED = 36 * 60 * 60  # seconds, after which it is old; maildir(5)


def unique(tmp, filename, mode, text, file_mode):
    """Open a draft whose name nobody else has."""
    descriptor = tmp.create(
        filename, os.O_RDWR if '+' in mode else os.O_WRONLY, file_mode)
    gocept.filestore.disk.lock.lock(descriptor)
    file = open(descriptor, mode, io.DEFAULT_BUFFER_SIZE, *text)
    raw = file.raw if 'b' in mode else file.buffer.raw
    raw.name = tmp.path_of(filename)
    return file


def named(tmp, filename, mode, text, file_mode):
    """Open a draft whose name another process may use, too."""

    def opener(path, flags):
        return locked(tmp, filename, opened(tmp, filename, flags, file_mode))

    return open(tmp.path_of(filename), mode, -1, *text, opener=opener)


def opened(tmp, filename, flags, file_mode):
    if not flags & os.O_CREAT:
        return tmp.open_alone(filename, flags)
    while True:
        try:
            return tmp.create(filename, flags, file_mode)
        except gocept.filestore.interfaces.NameTaken:
            if flags & os.O_EXCL:
                raise
        with contextlib.suppress(FileNotFoundError):
            if not flags & os.O_TRUNC:
                return tmp.open_alone(filename, flags & ~os.O_CREAT)
            discard(tmp, filename)


@contextlib.contextmanager
def left(filename, *spaces):
    """Hold the draft of this name, if one of the spaces has drafts.

    Raise `DraftInUse` while somebody is writing it. Other errors tell the
    path in the last space.
    """
    with (gocept.filestore.disk.space.Naming(spaces[-1].path_of(filename)),
          contextlib.ExitStack() as drafts):
        for tmp in set(spaces):
            if tmp.name == 'tmp' and tmp.has_file(filename):
                drafts.callback(os.close, locked(
                    tmp, filename, tmp.open(filename)))
        yield


def text_options(mode, encoding, errors, newline):
    """Check what open() would find wrong only after it has made the file."""
    if (encoding, errors, newline) != (None, None, None):
        open(os.devnull, 'wb' if 'b' in mode else 'w', -1,
             encoding, errors, newline).close()
    if 'b' not in mode:
        encoding = encoding or 'utf-8'
    return encoding, errors, newline


def discard(tmp, filename):
    """Remove a draft that was left behind, and no other."""
    descriptor = locked(tmp, filename, tmp.open(filename))
    try:
        tmp.remove(filename)
    finally:
        os.close(descriptor)


def locked(tmp, filename, descriptor):
    """Lock a draft, and see that it is the one which has the name."""
    try:
        found = gocept.filestore.disk.lock.lock(descriptor) and tmp.stat(
            filename)
        if found and os.path.samestat(found, os.fstat(descriptor)):
            return descriptor
        raise gocept.filestore.interfaces.DraftInUse(
            filename, tmp.store, 'a live process is writing this draft')
    except BaseException:
        os.close(descriptor)
        raise
