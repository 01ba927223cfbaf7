"""One look at a store, subject by subject."""
import gocept.filestore.doctor.content
import gocept.filestore.doctor.file_system
import gocept.filestore.doctor.intent
import gocept.filestore.doctor.lock
import gocept.filestore.doctor.mode
import gocept.filestore.doctor.move
import gocept.filestore.doctor.other
import gocept.filestore.doctor.space
import os
import time


# What has to be tried in the spaces between which files can be moved.
TRIED = (
    gocept.filestore.doctor.move.link, gocept.filestore.doctor.move.move,
    gocept.filestore.doctor.lock.flock,
    gocept.filestore.doctor.file_system.fsync,
    gocept.filestore.doctor.file_system.lease,
    gocept.filestore.doctor.file_system.notification)
# What is seen of that through another mount.
SEEN = (
    gocept.filestore.doctor.other.lock, gocept.filestore.doctor.other.arrival,
    gocept.filestore.doctor.other.departure,
    gocept.filestore.doctor.other.version)


def examine(path, other=None, clock=time.time, sleep=time.sleep):
    """Look at a store, and yield an `IFinding` for each thing looked at.

    The subjects are, in this order: spaces, access, device, link, move,
    flock, fsync, lease, notification, modes, intents, content. Each comes at
    least once; but if there is a problem with the spaces, nothing else is
    looked at, and where we may not write, nothing is tried.

    `other` is the path of the same store through another mount, as that of
    another host. Then mount, lock, arrival, departure, version follow: what
    is done through each of the two is looked at through the other one. If
    there is a problem with the mount, nothing else of these is looked at.

    The store may be in use meanwhile. No file of the store is changed. What
    has to be tried is tried in the spaces themselves, with files whose names
    begin with a dot, so that nobody takes them. They are removed, also after
    an error. If the process dies some may stay, for the next examination to
    find.

    `clock` returns seconds since the epoch, `sleep` waits for seconds. Raises
    `ValueError` for an empty path. An `OSError` becomes a finding.
    """
    spaces = gocept.filestore.doctor.space.Spaces(checked(path), clock, sleep)
    if other is not None:
        spaces.other = gocept.filestore.doctor.space.Spaces(
            checked(other), clock, sleep)
    return findings(spaces)


def checked(path):
    path = os.fspath(path)
    if not path:
        raise ValueError('the path of a file store can not be empty')
    if path[0] == '-':
        path = os.path.join(os.curdir, path)  # no option, in a remedy
    return path


def findings(spaces):
    found = list(each(spaces, gocept.filestore.doctor.space.Spaces.spaces))
    yield from found
    if any(finding.remedy for finding in found):
        return
    yield from each(spaces, gocept.filestore.doctor.space.Spaces.access)
    if len(spaces.usable) > 1:
        yield from each(spaces, gocept.filestore.doctor.move.device)
    if len(spaces.together) > 1:
        yield from each(spaces, *TRIED)
    if spaces.found:
        yield from each(
            spaces, gocept.filestore.doctor.mode.modes,
            gocept.filestore.doctor.intent.intents,
            gocept.filestore.doctor.content.content)
    if spaces.other and len(spaces.together) > 1:
        yield from each(spaces, gocept.filestore.doctor.other.mount)
    if spaces.ways:
        yield from each(spaces, *SEEN)


def each(spaces, *looks):
    """Yield what looks show; the name of each is its subject.

    A finding that is ok counts only if there is no other.
    """
    for look in looks:
        try:
            found = list(look(spaces))
        except OSError as error:
            found = [gocept.filestore.doctor.space.unknown(spaces.path, error)]
        for finding in [
                finding for finding in found if finding.remedy] or found:
            finding.subject = look.__name__
            yield finding
