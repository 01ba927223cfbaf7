"""Whether we may work in a store, and what lets us in."""
import errno
import gocept.filestore.doctor.finding
import gocept.filestore.doctor.mode
import os


FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EACCES, errno.EPERM)


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
    """Return what is forbidden, which may be a directory above, and status.
    """
    while True:
        try:
            return path, os.stat(path)
        except PermissionError:
            path = os.path.dirname(path) or os.curdir
