"""The events of files in `attempts`, one JSON line for each."""
import contextlib
import errno
import gocept.filestore.disk.file_system
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
import gocept.filestore.disk.name
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import gocept.filestore.publish
import json
import os


# What it may mean to read a file that another host has replaced: JuiceFS says
# EBADF, GlusterFS says ENOENT.
REPLACED = (errno.EBADF, *gocept.filestore.disk.move.GONE)
FACTS = {'event', 'time', 'inode'}  # which each event has


class Journal:
    """Reads and changes them.

    A file is never written to where it lies, but replaced, so that neither a
    crash nor a full disk can tear it. Who does so holds its lock.
    """

    def __init__(self, layout):
        self._layout = layout

    def read(self, filename):
        """Return the events of a name in order; what is none is left out."""
        attempts = self._layout.get('attempts')
        if attempts is None:
            return []
        try:
            found = events(attempts, filename)
        except OSError as error:
            if error.errno not in REPLACED:
                raise
            found = events(attempts, filename)
        return self._owned(filename, found)

    def _owned(self, filename, events):
        """Return events with the inodes that their files have by now.

        They have others in a copy of the store, but still their mtime. The
        place tells that, so that no newer file is taken for an older one.
        """
        place = self._layout.place() if events else None
        copied = [event for event in events
                  if event.get('place', place) != place]
        files = [
            *self._numbered(filename), *self._plain(filename),
            *self._drafts(copied)] if copied else ()
        for event in copied:
            event['inode'] = owner(event, files)
        return events

    def _numbered(self, filename):
        """Return the status of each file in `failed` that had this name.

        They come first: one that was given up has events in any case.
        """
        failed = self._layout.get('failed')
        found = [failed.stat(entry.name)
                 for entry in (failed.entries() if failed else ())
                 if gocept.filestore.disk.name.can_become(
                     entry.name, filename)]
        return list(filter(None, found))

    def _plain(self, filename):
        """Return the status of each file that has this name."""
        found = [space.stat(filename) for space in map(
            self._layout.get, ('work', 'new', 'failed', 'cur')) if space]
        return list(filter(None, found))

    def _drafts(self, events):
        """Return the status of each draft that was announced."""
        tmp = self._layout['tmp']
        found = [tmp.stat(event['draft']) for event in events
                 if 'metadata' in event]
        return list(filter(None, found))

    def _changed(self, filename, inode):
        """Return when a file was changed, in nanoseconds, or None."""
        for space in map(self._layout.get, ('work', 'failed', 'new')):
            status = space and space.stat(filename)
            if status and status.st_ino == inode:
                return status.st_mtime_ns

    def names(self):
        attempts = self._layout.get('attempts')
        return [entry.name for entry in attempts.entries()] if attempts else []

    def append(self, filename, event):
        event['changed'] = self._changed(filename, event['inode'])
        line = self._line(event)
        self._change(filename, lambda lines: [*lines, line])

    def announce(self, filename, event):
        """Write down the first event of a file, which is still a draft."""
        line = self._line(event)
        self._change(filename, lambda lines: [*self._others(
            filename, lines, event['inode'], event['inode']), line])

    def drop(self, filename, inode):
        """Drop the events of one file of this name."""
        self._leave_out(filename, inode, sweeps=False)

    def settle(self, filename, inode, is_there):
        """Do the same, but keep what has come with the file if it is there.

        What has come with files that have gone goes as well.
        """
        self._leave_out(
            filename, inode, inode if is_there else None, is_settled=True)

    def _line(self, event):
        self._layout.made('attempts')
        return json.dumps(
            {**event, 'place': self._layout.place()}).encode() + b'\n'

    def _leave_out(self, filename, *args, **how):
        if self._layout.get('attempts') is not None:
            self._change(filename, lambda lines: self._others(
                filename, lines, *args, **how))

    def _others(self, filename, lines, inode, there=None, sweeps=True,
                is_settled=False):
        """Return the lines of other files; what is no event stays."""
        events = list(map(parsed, lines))
        found = self._owned(filename, list(filter(None, events)))
        gone = self._gone(filename, found, there) if sweeps else ()
        return [line for line, event in zip(lines, events, strict=True)
                if not event or event['inode'] not in gone and (
                    event['inode'] != inode
                    or is_settled and 'metadata' in event)]

    def _gone(self, filename, events, there):
        """Return which inodes were announced, and are no file any more.

        One is known to be there. The others are looked for again and again,
        because files move meanwhile.
        """
        announced = [event for event in events if 'metadata' in event]
        gone = {event['inode'] for event in announced} - {there}
        for look in (lambda: self._drafts(announced),
                     *[lambda: self._plain(filename)] * 2,
                     lambda: self._numbered(filename),
                     lambda: self._plain(filename)):
            if gone:
                gone -= {status.st_ino for status in look()}
        return gone

    def _change(self, filename, change):
        attempts = self._layout['attempts']
        with gocept.filestore.disk.space.Naming(attempts.path_of(filename)):
            while not self._try_to_change(attempts, filename, change):
                pass  # two processes had the first event at once

    def _try_to_change(self, attempts, filename, change):
        attempts.check(filename)
        held = gocept.filestore.disk.lock.wait(attempts, filename)
        with held or contextlib.nullcontext(), contextlib.suppress(
                gocept.filestore.interfaces.NameTaken):
            before = content(held) if held else []
            lines = change(before)
            if lines and lines != before:
                with gocept.filestore.publish.Publication(
                        self._layout, filename, 'wb', replace=held is not None,
                        target='attempts') as file:
                    self._layout.share(file.fileno())
                    file.writelines(lines)
            elif held and not lines:
                attempts.remove(filename)
            return True
        return False


def events(attempts, filename):
    """Return the events that a file tells, or none if it is not there."""
    try:
        descriptor = attempts.open(filename)
    except FileNotFoundError:
        return []
    with (gocept.filestore.disk.space.Naming(attempts.path_of(filename)),
          open(descriptor, 'rb') as file):
        return [event for event in map(parsed, file) if event]


def drafts(attempts, filename):
    """Return the names of drafts that were to become files of a name."""
    return {event['draft'] for event in events(attempts, filename)
            if 'metadata' in event}


def content(held):
    """Return the lines of an open file, also if the last one has no end."""
    with open(os.dup(held.descriptor), 'rb') as file:
        return [line.rstrip(b'\n') + b'\n' for line in file]


def parsed(line):
    """Return an event, or None for what somebody has spoilt by hand."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and FACTS <= set(event) and (
        'metadata' not in event or is_metadata(event)) else None


def is_metadata(event):
    """Tell whether it says what a draft was given, as strings."""
    found, draft = event['metadata'], event.get('draft')
    return isinstance(found, dict) and isinstance(draft, str) and (
        not gocept.filestore.disk.name.objection(draft)
        and type(event.get('changed')) is int
        and all(isinstance(value, str) for value in found.values()))


def owner(event, files):
    """Return the inode of the file, one of some, that an event is about."""
    changed = event.get('changed')
    found = [status.st_ino for status in files if type(changed) is int and (
        gocept.filestore.disk.file_system.is_kept(
            status.st_mtime_ns, changed))]
    return found[0] if found and event['inode'] not in found else (
        event['inode'])
