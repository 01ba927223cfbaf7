"""Puts whole files into a space, alone or together."""
import collections
import contextlib
import errno
import fcntl
import gocept.filestore.disk.draft
import gocept.filestore.disk.move
import gocept.filestore.disk.name
import gocept.filestore.disk.process
import gocept.filestore.disk.space
import gocept.filestore.event
import gocept.filestore.interfaces
import io
import itertools
import logging
import operator
import os
import resource
import zope.event


logger = logging.getLogger(__name__)
MOST = 128  # files of a group that are open at once
LONGEST = 1  # second that the first one waits for others
# What a file says of its disk.
FULL = *gocept.filestore.disk.space.FULL, errno.EFBIG
MODES = ('w', 'wb', 'w+', 'w+b', 'wt', 'wb+')


@gocept.filestore.interfaces.described(gocept.filestore.interfaces.IWritable)
class Writable:
    """The short ways of whoever has `publish`."""

    def write_bytes(self, filename, data, replace=False, metadata=None):
        publication = self.publish(filename, 'wb', replace, metadata=metadata)
        publication.write(data)
        return publication.filename

    def write_text(self, filename, data, replace=False, encoding=None,
                   errors=None, newline=None, metadata=None):
        return self.write_bytes(
            filename, gocept.filestore.disk.draft.encoded(
                data, encoding, errors, newline), replace, metadata)


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IPublication)
class Publication(gocept.filestore.disk.process.Ours):
    """A draft with a unique name, on its way to its own name in `new`."""

    file = _process = None
    announcement = None  # of what goes with it
    _buffering = io.DEFAULT_BUFFER_SIZE

    def __init__(self, layout, filename, mode='w', replace=False,
                 text=None, target='new', file_mode=None):
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
        self._process = os.getpid()
        self._began = self._layout.now()
        try:
            try:
                return self._open(*self._layout.recent('tmp', self._target))
            except FileNotFoundError:
                return self._open(
                    self._layout['tmp'], self._layout[self._target])
        except OSError as error:
            gocept.filestore.disk.space.tell_path(error, self._path)
            raise

    @property
    def _path(self):
        return f'{self._layout.path}/{self._target}/{self.filename}'

    def _open(self, tmp, space):
        if not self._layout.is_ready:
            self._layout.make_ready()
        self._tmp, self._space = tmp, space
        mode = self._mode
        descriptor = tmp.create(
            self._draft, os.O_RDWR if '+' in mode else os.O_WRONLY,
            self._file_mode)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Who cleans may hold it for a moment.
            if not gocept.filestore.disk.move.is_refused(error, descriptor):
                os.close(descriptor)
                gocept.filestore.disk.draft.remove(tmp, self._draft)
                raise OSError(error.errno, gocept.filestore.disk.space.reason(
                    error)) from None
        self.file = file = open(
            descriptor, mode, self._buffering,
            *self._text or gocept.filestore.disk.draft.USUAL['b' in mode])
        raw = file if not self._buffering else (
            file.raw if 'b' in mode else file.buffer.raw)
        raw.name = f'{tmp.path}/{self._draft}'
        return file

    def write(self, data):
        """Publish it with these bytes."""
        self._buffering = 0
        data = memoryview(data).cast('B')
        with self as file:
            try:
                while data:
                    data = data[file.write(data):]
            except OSError as error:
                gocept.filestore.disk.space.tell_path(error, self._path)
                raise

    def __exit__(self, kind, error, traceback):
        if self._process != os.getpid():
            return self._leave()  # this is for the parent to do
        if kind is not None:
            if kind is OSError and error.errno in FULL:
                gocept.filestore.disk.space.tell_path(error, self._path)
            return self._discard()
        try:
            self._publish()
        except BaseException as error:
            self._discard()
            gocept.filestore.disk.space.tell_path(error, self._path)
            raise

    def _leave(self):
        """Let what a forked child has inherited unwritten go nowhere."""
        with (contextlib.suppress(OSError, ValueError),
              open(os.devnull, 'r+b', 0) as nowhere):
            if self._is_open():
                os.dup2(nowhere.fileno(), self.file.fileno(), False)

    def _publish(self):
        if self._layout.durable:
            self._write_out()
        self.file.close()
        if self.announcement is not None:
            self._announce()
        move = self._tmp.replace if self._replace else self._tmp.move
        try:
            move(self._draft, self._space, self.filename)
        except FileNotFoundError:
            self._move_on(move)
        if self._layout.durable:
            self._space.sync()
        if self._target == 'new' and (
                zope.event.subscribers or logger.isEnabledFor(logging.INFO)):
            self._tell()

    def _announce(self):
        status = self._tmp.known().stat(self._draft)
        if status:
            self.announcement.announce(self.filename, self._draft, status)

    def _tell(self):
        if logger.isEnabledFor(logging.INFO):
            seconds = self._layout.now() - self._began
            logger.info(
                '%s: published after %.3f seconds', self._path, seconds,
                extra=self._space.facts(self.filename, seconds=seconds))
        gocept.filestore.event.notify(
            gocept.filestore.event.Published, self.filename, self._layout.path)

    def _move_on(self, move):
        """Move it into the directory that has the path by now."""
        if self._space.is_current():
            raise
        self._space = self._layout[self._target]
        move(self._draft, self._space, self.filename)

    def _write_out(self, sync=gocept.filestore.disk.move.sync):
        self._tmp.known()
        if self._is_open():
            self.file.flush()
            sync(self.file.fileno())
        else:
            self._tmp.sync_file(self._draft, sync)

    def _begin_writing(self):
        if self._layout.durable and not self.file.closed:
            self.file.flush()
            gocept.filestore.disk.move.begin_writing(self.file.fileno())

    def _is_open(self):
        """Tell whether what has the name of the draft is open.

        A library may have put another file there, with a rename.
        """
        found = not self.file.closed and self._tmp.stat(self._draft)
        return found and gocept.filestore.disk.process.is_open(
            self.file.fileno(), found)

    def _discard(self):
        # Another error is on its way already. ValueError: the file was
        # detached from its buffer.
        with contextlib.suppress(OSError, ValueError):
            self.file.close()
        with contextlib.suppress(OSError):
            self._tmp.remove(self._draft)
            if self.announcement is not None:
                self.announcement.withdraw()


