"""Whether what is done in one mount of a store is seen through another one.

This process has both, and asks in the ways in which a store asks.
"""
import fcntl
import gocept.filestore.disk.file_system
import gocept.filestore.disk.lock
import gocept.filestore.disk.probe
import gocept.filestore.doctor.entry
import gocept.filestore.doctor.finding
import gocept.filestore.retry.journal
import os
import time


ok = gocept.filestore.doctor.finding.ok
note = gocept.filestore.doctor.finding.note
problem = gocept.filestore.doctor.finding.problem
probe = gocept.filestore.disk.probe.probe
is_locked = gocept.filestore.doctor.entry.is_locked
# FUSE remembers a name for a second, and so does GlusterFS a file (md-cache,
# measured). Moves go by that; what takes longer remembers more.
AT_ONCE = 2  # seconds, at most
PATIENCE = 3500  # pauses; many a file system remembers things for 30 seconds
PAUSE = 0.01  # seconds
ELSEWHERE = 'name the path of the same store where it is mounted once more'
ALONE = 'look from another host, or at an NFS mount with nosharecache'
LOCKS = ('mount it so that locks get to the server: NFS without nolock and '
         'local_lock, SMB without nobrl, bindfs(1) with --multithreaded and '
         '--enable-lock-forwarding')
NAMES = ('mount it so that it remembers no names: NFS with vers=4.2, FUSE '
         'with entry_timeout=0 and negative_timeout=0')
SLOW = ('nothing needs to be done: it is right, and slow; CephFS asks each '
        'mds_tick_interval, 5 seconds, for what others have written')


def mount(spaces):
    """Look whether another path leads to the store through another mount."""
    one, other = spaces.together[:2], spaces.other
    if found := obstacles(other):
        yield from found
        return
    names = [space.name for space in one]
    two = [space for space in other.usable if space.name in names]
    paths = other.path, spaces.path
    is_one = os.path.samefile(*paths)
    if is_one and mounts(one) == mounts(two):
        yield problem('%r is %r, through the same mount' % paths, ELSEWHERE)
    elif len(two) < 2 or not shows(one[0], two[0]):
        yield problem('%r is another store than %r' % paths, ELSEWHERE)
    else:
        spaces.ways = (*one, two[1]), (*two, one[1])
        if is_one:
            yield note(
                'this kernel takes %r and %r for one file system, and so what '
                'it remembers is the same' % paths, ALONE)
        yield ok('%r is %r, through another mount' % paths)


def obstacles(other):
    """Return findings for what can not be used; nothing is made there."""
    return [problem(finding.sentence, ELSEWHERE)
            for finding in other.spaces() if finding.remedy] or [
            finding for finding in other.access() if finding.remedy]


def mounts(spaces):
    return [gocept.filestore.disk.file_system.mount_number(space.descriptor)
            for space in spaces]


def shows(space, other):
    """Tell whether a name is seen that nobody has looked for before."""
    with probe(space) as (name, _):
        return other.stat(name) is not None


def lock(spaces):
    """Look whether a lock keeps out who comes through the other mount."""
    for _, space, other in spaces.ways:
        with probe(space) as (name, _):
            if not is_locked(other, name):
                yield problem(
                    'a file that is locked in %r can be locked in %r as well'
                    % (space.path, other.path), LOCKS)
                return
    yield from told(
        spaces, unlocked, 'a lock is refused while it is held, and then had,',
        LOCKS)


def arrival(spaces):
    """Look whether a name is seen that was not there at the last look."""
    return told(spaces, moved, 'a file that comes is seen', NAMES)


def departure(spaces):
    """Look whether a name that has gone is gone for the other mount, too."""
    return told(spaces, lambda *args: moved(*args, is_there=False),
                'that a file has gone is seen', NAMES)


def version(spaces):
    """Look whether who has read a file reads the one that replaces it."""
    return told(spaces, replaced, 'a file that replaces one is read', NAMES)


def told(spaces, measure, what, remedy):
    """Yield findings for how long it takes from the one to the other.

    A problem is what was denied long after it was so. Who only has to wait for
    the right answer, which takes its time, is told nothing wrong.
    """
    delays = []
    for source, target, other in spaces.ways:
        denied, seen = measure(spaces, source, target, other)
        delays.append(seen)
        if seen > AT_ONCE:
            tell, cure = (note, SLOW) if denied <= AT_ONCE else (
                problem, remedy)
            yield tell('%s in %r after %.1f seconds or more' % (
                what, other.path, seen), cure)
    yield ok('%s through the other mount after %.1f ms' % (
        what, 1000 * max(delays)))


def unlocked(spaces, source, target, other):
    with probe(target) as (name, descriptor):
        gocept.filestore.disk.lock.lock(descriptor, fcntl.LOCK_UN)
        return delay(spaces, lambda: not is_locked(other, name))


def moved(spaces, source, target, other, is_there=True):
    if not is_there:
        source, target = target, source
    with probe(source, target) as (name, _):
        delay(spaces, lambda: looks(other, name) == {not is_there})
        gocept.filestore.disk.probe.rename(source, name, target)
        return delay(spaces, lambda: looks(other, name) == {is_there})


def looks(space, name):
    """Return whether a name is there, as far as each way to look tells."""
    return {space.stat(name) is not None, name in space.names()}


def replaced(spaces, source, target, other):
    with probe(target) as (name, _), probe(source, target) as (newer, _):
        write(target, name)
        delay(spaces, lambda: read(other, name) == name)
        write(source, newer)
        os.rename(newer, name, src_dir_fd=source.descriptor,
                  dst_dir_fd=target.descriptor)
        return delay(spaces, lambda: read(other, name) == newer)


def write(space, name):
    with open(space.open(name, os.O_WRONLY), 'w') as file:
        file.write(name)


def read(space, name):
    """Return what is in a file, or None if it was just replaced."""
    try:
        with open(space.open(name)) as file:
            return file.read()
    except OSError as error:
        if error.errno not in gocept.filestore.retry.journal.REPLACED:
            raise


def delay(spaces, is_so):
    """Wait until something is so.

    Return when that was asked last and the answer was no, and when it was so.
    """
    begin = time.monotonic()
    denied = 0
    for _ in range(PATIENCE):
        asked = time.monotonic() - begin
        if is_so():
            return denied, time.monotonic() - begin
        denied = asked
        spaces.sleep(PAUSE)
    return PATIENCE * PAUSE, PATIENCE * PAUSE
