"""Opens files in `tmp` for writing, locked as long as they are open."""
import contextlib
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import io
import os
import time


GRACE = 500  # pauses
ABANDONED = 36 * 60 * 60  # seconds, after which it is old; maildir(5)
# What open() is told of text, and of bytes, when nobody wants it otherwise.
USUAL = ('utf-8', None, None), (None, None, None)


def named(tmp, filename, mode, text, file_mode):
    """Open a draft whose name another process may use, too."""

    def opener(path, flags):
        return opened(tmp, filename, flags, file_mode)

    return open(tmp.path_of(filename), mode, -1,
                *text or USUAL['b' in mode], opener=opener)


def opened(tmp, filename, flags, file_mode):
    if not flags & os.O_CREAT:
        return locked(tmp, filename, tmp.open_alone(filename, flags))
    while True:
        try:
            return created(tmp, filename, flags, file_mode)
        except gocept.filestore.interfaces.NameTaken:
            if flags & os.O_EXCL:
                raise
        with contextlib.suppress(FileNotFoundError):
            if not flags & os.O_TRUNC:
                return locked(tmp, filename, tmp.open_alone(
                    filename, flags & ~os.O_CREAT))
            discard(tmp, filename)


def created(tmp, filename, flags, file_mode):
    descriptor = tmp.create(filename, flags, file_mode)
    try:
        return locked(tmp, filename, descriptor)
    except gocept.filestore.interfaces.DraftInUse:
        raise
    except OSError as error:
        remove(tmp, filename)
        raise tmp.explained(error, filename) from None


def remove(tmp, filename):
    """Remove a draft that can not be used; another error is on its way."""
    with contextlib.suppress(OSError):
        tmp.remove(filename)


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
                    tmp, filename, tmp.open(filename, tmp.locking)))
        yield


def text_options(mode, encoding, errors, newline):
    """Return what open() is told, or None if nobody wants it otherwise.

    What it would find wrong only after it has made the file is found here.
    """
    if encoding is errors is newline is None:
        return None
    open(os.devnull, 'wb' if 'b' in mode else 'w', -1,
         encoding, errors, newline).close()
    return encoding or USUAL['b' in mode][0], errors, newline


def encoded(text, encoding, errors, newline):
    """Return the bytes that open() would write for a text."""
    if isinstance(text, str) and encoding is errors is newline is None:
        return text.encode()
    content = io.BytesIO()
    file = io.TextIOWrapper(content, encoding or 'utf-8', errors, newline)
    file.write(text)
    file.flush()
    return content.getvalue()


def decoded(content, encoding, errors, newline):
    """Return the text that open() would read."""
    return io.TextIOWrapper(io.BytesIO(content), encoding or 'utf-8', errors,
                            newline).read()


def discard(tmp, filename):
    """Remove a draft that was left behind, and no other."""
    descriptor = locked(
        tmp, filename, tmp.open(filename, tmp.locking))
    try:
        tmp.remove(filename)
    finally:
        os.close(descriptor)


def locked(tmp, filename, descriptor):
    """Lock a draft, and see that it is the one which has the name."""
    try:
        if is_ours(tmp, descriptor) and tmp.is_at(
                filename, os.fstat(descriptor)):
            return descriptor
        raise gocept.filestore.interfaces.DraftInUse(
            filename, tmp.store, 'a live process is writing this draft')
    except BaseException:
        os.close(descriptor)
        raise


def is_ours(tmp, descriptor, sleep=time.sleep):
    """Lock it, and tell whether that works.

    Where a server keeps the locks, that of who has just closed a draft goes a
    moment later: after 10 ms and more on GlusterFS.
    """
    for _ in range(0 if tmp.is_local else GRACE):
        if gocept.filestore.disk.lock.lock(descriptor):
            return True
        sleep(gocept.filestore.disk.move.PAUSE)
    return gocept.filestore.disk.lock.lock(descriptor)
