"""A file for a moment, to try out what can be done in a space."""
import contextlib
import gocept.filestore.disk.file_system
import gocept.filestore.disk.lock
import gocept.filestore.disk.move
import gocept.filestore.disk.name
import os


PREFIX = '.doctor.'


@contextlib.contextmanager
def probe(*spaces, flags=os.O_RDONLY):
    """Make a file in the first of some spaces, for the time of the block.

    Nobody looks at its name, and when the block is left it has none in any of
    the spaces. It is locked, and so differs from one that was left behind.
    """
    name = PREFIX + gocept.filestore.disk.name.unique()
    with contextlib.ExitStack() as end:
        descriptor = spaces[0].create(
            name, flags | spaces[0].locking, 0o600)
        end.callback(os.close, descriptor)
        for space in spaces:
            end.callback(remove, space, name)
        with contextlib.suppress(OSError):  # is looked at elsewhere
            gocept.filestore.disk.lock.lock(descriptor)
        yield name, descriptor


def remove(space, name):
    with contextlib.suppress(FileNotFoundError):
        space.remove(name)


def rename(source, name, target):
    """Move a probe with rename(2), which is all that nobody else needs."""
    os.rename(name, name, src_dir_fd=source.descriptor,
              dst_dir_fd=target.descriptor)


def leaves_names(space):
    """Tell whether a move takes two steps here, and may leave two names.

    Where it does not, whatever has two names was linked by somebody: by
    hand, or by a program that looks for equal files, like hardlink(1).
    """
    if space.is_local:
        return not gocept.filestore.disk.move.is_there()
    with probe(space) as (name, _), contextlib.ExitStack() as end:
        end.callback(remove, space, name + '~')
        return gocept.filestore.disk.move.noreplace(
            space.descriptor, name, space.descriptor, name + '~') != 0


def weaknesses(space):
    """Yield what keeps claims from being exact in a space."""
    kind, options = gocept.filestore.disk.file_system.mount(space.descriptor)
    yield from gocept.filestore.disk.file_system.weaknesses(kind, options)
    if not has_inodes(space):
        yield gocept.filestore.disk.file_system.INODES
    if kind == 'fuse.glusterfs' and (
            gocept.filestore.disk.file_system.places(space.descriptor)
            is None):
        yield gocept.filestore.disk.file_system.NAMES


def has_inodes(space):
    """Tell whether a listing gives the inode that an open file has.

    Without that nobody can tell which file is which; mergerfs, and other file
    systems in user space, make up numbers unless they are told not to.
    """
    try:
        with probe(space) as (name, descriptor):
            return space.inode(name, is_wanted=None) == (
                os.fstat(descriptor).st_ino)
    except OSError:
        return True  # it can not be tried, as on a disk that is full
