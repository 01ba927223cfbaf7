"""A file for a moment, to try out what can be done in a space."""
import contextlib
import gocept.filestore.disk.lock
import gocept.filestore.disk.name
import os


PREFIX = '.doctor.'


@contextlib.contextmanager
def probe(*spaces):
    """Make a file in the first of some spaces, for the time of the block.

    Nobody looks at its name, and when the block is left it has none in any of
    the spaces. It is locked, and so differs from one that was left behind.
    """
    name = PREFIX + gocept.filestore.disk.name.unique()
    with contextlib.ExitStack() as end:
        descriptor = spaces[0].create(name, os.O_RDONLY, 0o600)
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
