"""What a publisher gives to a file to go with it, and whoever claims reads."""


MOST = 4000  # characters of all of it; as JSON it fits into an environment


class Announcement:
    """What comes with a file is written down before it can be seen."""

    _filename = None  # of the draft that was announced

    def __init__(self, attempts, metadata):
        self._attempts = attempts
        self._metadata = checked(metadata)

    def announce(self, filename, draft, status):
        self._attempts.announce(filename, draft, status, self._metadata)
        self._filename = filename

    def withdraw(self):
        """Take it back, if the draft has gone and did not become a file."""
        if self._filename is not None:
            self._attempts.sweep(self._filename)


def checked(metadata):
    metadata = dict(metadata)
    for item in metadata.items():
        if set(map(type, item)) != {str}:
            raise TypeError('metadata map strings to strings, not %r to %r'
                            % item)
    length = sum(map(len, (*metadata, *metadata.values())))
    if length > MOST:
        raise ValueError('metadata have %s characters at most, not %s'
                         % (MOST, length))
    return metadata
