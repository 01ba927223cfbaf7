"""The files of a space, by pages, those first that came first."""
import contextlib
import gocept.filestore.disk.name
import operator


PAGE = 100  # files
SPACES = {'new': 'waiting', 'work': 'in work', 'failed': 'given up',
          'cur': 'done', 'tmp': 'drafts'}


def listed(layout, space, pattern, number):
    """Return the files of a page, and how many there are on all pages.

    A file is a dictionary: filename, bytes, age. The names contain the
    pattern, or are like it if it has a wildcard of the shell.
    """
    layout.check(space, SPACES)
    found, moment = [], layout.clock()
    is_wanted = wanted(pattern)
    place = layout.get(space)
    for entry in place.entries() if place else ():
        if is_wanted(entry.name):
            with contextlib.suppress(OSError):  # it has gone on
                status = entry.stat(follow_symlinks=False)
                found.append((status.st_ctime, entry.name, status.st_size))
    found.sort(key=operator.itemgetter(0, 1))
    first = PAGE * (number - 1)
    return [{'filename': name, 'bytes': size, 'age': max(0, moment - arrival)}
            for arrival, name, size in found[first:first + PAGE]], len(found)


def wanted(pattern):
    if not any(sign in pattern for sign in '*?['):
        return lambda name: pattern in name
    return gocept.filestore.disk.name.wanted([pattern], [])


def pages(number, total):
    """Return the numbers of the page before, and after, or None."""
    last = max(1, -(-total // PAGE))
    return (number - 1 if number > 1 else None,
            number + 1 if number < last else None)
