import fnmatch


class Selection:
    """Tells by their names which files are looked at."""

    def __init__(self, include, exclude):
        self._include = patterns(include)
        self._exclude = patterns(exclude)

    def has(self, filename):
        return (matches(filename, self._include)
                and not matches(filename, self._exclude))


class Everything:
    """Looks at all of them."""

    def has(self, filename):
        return True


EVERYTHING = Everything()


def patterns(value):
    if isinstance(value, str):
        raise TypeError('patterns are a sequence of strings, not %r' % value)
    return tuple(value)


def matches(filename, patterns):
    return any(fnmatch.fnmatchcase(filename, pattern) for pattern in patterns)
