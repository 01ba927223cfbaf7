"""What a single thing in a space is, and who has left it."""
import gocept.filestore.batch.intent
import gocept.filestore.disk.lock
import gocept.filestore.disk.writing
import gocept.filestore.retry.journal
import stat


KINDS = {stat.S_IFLNK: 'link', stat.S_IFDIR: 'directory'}


def entries(space):
    """Yield name and status of all that lies in a space."""
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
    return any(event is None for event in events(attempts, name))


def is_unreadable(space, name):
    """Tell whether it can not be read what an intent is about to do."""
    with open(space.open(name), 'rb') as file:
        return gocept.filestore.batch.intent.parsed(file.read()) is None


def events(attempts, name):
    with open(attempts.open(name), 'rb') as file:
        yield from map(gocept.filestore.retry.journal.parsed, file)


def inodes(attempts, name):
    """Return of which files an attempts file tells."""
    found = [event['inode'] for event in events(attempts, name) if event]
    return [inode for inode in found if isinstance(inode, int)]
