"""Files with two names, left by a move that was cut off."""
import collections
import contextlib
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
import os


# Where a move leaves a name: the one that it should have removed comes first.
ORDER = ('tmp', 'work', 'failed', 'cur', 'attempts', 'new')
CLAIMED = {'new', 'work'}


class Twins:
    """Files that were met under several names: a move that was cut off.

    Of files with one name nothing is remembered.
    """

    def __init__(self):
        self._names = collections.defaultdict(list)

    def __bool__(self):
        return any(len(names) > 1 for names in self._names.values())

    def add(self, space, name, status):
        """Remember a name of a file that has several, here or elsewhere."""
        self._names[status.st_dev, status.st_ino].append(
            (space, name, status))

    def left(self):
        """Yield the names that are too many, and what kind they are.

        A file that is locked is being moved, by a process that lives.
        """
        for found in self._names.values():
            names = [(space, name) for space, name, status in found
                     if gocept.filestore.disk.move.is_at(
                         space.descriptor, name, status)]
            if len(names) > 1 and not is_locked(*names[0]):
                yield from too_many(names)


def is_locked(space, name):
    with contextlib.suppress(PermissionError):
        held = gocept.filestore.disk.lock.hold(space, name)
        if held is None:
            return True
        held.release()
    return False


def too_many(names):
    """Yield all names but the last, and whether a claim will remove them.

    In one space, other than `failed`, somebody wanted several.
    """
    spaces = {space.name for space, _ in names}
    if len(spaces) == 1 and spaces != {'failed'}:
        return
    is_claimed = bool(spaces & CLAIMED)
    for space, name in sorted(names, key=rank)[:-1]:
        is_settled = is_claimed and space.name != 'tmp'
        yield 'settled' if is_settled else 'cut', os.path.join(
            space.name, name)


def rank(place):
    space, name = place
    return ORDER.index(space.name), name
