"""What else a file system has to do: bring to the disk, tell, and wake."""
import errno
import gocept.filestore.disk.inotify
import gocept.filestore.disk.probe
import gocept.filestore.disk.writing
import gocept.filestore.doctor.finding
import os


ok = gocept.filestore.doctor.finding.ok
note = gocept.filestore.doctor.finding.note
# What makes room for one more watch.
LIMITS = {errno.EMFILE: ['sysctl', 'fs.inotify.max_user_instances=1024'],
          errno.ENOSPC: ['sysctl', 'fs.inotify.max_user_watches=65536']}
POLL = 'nothing needs to be done: files are found by looking for them'


def fsync(spaces):
    """Look for spaces in which nothing can be brought to the disk."""
    for space in spaces.usable:
        try:
            sync(space)
        except OSError as error:
            yield gocept.filestore.doctor.finding.problem(
                'what is put into %r may not survive a power cut' % space.path,
                'put the store on a file system with fsync(2), or say that it '
                'is not durable', error=error)
    yield ok('files and directories can be brought to the disk')


def sync(space):
    # On SMB, the lock keeps all other descriptors from writing.
    with gocept.filestore.disk.probe.probe(
            space, flags=os.O_RDWR) as (_, descriptor):
        os.write(descriptor, b'x')
        os.fsync(descriptor)
        os.fsync(space.descriptor)


def lease(spaces):
    """Look whether the kernel tells who has a file open for writing."""
    space = spaces.together[1]
    with gocept.filestore.disk.probe.probe(space) as (name, descriptor):
        with open(space.open(name, os.O_WRONLY), 'wb'):
            while_written = gocept.filestore.disk.writing.is_written(
                descriptor)
        afterwards = gocept.filestore.disk.writing.is_written(descriptor)
    if (while_written, afterwards) != (True, False):
        yield note(
            'it can not be told whether a file in %r is still being written'
            % space.path,
            'let others write elsewhere, and move what is whole to %s' %
            gocept.filestore.doctor.finding.command(space.path))
    yield ok('it can be told whether a file is still being written')


def notification(spaces):
    """Look whether who waits is woken when a file comes."""
    source, target = spaces.together[:2]
    try:
        delay = gocept.filestore.disk.inotify.delay(source, target)
    except ImportError:
        yield note('not looked at, because %s'
                   % gocept.filestore.disk.inotify.MISSING,
                   ['pip', 'install', 'gocept.filestore[watch]'])
        return
    except OSError as error:
        yield note('nobody can be told of a file that comes',
                   LIMITS.get(error.errno, POLL), error=error)
        return
    if delay is None:
        yield note('nobody is told of a file that comes into %r' % target.path,
                   POLL)
    else:
        yield ok('who waits is woken %.2f ms after a file was moved, on this '
                 'host' % (1000 * delay))
