"""Whether and how files can be moved between the spaces."""
import contextlib
import errno
import functools
import gocept.filestore.disk.move
import gocept.filestore.disk.probe
import gocept.filestore.doctor.finding
import itertools
import os


ok = gocept.filestore.doctor.finding.ok
note = gocept.filestore.doctor.finding.note
ELSEWHERE = 'put the store on ext4, xfs, btrfs or tmpfs'
RENAME = 'renameat2(2)'
LINK = 'link(2) and unlink(2)'
RESERVE = 'symlink(2) and rename(2)'
PROTECTED = '/proc/sys/fs/protected_hardlinks'  # proc(5)


def divide(spaces):
    """Return the spaces between which files can be moved, and the others."""
    groups = []
    for space in spaces:
        for group in groups:
            if can_rename(group[0], space):
                group.append(space)
                break
        else:
            groups.append([space])
    groups.sort(key=len, reverse=True)
    return groups[0], list(itertools.chain(*groups[1:]))


def can_rename(source, target):
    with gocept.filestore.disk.probe.probe(source, target) as (name, _):
        try:
            gocept.filestore.disk.probe.rename(source, name, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return False
    return True


def device(spaces):
    """Look for spaces to or from which no file can be moved."""
    together, others = divide(spaces.usable)
    spaces.together = together
    for space in others:
        yield gocept.filestore.doctor.finding.problem(
            'no file can be moved between %r and %r: %s' % (
                together[0].path, space.path, how_apart(together[0], space)),
            'take the files out of what is mounted there, then: %s' %
            gocept.filestore.doctor.finding.command(
                'umount', *mounted(together, space)))
    yield ok('files can be moved between them')


def how_apart(one, two):
    devices = {os.fstat(space.descriptor).st_dev for space in (one, two)}
    return ('they lie on two devices' if len(devices) > 1
            else 'they are two mounts of one device')


def mounted(together, space):
    """Return what is mounted: spaces, not the directory of the store."""
    return [space.path] if space.name else [other.path for other in together]


def link(spaces):
    """Look whether a file can have two names, as the second way needs it."""
    source, target = spaces.together[:2]
    with gocept.filestore.disk.probe.probe(source, target) as (name, _):
        try:
            os.link(name, name, src_dir_fd=source.descriptor,
                    dst_dir_fd=target.descriptor)
        except OSError as error:
            yield note('no file can be given a second name', ELSEWHERE,
                       error=error)
    yield ok('a file can be given a second name')


def move(spaces):
    """Look how files can move and never replace others."""
    way = safe_way(spaces.together)
    spaces.has_links = way == LINK
    sentence = 'files are moved by %s, and never replace others' % way
    if way is None:
        yield gocept.filestore.doctor.finding.problem(
            'a file that is moved may replace another: none of %s, %s, and '
            '%s keeps from it' % (RENAME, LINK, RESERVE), ELSEWHERE)
    elif way != RENAME:
        yield note('%s; here %s can not do that' % (sentence, RENAME),
                   'if it is to be faster, %s' % ELSEWHERE)
    if way == LINK and is_protected():
        yield note(
            'files of other users, which this one may not write, are moved by '
            '%s: fs.protected_hardlinks is set' % RESERVE,
            'if they are to move like the others, let those publish with a '
            'mode that the group may write, such as 660')
    yield ok(sentence)


def safe_way(spaces):
    """Return in which way they do, or None."""
    for way, move in ((RENAME, rename), (LINK, by_link), (
            RESERVE, gocept.filestore.disk.move.by_reservation)):
        try:
            return way if never_replaces(move, spaces) else None
        except OSError as error:
            if error.errno not in gocept.filestore.disk.move.UNSUPPORTED:
                raise


def is_protected():
    """Tell whether Linux keeps users from linking files of others."""
    with contextlib.suppress(OSError), open(PROTECTED) as file:
        return int(file.read())
    return 0


def rename(source, name, target, new_name):
    number = gocept.filestore.disk.move.noreplace(source, name, target,
                                                  new_name)
    if number:
        raise OSError(number, os.strerror(number), name)


by_link = functools.partial(gocept.filestore.disk.move.by_link, durable=False)


def never_replaces(move, spaces):
    """Tell whether a move does what it says, from space to space."""
    with (gocept.filestore.disk.probe.probe(*spaces) as (name, _),
          gocept.filestore.disk.probe.probe(*spaces) as (other, _)):
        for source, target in itertools.pairwise(spaces):
            move(source.descriptor, name, target.descriptor, name)
        try:
            move(spaces[0].descriptor, other, spaces[-1].descriptor, name)
        except FileExistsError:
            return True
        return False
