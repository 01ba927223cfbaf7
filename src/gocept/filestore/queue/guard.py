"""Keeps from being claimed what somebody is still writing into `new`."""
import gocept.filestore.disk.writing
import warnings


NO_LEASES = ('the file system of %r can not tell who is writing a file: a '
             'file in %r is taken as soon as it has been quiet')


class Guard(gocept.filestore.disk.writing.Quiet):
    """Keeps files from being claimed that somebody is still writing."""

    def is_whole(self, space, filename, descriptor, status):
        """Tell whether a file was quiet, and is not being written."""
        return (self.has_passed(filename, status)
                and not self.is_written(space, descriptor))

    def is_written(self, space, descriptor):
        written = gocept.filestore.disk.writing.is_written(descriptor)
        if written is None:
            warnings.warn(NO_LEASES % (space.store, space.name),
                          RuntimeWarning)
        return bool(written)
