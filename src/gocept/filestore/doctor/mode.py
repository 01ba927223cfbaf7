"""Who may use the spaces, and read the files in them."""
import collections
import gocept.filestore.disk.copy
import gocept.filestore.doctor.finding
import grp
import os
import pwd
import stat


note = gocept.filestore.doctor.finding.note
ALL = 0o7  # read, write and search
OTHERS = stat.S_IWGRP | stat.S_IWOTH


def modes(spaces):
    """Look whether whoever may use one space may use all of them."""
    rights = {space.path: Rights.of(space) for space in spaces.found}
    # Of several, the first one is usual: that is what was prepared.
    usual = collections.Counter(rights.values()).most_common(1)[0][0]
    for path, found in rights.items():
        yield from different(path, found, usual)
        yield from risky(path, found.mode)
    yield gocept.filestore.doctor.finding.ok('all spaces are %s' % str(usual))


def different(path, found, usual):
    if found.users == usual.users and found.mode == usual.mode:
        return
    sentence = '%r is %s, others are %s' % (path, found, usual)
    remedy = found.remedy(path, usual)
    if found.users == usual.users:
        yield note(sentence, *remedy)
    else:
        yield gocept.filestore.doctor.finding.problem(
            '%s: who may use them may not use it, or the other way '
            'round' % sentence, *remedy)


def risky(path, mode):
    if mode & stat.S_ISVTX and mode & OTHERS:
        yield note('only its owner may take a file from %r, because of the '
                   'sticky bit' % path, ['chmod', '-t', path])
    elif mode & stat.S_IWOTH:
        yield note('everybody on this host may remove files from %r' % path,
                   ['chmod', 'o-w', path])


class Rights(collections.namedtuple('Rights', 'owner group mode')):
    """Whose a directory is, and who may do what there."""

    @classmethod
    def of(cls, space):
        status = os.fstat(space.descriptor)
        return cls(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))

    def __str__(self):
        return 'of %s with mode %04o' % (self.names, self.mode)

    @property
    def names(self):
        return '%s:%s' % (user(self.owner), group(self.group))

    @property
    def users(self):
        """Return who may do all: the group, or else the owner."""
        if self.mode >> 3 & ALL == ALL:
            return 'group', group(self.group)
        return 'user', user(self.owner)

    def remedy(self, path, usual):
        """Return commands that turn these rights into the usual ones."""
        commands = []
        if (self.owner, self.group) != (usual.owner, usual.group):
            commands.append(['chown', usual.names, path])
        if self.mode != usual.mode:
            # With less than five digits, chmod(1) does not clear setgid.
            commands.append(['chmod', '%05o' % usual.mode, path])
        return commands


def is_closed(space, name, status):
    """Tell whether who works in a space may not read a file there.

    Root may read all of them, so for root it is the owner of the space.
    """
    if os.geteuid():
        is_open = os.access(name, os.R_OK, dir_fd=space.descriptor,
                            effective_ids=True)
    else:
        is_open = may_read(Rights.of(space), status) or (
            gocept.filestore.disk.copy.has_acl(space.path_of(name)))
    return not is_open and space.is_at(name, status)


def may_read(rights, status):
    """Tell whether the owner of a space may read a file."""
    if rights.owner == 0:
        return True
    if status.st_uid == rights.owner:
        return bool(status.st_mode & stat.S_IRUSR)
    if status.st_gid == rights.group:
        return bool(status.st_mode & stat.S_IRGRP)
    return bool(status.st_mode & stat.S_IROTH)


def user(number, look=pwd.getpwuid):
    """Return the name of a user, or the number of one that has none."""
    try:
        return look(number)[0]
    except KeyError:
        return str(number)


def group(number):
    return user(number, grp.getgrgid)