class Part(Publication):
    """A draft that is written, and then published with others."""

    join = refuse = None  # what its group says to it

    def _publish(self):
        if self._layout.durable:
            self._begin_writing()
        else:
            self.file.close()
        self.join(self)

    @property
    def source(self):
        return self._tmp

    def sync(self, sync):
        with gocept.filestore.disk.space.Naming(self._path):
            if self._layout.durable:
                self._write_out(sync)
            self.file.close()
            if self.announcement is not None:
                self._announce()

    def move(self):
        move = self._tmp.replace if self._replace else self._tmp.move
        try:
            move(self._draft, self._space, self.filename)
        except FileNotFoundError:
            self._move_on(move)
        self.space = self._space

    def tell(self):
        self._tell()

    def fail(self, error):
        self._discard()
        gocept.filestore.disk.space.tell_path(error, self._path)
        self.refuse(error)

    def undo(self):
        self._discard()


@gocept.filestore.interfaces.implementer(gocept.filestore.interfaces.IGroup)
class Group(Writable, gocept.filestore.disk.process.Ours):
    """Files that are published together, each for itself."""

    def __init__(self, layout, look=None, refuse=None, announcement=None):
        self._layout = layout
        self._announcement = announcement
        self._look = look
        self._refuse = refuse
        self._members = []
        self._most = most()
        self._process = os.getpid()

    def __enter__(self):
        self._check()
        return self

    def __exit__(self, kind, error, traceback):
        if self._process != os.getpid():
            return  # it is for the parent to do
        try:
            if kind is None:
                self.flush()
        finally:
            undo(self._members)
            self._process = None

    def publish(self, filename=None, mode='w', replace=False, encoding=None,
                errors=None, newline=None, metadata=None):
        self._check(filename)
        text = gocept.filestore.disk.draft.text_options(
            mode, encoding, errors, newline)
        if filename is not None:
            filename = gocept.filestore.disk.name.check(
                filename, self._layout.path)
        part = Part(self._layout, filename, mode, replace, text)
        part.join, part.refuse = self.add, self._refuse
        if metadata:
            part.announcement = self._announcement(metadata)
        return part

    def add(self, member):
        """Publish a member with the others, at the latest after a second."""
        self._check(member.filename)
        if not self._members:
            self._end = self._layout.now() + LONGEST
        self._members.append(member)
        if (len(self._members) >= self._most
                or self._layout.now() >= self._end):
            self.flush()

    def flush(self):
        """Bring all to the disk, and let them be seen then."""
        while self._members:
            members, self._members = self._members, []
            try:
                if self._look:
                    self._look(refused=[])
                moved = each(
                    synced(members), operator.methodcaller('move'))
                for space in {member.space for member in moved}:
                    space.sync()
                for member in moved:
                    member.tell()
            except BaseException:
                undo(members)
                raise

    def _check(self, filename=None):
        if self._process != os.getpid():
            raise gocept.filestore.interfaces.Settled(
                filename, self._layout.path, 'this group has come to its end, '
                'or belongs to another process')


def most():
    """Return how many files may be open at once."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if limit < 0 else min(MOST, max(1, limit // 8))


def synced(members):
    """Bring members to the disk; return those with which it worked."""
    members = each(members, flush)
    syncs = {}
    sources = collections.Counter(member.source for member in members)
    for source, count in sources.items():
        try:
            syncs[source] = source.sync_files(count)
        except gocept.filestore.interfaces.NotSynced:
            each(members, see_written)  # and tell whose it was, of ours
            raise
        except OSError:  # as it will be with each of them
            syncs[source] = itertools.repeat(gocept.filestore.disk.move.sync)
    return each(
        members, lambda member: member.sync(next(syncs[member.source])))


def see_written(member):
    member.sync(gocept.filestore.disk.move.see_written)


def flush(member):
    if not member.file.closed:
        member.file.flush()


def each(members, do):
    """Do something with each member; return those with which it worked."""
    done = []
    for member in members:
        try:
            do(member)
        except gocept.filestore.interfaces.WRONG_WITH_ALL:
            raise
        except OSError as error:
            member.fail(error)
        else:
            done.append(member)
    return done


def undo(members):
    for member in members:
        member.undo()
