"""The events of files in `attempts`, one JSON line for each."""
import errno
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
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
    """The events of files in the space `attempts`, one JSON line for each.

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
            return events(attempts, filename)
        except OSError as error:
            if error.errno not in REPLACED:
                raise
        attempts.fresh_stat(filename)
        return events(attempts, filename)

    def names(self):
        attempts = self._layout.get('attempts')
        return [entry.name for entry in attempts.entries()] if attempts else []

    def append(self, filename, event):
        self._layout.made('attempts')
        line = json.dumps(event).encode() + b'\n'
        self._change(filename, lambda lines: [*lines, line])

    def drop(self, filename, inode):
        """Drop the events of one file of this name."""
        def others(lines):
            return [line for line in lines
                    if (parsed(line) or {}).get('inode') != inode]

        if self._layout.get('attempts') is not None:
            self._change(filename, others)

    def _change(self, filename, change):
        attempts = self._layout['attempts']
        with gocept.filestore.disk.space.Naming(attempts.path_of(filename)):
            while not self._try_to_change(attempts, filename, change):
                pass  # two processes had the first event at once

    def _try_to_change(self, attempts, filename, change):
        attempts.check(filename)
        held = gocept.filestore.disk.lock.wait(attempts, filename)
        try:
            lines = change(content(held) if held else [])
            if lines:
                self._write(filename, lines, replace=held is not None)
            elif held:
                attempts.remove(filename)
        except gocept.filestore.interfaces.NameTaken:
            return False
        finally:
            if held:
                held.release()
        return True

    def _write(self, filename, lines, replace):
        with gocept.filestore.publish.Publication(
                self._layout, filename, 'wb', replace,
                target='attempts') as file:
            file.writelines(lines)


def events(attempts, filename):
    """Return the events that a file tells, or none if it is not there."""
    try:
        descriptor = attempts.open(filename)
    except FileNotFoundError:
        return []
    with open(descriptor, 'rb') as file:
        return [event for event in map(parsed, file) if event]


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
    return event if isinstance(event, dict) and FACTS <= set(event) else None
