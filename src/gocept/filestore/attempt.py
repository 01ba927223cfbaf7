import contextlib
import datetime
import gocept.filestore.interfaces
import gocept.filestore.name
import json
import os
import traceback


FACTS = {'event', 'inode'}  # which each event has


class Attempts:
    """What went wrong with the files of a store, one JSON line per event.

    A file in `failed` and a newer one of its name have one attempts file.
    The inode tells their events apart; no move changes it.
    """

    def __init__(self, layout, file_mode):
        self._layout = layout
        self._file_mode = file_mode

    def events(self, filename, inode):
        """Return the events of a file since it was published, in order.

        Given up, a file may have been put back by hand; finished, its inode
        may be that of another one.
        """
        result = []
        for event in self._read(filename):
            if event['inode'] == inode:
                end = event['event'] in ('failed', 'finished')
                result = [] if end else result + [event]
        return result

    def number(self, filename, inode):
        """Return the number of the next attempt."""
        return 1 + sum(event['event'] == 'died'
                       for event in self.events(filename, inode))

    def resume(self, filename, inode):
        """Write down that a file found in `work` is taken over.

        Return the number of the attempt that begins. If the file was not
        given back, then its process has died.
        """
        events = self.events(filename, inode)
        released = events and events[-1]['event'] == 'released'
        self.add(filename, inode, 'resumed' if released else 'died')
        return self.number(filename, inode)

    def add(self, filename, inode, event, error=None, now=None):
        record = {
            'event': event,
            'time': (now or datetime.datetime.now(datetime.UTC)).isoformat(),
            'host': gocept.filestore.name.HOST,
            'process': os.getpid(),
            'inode': inode,
            **described(error)}
        self._append(filename, json.dumps(record))

    def forget(self, filename, inode):
        """Drop the events of a file that is done."""
        if any(event['inode'] != inode for event in self._read(filename)):
            return self.add(filename, inode, 'finished')
        attempts = self._layout.get('attempts')
        if attempts is not None:
            with contextlib.suppress(FileNotFoundError):
                attempts.remove(filename)

    def _read(self, filename):
        attempts = self._layout.get('attempts')
        if attempts is None or not attempts.stat(filename):
            return
        with open(attempts.open(filename), 'rb') as lines:
            yield from filter(None, map(parsed, lines))

    def _append(self, filename, line):
        attempts = self._layout.made('attempts')
        with open(self._open(attempts, filename), 'r+b') as lines:
            if is_torn(lines):
                line = '\n' + line
            lines.write(line.encode() + b'\n')
            lines.flush()
            if self._layout.durable:
                os.fsync(lines.fileno())
        attempts.sync()

    def _open(self, attempts, filename):
        flags = os.O_RDWR | os.O_APPEND
        try:
            return attempts.create(filename, flags, self._file_mode)
        except gocept.filestore.interfaces.NameTaken:
            return attempts.open(filename, flags)


def described(error):
    if not isinstance(error, BaseException):
        return {} if error is None else {'error': str(error)}
    return {
        'error': '%s: %s' % (type(error).__name__, error),
        'traceback': ''.join(traceback.format_exception(error))}


def parsed(line):
    """Return an event, or None if a full disk or a power cut tore the line."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and FACTS <= set(event) else None


def is_torn(lines):
    """Tell whether the last line has no end; leave the position there."""
    size = lines.seek(0, os.SEEK_END)
    if not size:
        return False
    lines.seek(size - 1)
    return lines.read(1) != b'\n'
