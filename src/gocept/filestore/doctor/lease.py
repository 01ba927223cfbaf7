"""Whether it can be told that a file is still being written."""
import gocept.filestore.disk.probe
import gocept.filestore.disk.writing
import gocept.filestore.doctor.finding
import os


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
