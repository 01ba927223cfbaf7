"""What lies where in a store, and how long."""
import gocept.filestore.disk.layout
import gocept.filestore.disk.lock


# One that goes on while we look is met again, and counts where it was met
# last.
SPACES = gocept.filestore.disk.layout.COUNTED
LOOKS = 5  # at most; there may always be somebody new


def status(attempts, intents):
    """Return what lies where in a store."""
    layout = attempts.layout
    found = find(layout)
    moment = layout.clock()
    in_work = sorted((status.st_ctime, filename, inode) for
                     inode, (space, filename, status) in found.items()
                     if space == 'work')
    claims, due = divide(layout.get('work'), attempts, in_work)
    return {
        'store': layout.path,
        'spaces': {space: totals(space, found.values(), moment)
                   for space in SPACES},
        'claims': [{'filename': filename, 'age': age(arrival, moment),
                    'attempt': attempt, 'alive': alive}
                   for arrival, filename, attempt, alive in claims],
        'waiting': {'files': len(due),
                    'next': max(0, min(due) - moment) if due else None},
        'intents': intents.described()}


def find(layout):
    """Return space, name and status of each file, by its inode.

    One that goes round, ahead of us, is not met: so we look again, as long as
    anything moves.
    """
    found = {}
    for _ in range(LOOKS):
        changes = [look(layout.get(name), found) for name in SPACES]
        if not any(changes):
            break
    return found


def look(space, found):
    """Find files in a space; tell whether that has changed anything."""
    has_changed = False
    for entry in space.entries() if space else ():
        if found.get(entry.inode(), ())[:2] == (space.name, entry.name):
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # it has gone on, and is met there
        found[entry.inode()] = space.name, entry.name, status
        has_changed = True
    return has_changed


def totals(space, found, moment):
    """Return the numbers of one space."""
    here = [status for name, filename, status in found if name == space]
    return {
        'files': len(here),
        'bytes': sum(status.st_size for status in here),
        'oldest': age(min(status.st_ctime for status in here), moment)
        if here else None}


def age(time, moment):
    return max(0, moment - time)


def divide(work, attempts, files):
    """Divide the files of `work` in those at work and those that wait."""
    claims, due = [], []
    for arrival, filename, inode in files:
        history = attempts.history(filename, inode)
        if history.is_waiting:
            due.append(history.due)
            continue
        alive = is_alive(work, filename, inode)
        if alive is not None:
            claims.append((arrival, filename, history.attempts + 1, alive))
    return claims, due


def is_alive(work, filename, inode):
    """Tell whether a process holds a file; None if it has gone."""
    held = gocept.filestore.disk.lock.hold(work, filename)
    if held:
        held.release()
    status = work.stat(filename)
    if status is None or status.st_ino != inode:
        return None
    return held is None
