"""Whether what is written can be brought to the disk."""
import gocept.filestore.disk.probe
import gocept.filestore.doctor.finding
import os


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
