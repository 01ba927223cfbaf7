"""Whether and how files can be moved between the spaces."""
import errno
import functools
import gocept.filestore.disk.move
import gocept.filestore.disk.probe
import gocept.filestore.doctor.finding
import itertools
import os


ELSEWHERE = 'put the store on ext4, xfs, btrfs or tmpfs'
RENAME = 'renameat2(2)'
LINK = 'link(2) and unlink(2)'
NO_LINKS = (errno.EPERM, *gocept.filestore.disk.move.UNSUPPORTED)


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


def device(together, others):
    """Look at the spaces to or from which no file can be moved."""
    for space in others:
        yield gocept.filestore.doctor.finding.problem(
            'no file can be moved between %r and %r: %s' % (
                together[0].path, space.path, how_apart(together[0], space)),
            'take the files out of what is mounted there, then: %s' %
            gocept.filestore.doctor.finding.command(
                'umount', *mounted(together, space)))


def how_apart(one, two):
    devices = {os.fstat(space.descriptor).st_dev for space in (one, two)}
    return ('they lie on two devices' if len(devices) > 1
            else 'they are two mounts of one device')


def mounted(together, space):
    """Return what is mounted: spaces, not the directory of the store."""
    return [space.path] if space.name else [other.path for other in together]


def link(source, target):
    """Look whether a file can have two names, as the second way needs it."""
    with gocept.filestore.disk.probe.probe(source, target) as (name, _):
        try:
            os.link(name, name, src_dir_fd=source.descriptor,
                    dst_dir_fd=target.descriptor)
        except OSError as error:
            return gocept.filestore.doctor.finding.note(
                'no file can be given a second name: %s' %
                gocept.filestore.doctor.finding.reason(error), ELSEWHERE)
    return gocept.filestore.doctor.finding.ok(
        'a file can be given a second name')


def safe_way(spaces):
    """Return how files can move and never replace others, or None."""
    for way, move, numbers in (
            (RENAME, rename, gocept.filestore.disk.move.UNSUPPORTED),
            (LINK, by_link, NO_LINKS)):
        try:
            return way if never_replaces(move, spaces) else None
        except OSError as error:
            if error.errno not in numbers:
                raise


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


def move(way):
    if way is None:
        return gocept.filestore.doctor.finding.problem(
            'a file that is moved may replace another: neither %s nor '
            '%s keeps from it' % (RENAME, LINK), ELSEWHERE)
    sentence = 'files are moved by %s, and never replace others' % way
    if way == RENAME:
        return gocept.filestore.doctor.finding.ok(sentence)
    return gocept.filestore.doctor.finding.note(
        '%s; here %s can not do that' % (sentence, RENAME),
        'if it is to be faster, %s' % ELSEWHERE)
