"""Whether the disk keeps what it is given, and tells what happens."""
import errno
import gocept.filestore.disk.inotify
import gocept.filestore.disk.probe
import gocept.filestore.disk.writing
import gocept.filestore.doctor.finding
import os


# What makes room for one more watch.
LIMITS = {errno.EMFILE: 'fs.inotify.max_user_instances=1024',
          errno.ENOSPC: 'fs.inotify.max_user_watches=65536'}
POLL = 'nothing needs to be done: files are found by looking for them'


def fsync(spaces):
    """Look for spaces in which nothing can be brought to the disk."""
    for space in spaces:
        try:
            sync(space)
        except OSError as error:
            yield gocept.filestore.doctor.finding.problem(
                'what is put into %r may not survive a power cut: %s' % (
                    space.path, gocept.filestore.doctor.finding.reason(error)),
                'put the store on a file system with fsync(2), or say that it '
                'is not durable')


def sync(space):
    with gocept.filestore.disk.probe.probe(space) as (name, _):
        with open(space.open(name, os.O_WRONLY), 'wb', 0) as file:
            file.write(b'x')
            os.fsync(file.fileno())
        os.fsync(space.descriptor)


def lease(space):
    """Look whether the kernel tells who has a file open for writing."""
    with gocept.filestore.disk.probe.probe(space) as (name, descriptor):
        with open(space.open(name, os.O_WRONLY), 'wb'):
            while_written = gocept.filestore.disk.writing.is_written(
                descriptor)
        afterwards = gocept.filestore.disk.writing.is_written(descriptor)
    if (while_written, afterwards) == (True, False):
        return gocept.filestore.doctor.finding.ok(
            'it can be told whether a file is still being written')
    return gocept.filestore.doctor.finding.note(
        'it can not be told whether a file in %r is still being written'
        % space.path,
        'let others write elsewhere, and move what is whole to %s' %
        gocept.filestore.doctor.finding.command(space.path))


def notification(source, target):
    """Look whether we are woken when a file comes."""
    if gocept.filestore.disk.inotify.inotify_simple is None:
        return gocept.filestore.doctor.finding.note(
            'not looked at, because inotify_simple is not installed',
            gocept.filestore.doctor.finding.command(
                'pip', 'install', 'gocept.filestore[watch]'))
    try:
        delay = gocept.filestore.disk.inotify.delay(source, target)
    except OSError as error:
        return refused(error)
    if delay is None:
        return gocept.filestore.doctor.finding.note(
            'nobody is told of a file that comes into %r' % target.path, POLL)
    return gocept.filestore.doctor.finding.ok(
        'who waits is woken %.2f ms after a file was moved, on this host'
        % (1000 * delay))


def refused(error):
    limit = LIMITS.get(error.errno)
    return gocept.filestore.doctor.finding.note(
        'nobody can be told of a file that comes: %s' %
        gocept.filestore.doctor.finding.reason(error),
        gocept.filestore.doctor.finding.command('sysctl', limit)
        if limit else POLL)
