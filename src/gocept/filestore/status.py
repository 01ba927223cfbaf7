"""What lies where in a store, and how long."""
import bisect
import collections
import contextlib
import fcntl
import gocept.filestore.disk.layout
import gocept.filestore.disk.lock
import gocept.filestore.disk.name
import itertools
import os.path
import stat


# One that goes on while we look is met again, and counts where that was.
SPACES = gocept.filestore.disk.layout.COUNTED
# In which files lie, and nothing that is written down about them.
PLACES = tuple(name for name in SPACES if name != 'attempts')
LOOKS = 5  # at most; there may always be somebody new
LONGEST = 1000  # characters of how a process calls itself
HOUR = 3600
# Of a hundred thousand a stat_result each would take 40 MB.
Found = collections.namedtuple('Found', 'space filename arrival size inode')


def status(attempts, intents):
    layout = attempts.layout
    found = find(layout)
    moment = layout.clock()
    in_work = sorted((file.arrival, file.filename, file.inode)
                     for file in found.values() if file.space == 'work')
    work = layout.get('work')
    claims, waiting = divide(work, attempts, in_work)
    return {
        'store': layout.path,
        'spaces': {space: totals(files, moment)
                   for space, files in by_space(found.values()).items()},
        'claims': list(claimed(work, claims, moment)),
        'waiting': {
            'files': len(waiting),
            'next': max(0, min(due for _, due in waiting) - moment)
            if waiting else None,
            'ages': ages([arrival for arrival, _ in waiting], moment)},
        'intents': intents.described()}


def find(layout):
    """Return each file that is there, as `Found`, by its inode.

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
        key, place = entry.inode(), (space.name, entry.name)
        if found.get(key, ())[:2] == place or (key, *place) in found:
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # it has gone on, and is met there
        if status.st_nlink > 1 and space.is_local:
            key = key, *place  # linked by somebody; our moves leave one name
        found[key] = Found(
            *place, status.st_ctime, status.st_size, status.st_ino)
        has_changed = True
    return has_changed


def by_space(files):
    found = {space: [] for space in SPACES}
    for file in files:
        found[file.space].append(file)
    return found


def totals(files, moment):
    arrivals = sorted(file.arrival for file in files)
    return {
        'files': len(arrivals),
        'bytes': sum(file.size for file in files),
        'oldest': age(arrivals[0], moment) if arrivals else None,
        'hour': younger(arrivals, moment, HOUR),
        'day': younger(arrivals, moment, 24 * HOUR),
        'ages': ages(arrivals, moment)}


def age(time, moment):
    return max(0, moment - time)


def younger(arrivals, moment, age):
    """Return how many, of those sorted by time, are younger than that."""
    return len(arrivals) - bisect.bisect(arrivals, moment - age)


def ages(arrivals, moment):
    """Return how many there are of each age, of those sorted by time."""
    counts = [younger(arrivals, moment, bound)
              for bound in gocept.filestore.disk.layout.AGES]
    return [count - less for less, count in itertools.pairwise(
        [0, *counts, len(arrivals)])]


def divide(work, attempts, files):
    """Divide the files of `work` in those at work and those that wait."""
    claims, waiting = [], []
    for arrival, filename, inode in files:
        history = attempts.history(filename, inode)
        if history.is_waiting:
            waiting.append((arrival, history.due))
            continue
        alive = is_alive(work, filename, inode)
        if alive is not None:
            claims.append(
                (arrival, filename, inode, history.attempts + 1, alive))
    return claims, waiting


def is_alive(work, filename, inode):
    """Tell whether a process holds a file; None if it has gone."""
    with (contextlib.suppress(FileNotFoundError),
          open(work.open(filename), 'rb', 0) as file):
        # Whoever may read it may ask so, on NFS as well.
        is_free = gocept.filestore.disk.lock.lock(
            file.fileno(), fcntl.LOCK_SH)
        status = work.stat(filename)  # it may have gone before we asked
        if status and status.st_ino == inode:
            return not is_free


def claimed(work, claims, moment,
            holders=gocept.filestore.disk.lock.holders):
    """Yield a dictionary for each claim, with who has it."""
    has_locks = any(alive for *_, alive in claims)
    processes = holders(work) if has_locks else {}
    for arrival, filename, inode, attempt, alive in claims:
        process = processes.get(inode) if alive else None
        if alive and not process and not is_alive(work, filename, inode):
            continue  # it was settled before we asked who has it
        yield {
            'filename': filename, 'age': age(arrival, moment),
            'attempt': attempt, 'alive': alive, 'process': process,
            'host': process and gocept.filestore.disk.name.HOST,
            'consumer': process and title(process)}


def title(process):
    """Return how a process calls itself, or None if it does not tell."""
    with (contextlib.suppress(OSError),
          open('/proc/%s/cmdline' % process, errors='surrogateescape',
               encoding='utf-8') as file):
        program, *words = file.read(LONGEST).strip('\0').split('\0')
        if os.path.isabs(program):  # where it lies takes the room of the rest
            program = os.path.basename(program)
        return ' '.join([program, *words]).strip() or None


def history(attempts, filename):
    """Return a dictionary for each file of a name."""
    found = {}
    for name in PLACES * 2:  # one may go back meanwhile, as for `find`
        space = attempts.layout.get(name)
        if space:
            space.check(filename)
            status = space.stat(filename)
            if status:
                found[status.st_ino] = space, status
    return [place(attempts, space, filename, status)
            for space, status in found.values()]


def place(attempts, space, filename, status):
    """Return where a file lies, and what has happened to it."""
    moment, inode = attempts.layout.clock(), status.st_ino
    _, history = attempts.found(filename, inode)
    due, alive, events = None, None, history.told()
    if space.name == 'work' and history.is_waiting:
        due = max(0, history.due - moment)
    elif space.name == 'work':
        alive = is_alive(space, filename, inode)
    elif space.name != 'failed' and history.is_of_older(status):
        events = ()
    return {
        'space': space.name,
        'bytes': status.st_size,
        'mode': stat.S_IMODE(status.st_mode),
        'age': age(status.st_ctime, moment),
        'due': due,
        'alive': alive,
        'metadata': history.metadata(status),
        'events': list(events)}
