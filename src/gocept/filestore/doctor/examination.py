"""One look at a store, subject by subject."""
import gocept.filestore.disk.probe
import gocept.filestore.doctor.content
import gocept.filestore.doctor.finding
import gocept.filestore.doctor.fsync
import gocept.filestore.doctor.intent
import gocept.filestore.doctor.lease
import gocept.filestore.doctor.lock
import gocept.filestore.doctor.mode
import gocept.filestore.doctor.move
import gocept.filestore.doctor.notification
import gocept.filestore.doctor.space
import itertools
import os
import time


ok = gocept.filestore.doctor.finding.ok


def examine(path, clock=time.time, sleep=time.sleep):
    """Look at a store, and yield an `IFinding` for each thing looked at.

    The subjects are, in this order: spaces, access, device, link, move,
    flock, fsync, lease, notification, modes, intents, content. Each comes at
    least once; but if there is a problem with the spaces, nothing else is
    looked at, and where we may not write, nothing is tried.

    The store may be in use meanwhile. No file of the store is changed. What
    has to be tried is tried in the spaces themselves, with files whose names
    begin with a dot, so that nobody takes them. They are removed, also after
    an error. If the process dies some may stay, for the next examination to
    find.

    `clock` returns seconds since the epoch, `sleep` waits for seconds. Raises
    `ValueError` for an empty path. An `OSError` becomes a finding.
    """
    path = os.fspath(path)
    if not path:
        raise ValueError('the path of a file store can not be empty')
    if path[0] == '-':
        path = os.path.join(os.curdir, path)  # no option, in a remedy
    return Examination(path, clock, sleep).findings()


class Examination:
    """One look at a store; each subject is a method that yields findings.

    One that is ok counts only if there is no other.
    """

    def __init__(self, path, clock, sleep):
        self._path = path
        self._sleep = sleep
        self._spaces = gocept.filestore.doctor.space.Spaces(path, clock)
        self._usable = []
        self._together = []
        self._way = None

    def findings(self):
        found = list(self._each(self.spaces))
        yield from found
        if any(finding.remedy for finding in found):
            return
        yield from self._each(self.access)
        if len(self._usable) > 1:
            yield from self._each(self.device)
        if len(self._together) > 1:
            yield from self._each(
                self.link, self.move, self.flock, self.fsync, self.lease,
                self.notification)
        if self._spaces.found:
            yield from self._each(self.modes, self.intents, self.content)

    def _each(self, *looks):
        for look in looks:
            try:
                found = list(look())
            except OSError as error:
                found = [gocept.filestore.doctor.space.unknown(
                    self._path, error)]
            for finding in [
                    finding for finding in found if finding.remedy] or found:
                finding.subject = look.__name__
                yield finding

    def spaces(self):
        yield from self._spaces.findings()
        yield ok('%r has %s' % (self._path, ', '.join(
            space.name for space in self._spaces.found)))

    def access(self):
        """Look where we can work; without that there is little to see."""
        errors = self._spaces.refused()
        for space in self._spaces.in_use():
            try:
                with gocept.filestore.disk.probe.probe(space):
                    pass
            except OSError as error:
                errors.append((space.path, error))
            else:
                self._usable.append(space)
        yield from itertools.starmap(
            gocept.filestore.doctor.space.refused, errors)
        yield ok('%r can read and write in all of them' % (
            gocept.filestore.doctor.mode.user(os.geteuid())))

    def device(self):
        self._together, others = gocept.filestore.doctor.move.divide(
            self._usable)
        yield from gocept.filestore.doctor.move.device(self._together, others)
        yield ok('files can be moved between them')

    def link(self):
        yield gocept.filestore.doctor.move.link(*self._together[:2])

    def move(self):
        self._way = gocept.filestore.doctor.move.safe_way(self._together)
        yield gocept.filestore.doctor.move.move(self._way)

    def flock(self):
        yield gocept.filestore.doctor.lock.flock(
            *self._together[:2],
            has_links=self._way == gocept.filestore.doctor.move.LINK)

    def fsync(self):
        yield from gocept.filestore.doctor.fsync.fsync(self._usable)
        yield ok('files and directories can be brought to the disk')

    def lease(self):
        yield gocept.filestore.doctor.lease.lease(self._together[1])

    def notification(self):
        yield gocept.filestore.doctor.notification.notification(
            *self._together[:2])

    def modes(self):
        spaces = self._spaces.found
        yield from gocept.filestore.doctor.mode.modes(spaces)
        yield ok('all spaces are %s' % str(
            gocept.filestore.doctor.mode.Rights.of(spaces[0])))

    def intents(self):
        yield from gocept.filestore.doctor.intent.intents(
            self._path, self._spaces)
        yield ok('no transaction was left behind')

    def content(self):
        yield from gocept.filestore.doctor.content.content(
            self._path, self._spaces, self._sleep)
        yield ok('everything in %r belongs there' % self._path)
