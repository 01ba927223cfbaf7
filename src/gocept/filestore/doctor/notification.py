"""Whether who waits is woken when a file comes."""
import errno
import gocept.filestore.disk.inotify
import gocept.filestore.doctor.finding


# What makes room for one more watch.
LIMITS = {errno.EMFILE: 'fs.inotify.max_user_instances=1024',
          errno.ENOSPC: 'fs.inotify.max_user_watches=65536'}
POLL = 'nothing needs to be done: files are found by looking for them'


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
