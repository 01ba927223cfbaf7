"""Whether the directories of a store are there, and what lets us in."""
import copy
import errno
import functools
import gocept.filestore.batch.intent
import gocept.filestore.disk.layout
import gocept.filestore.disk.probe
import gocept.filestore.disk.space
import gocept.filestore.doctor.finding
import gocept.filestore.doctor.mode
import gocept.filestore.interfaces
import itertools
import os


command = gocept.filestore.doctor.finding.command
problem = gocept.filestore.doctor.finding.problem
PREPARED = gocept.filestore.disk.layout.PREPARED
ALL = gocept.filestore.disk.layout.ALL


class Spaces:
    """The directories of a store, as far as they are there, held open."""

    has_links = False  # whether files move by a second name
    other = None  # those of the same store through another mount
    ways = ()  # from where to where, and where that is seen

    def __init__(self, path, clock, sleep):
        self.path = path
        self.sleep = sleep
        self.usable = []  # where we can work
        self.together = []  # between which files can be moved
        layout = gocept.filestore.disk.layout.Layout(path, clock=clock)
        self.clock = clock
        self.intents = gocept.filestore.batch.intent.Intents(layout)
        self._errors = {}
        # The directory of the store itself, like a space without a name.
        self.root = self._opened('', functools.partial(
            gocept.filestore.disk.space.Space, path,
            directory=os.path.join(path, os.curdir), durable=True))
        self.found = list(filter(None, (
            self._opened(name, layout.__getitem__) for name in ALL)))

    def _opened(self, name, open):
        try:
            return open(name)
        except OSError as error:
            # Not itself: its frames hold us, and we hold directories open.
            self._errors[name] = copy.copy(error)

    def spaces(self):
        """Look whether there are directories where they should be."""
        error = self._errors.get('')
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            yield no_store(self.path, error)
            return
        for name in self._with(gocept.filestore.interfaces.InTheWay):
            yield in_the_way(self.path, name)
        missing = [name for name in self._with(
            gocept.filestore.interfaces.NotPrepared) if name in PREPARED]
        if missing:
            yield not_prepared(self.path, missing)
        yield gocept.filestore.doctor.finding.ok('%r has %s' % (
            self.path, ', '.join(space.name for space in self.found)
            or 'no space that can be looked at'))

    def access(self):
        """Look where we can work; without that there is little to see."""
        yield from itertools.starmap(refused, self._refused())
        # Something is made in the store as well, until it has all spaces.
        is_complete = self.root is None or len(self.found) == len(ALL)
        for space in self.found + ([] if is_complete else [self.root]):
            try:
                with gocept.filestore.disk.probe.probe(space):
                    pass
            except OSError as error:
                yield refused(space.path, error)
            else:
                self.usable.append(space)
        yield gocept.filestore.doctor.finding.ok(
            '%r can read and write in all of them' % (
                gocept.filestore.doctor.mode.user(os.geteuid())))

    def _refused(self):
        """Return path and error of what is there and can not be opened."""
        if not self.found and '' in self._errors:
            return [(self.path, self._errors[''])]
        return [(os.path.join(self.path, name), error)
                for name, error in self._errors.items() if not isinstance(
                    error, gocept.filestore.interfaces.FileStoreError)]

    def _with(self, kind):
        return [name for name, error in self._errors.items()
                if isinstance(error, kind)]


def no_store(path, error):
    if isinstance(error, NotADirectoryError):
        return problem('%r is no directory, or does not lie in one' % path,
                       'name the directory of a store')
    prepare = ['filestore', 'prepare', path]
    if os.path.islink(path):
        return problem(
            '%r is a symbolic link that leads nowhere' % path,
            ['mkdir', '-p', os.path.realpath(path)], prepare)
    return not_prepared(path, PREPARED)


def not_prepared(path, missing):
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


def refused(path, error):
    return problem(
        '%r can not use %r' % (
            gocept.filestore.doctor.mode.user(os.geteuid()), path),
        remedy(path, error), error=error)


def unknown(store, error):
    """Return a finding for an error that kept us from looking."""
    path = store if error.filename is None else error.filename
    return problem('not looked at in %r, because of %r' % (store, path),
                   remedy(path if os.path.isdir(path) else store, error),
                   error=error)


def remedy(path, error):
    """Return what to do about an error of the disk."""
    if error.errno == errno.EROFS:
        return 'mount -o remount,rw "$(%s)"' % command(
            'findmnt', '-n', '-o', 'TARGET', '-T', path)
    if error.errno in gocept.filestore.disk.space.FULL:
        return 'make room; this tells how much is left: %s' % command(
            'df', '-h', path)
    if isinstance(error, PermissionError):
        return admission(path)
    return 'see what the kernel says about it: dmesg'


def admission(path):
    """Return what lets us in."""
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
