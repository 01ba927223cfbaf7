"""What a single thing in a space is, who has left it, and its second names."""
import collections
import contextlib
import gocept.filestore.batch.intent
import gocept.filestore.disk.lock
import gocept.filestore.disk.name
import gocept.filestore.disk.probe
import gocept.filestore.disk.writing
import gocept.filestore.retry.journal
import os
import stat


KINDS = {stat.S_IFLNK: 'link', stat.S_IFDIR: 'directory'}
# Where a move leaves a name: the one that it should have removed comes first.
ORDER = ('tmp', 'work', 'failed', 'cur', 'attempts', 'new')
CLAIMED = {'new', 'work'}


def entries(space):
    for entry in space.entries(is_wanted=None):
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # it has gone meanwhile
        yield entry.name, status


def kind(name, status):
    """Return the kind of what is no file of the store, or None."""
    if stat.S_ISREG(status.st_mode):
        return 'dot' if name[0] == '.' else None
    return KINDS.get(stat.S_IFMT(status.st_mode), 'special')


def is_left(space, name):
    """Tell whether a file was left by a process that has died."""
    held = gocept.filestore.disk.lock.hold(space, name)
    if held is None:
        return False
    with held:
        return not gocept.filestore.disk.writing.is_written(held.descriptor)


def is_left_draft(tmp, name):
    try:
        return is_left(tmp, name)
    except PermissionError:
        return True  # as far as we can tell, and it is old


def is_spoilt(attempts, name):
    """Tell whether an attempts file has lines that are no events."""
    with open(attempts.open(name), 'rb') as file:
        return None in map(gocept.filestore.retry.journal.parsed, file)


def is_unreadable(space, name):
    """Tell whether it can not be read what an intent is about to do."""
    with open(space.open(name), 'rb') as file:
        return gocept.filestore.batch.intent.parsed(file.read()) is None


class Twins:
    """Files that were met under several names: a move that was cut off."""

    def __init__(self):
        self._names = collections.defaultdict(list)

    def __bool__(self):
        return any(len(names) > 1 for names in self._names.values())

    def add(self, space, name, status):
        """Remember a name of a file that has several, here or elsewhere."""
        self._names[status.st_dev, status.st_ino].append((space, name, status))

    def left(self):
        """Yield the names that are too many, and what kind they are.

        A file that is locked is being moved, by a process that lives.
        """
        for found in self._names.values():
            names = [(space, name) for space, name, status in found
                     if space.is_at(name, status)]
            if len(names) > 1 and not is_locked(*names[0]) and (
                    gocept.filestore.disk.probe.leaves_names(names[0][0])):
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

    In one space, other than `failed`, somebody wanted several; and so he did
    where our moves give other names.
    """
    spaces = {space.name for space, _ in names}
    if len(spaces) == 1 and spaces != {'failed'}:
        return
    is_claimed = bool(spaces & CLAIMED)
    names.sort(key=lambda place: (ORDER.index(place[0].name), place[1]))
    _, filename = names.pop()
    for space, name in names:
        if not gocept.filestore.disk.name.can_become(
                name, filename, is_draft=space.name == 'tmp'):
            continue
        is_settled = is_claimed and space.name != 'tmp'
        yield 'settled' if is_settled else 'cut', os.path.join(
            space.name, name)
