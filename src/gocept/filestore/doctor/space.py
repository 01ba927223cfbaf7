"""Whether the directories of a store are there, and what lets us in."""
import copy
import errno
import gocept.filestore.disk.layout
import gocept.filestore.disk.space
import gocept.filestore.doctor.finding
import gocept.filestore.doctor.mode
import gocept.filestore.interfaces
import os


PREPARED = gocept.filestore.disk.layout.PREPARED
ALL = gocept.filestore.disk.layout.ALL
FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EACCES, errno.EPERM)


class Spaces:
    """The directories of a store, held open as far as they are there."""

    def __init__(self, path, clock):
        self._path = path
        self.layout = gocept.filestore.disk.layout.Layout(path, clock=clock)
        self.errors = {}
        # The directory of the store itself, like a space without a name.
        self.root = self._opened('', self._open_root)
        self.found = list(filter(None, (
            self._opened(name, self.layout.__getitem__) for name in ALL)))

    def _opened(self, name, open):
        try:
            return open(name)
        except OSError as error:
            # Not itself: its frames hold us, and we hold directories open.
            self.errors[name] = copy.copy(error)

    def _open_root(self, name):
        return gocept.filestore.disk.space.Space(
            self._path, name, os.path.join(self._path, os.curdir), True)

    def in_use(self):
        """Return where something is made: in the store as well, at first."""
        is_complete = self.root is None or len(self.found) == len(ALL)
        return self.found + ([] if is_complete else [self.root])

    def findings(self):
        """Look whether there are directories where they should be."""
        error = self.errors.get('')
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            yield no_store(self._path, error)
            return
        for name in self._with(gocept.filestore.interfaces.InTheWay):
            yield in_the_way(self._path, name)
        missing = [name for name in self._with(
            gocept.filestore.interfaces.NotPrepared) if name in PREPARED]
        if missing:
            yield not_prepared(self._path, missing)

    def refused(self):
        """Return path and error of what is there and can not be opened."""
        if not self.found and '' in self.errors:
            return [(self._path, self.errors[''])]
        return [(os.path.join(self._path, name), error)
                for name, error in self.errors.items() if not isinstance(
                    error, gocept.filestore.interfaces.FileStoreError)]

    def _with(self, kind):
        return [name for name, error in self.errors.items()
                if isinstance(error, kind)]


def no_store(path, error):
    """Return a finding for a store that is not there."""
    if isinstance(error, NotADirectoryError):
        return gocept.filestore.doctor.finding.problem(
            '%r is no directory, or does not lie in one' % path,
            'name the directory of a store')
    prepare = ['filestore', 'prepare', path]
    if os.path.islink(path):
        return problem(
            '%r is a symbolic link that leads nowhere' % path,
            ['mkdir', '-p', os.path.realpath(path)], prepare)
    return not_prepared(path, PREPARED)


def not_prepared(path, missing):
    """Return a finding for a store that lacks these spaces."""
    what = ', '.join(missing) if len(missing) < len(PREPARED) else 'file store'
    return problem('there is no %s in %r' % (what, path), [
        'filestore', 'prepare', path])


def in_the_way(store, name):
    """Return a finding for what is not a space and has the name of one."""
    path = os.path.join(store, name)
    prepare = [['filestore', 'prepare', store]] if name in PREPARED else []
    if os.path.islink(path):
        return problem(
            '%r is a symbolic link, and a store follows none; it leads to %r'
            % (path, os.readlink(path)), ['rm', path], *prepare)
    return problem('%r is no directory' % path, [
        'mv', '-n', '-t', gocept.filestore.doctor.finding.beside(store), path],
        *prepare)


def problem(sentence, *commands):
    return gocept.filestore.doctor.finding.problem(
        sentence, gocept.filestore.doctor.finding.commands(commands))


def refused(path, error):
    """Return a finding for a directory that we can not use."""
    return gocept.filestore.doctor.finding.problem(
        '%r can not use %r: %s' % (
            gocept.filestore.doctor.mode.user(os.geteuid()), path,
            gocept.filestore.doctor.finding.reason(error)),
        remedy(path, error))


def unknown(store, error):
    """Return a finding for an error that kept us from looking."""
    path = store if error.filename is None else error.filename
    return gocept.filestore.doctor.finding.problem(
        'not looked at in %r, because of %r: %s' % (
            store, path, gocept.filestore.doctor.finding.reason(error)),
        remedy(store, error))


def remedy(path, error):
    """Return what to do about an error of the disk."""
    command = gocept.filestore.doctor.finding.command
    if error.errno == errno.EROFS:
        return 'mount -o remount,rw "$(%s)"' % command(
            'findmnt', '-n', '-o', 'TARGET', '-T', path)
    if error.errno in FULL:
        return 'make room; this tells how much is left: %s' % command(
            'df', '-h', path)
    if error.errno in FORBIDDEN:
        return admission(path)
    return 'see what the kernel says about it: dmesg'


def admission(path):
    """Return what lets us in."""
    command = gocept.filestore.doctor.finding.command
    path, status = reachable(path)
    if status.st_uid == os.geteuid():
        return command('chmod', 'u+rwx', path)
    if status.st_gid in (os.getegid(), *os.getgroups()):
        return command('chmod', 'g+rwx', path)
    return ('use the store as %r, or share it by a group, with directories '
            'of mode 2770' % gocept.filestore.doctor.mode.user(status.st_uid))


def reachable(path):
    """Return what is forbidden, maybe a directory above, and its status."""
    while True:
        try:
            return path, os.stat(path)
        except PermissionError:
            path = os.path.dirname(path) or os.curdir
