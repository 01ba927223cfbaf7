import gocept.filestore.attempt
import json


class Attempts(gocept.filestore.attempt.Attempts):
    """What went wrong with the files of a store in memory."""

    def __init__(self, spaces, policy):
        super().__init__(None, None, policy, spaces.now)
        self._journal = Journal(spaces)


class Journal:
    """The events of files, in the form which they have on a disk."""

    def __init__(self, spaces):
        self._spaces = spaces

    def read(self, filename):
        return list(map(json.loads, self._lines(filename)))

    def names(self):
        return list(self._spaces['attempts'])

    def append(self, filename, event):
        line = json.dumps(event).encode() + b'\n'
        self._write(filename, [*self._lines(filename), line])

    def drop(self, filename, inode):
        self._write(filename, [
            line for line in self._lines(filename)
            if json.loads(line)['inode'] != inode])

    def _lines(self, filename):
        file = self._spaces['attempts'].get(filename)
        return file.content.splitlines(keepends=True) if file else []

    def _write(self, filename, lines):
        if lines:
            self._spaces.add(
                'attempts', filename, b''.join(lines), replace=True)
        else:
            self._spaces['attempts'].pop(filename, None)
