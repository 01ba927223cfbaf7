class Quiet:
    """Tells whether files have not changed for some time."""

    def __init__(self, seconds, now):
        self._seconds = seconds
        self._now = now
        self._seen = {}

    def has_passed(self, filename, status):
        """Tell whether nothing has changed since the file was first seen."""
        look = (status.st_ino, status.st_size, status.st_mtime_ns,
                status.st_ctime_ns)
        now = self._now()
        last, since = self._seen.get(filename, (None, None))
        if look != last:
            since = now
            self._seen[filename] = look, since
        return now - since >= self._seconds

    def keep(self, filenames):
        """Forget all other files."""
        self._seen = {filename: seen for filename, seen in self._seen.items()
                      if filename in filenames}
