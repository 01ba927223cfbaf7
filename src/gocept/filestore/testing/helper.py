"""Helpers for tests of applications."""
import os


def publish(store, filename, content=''):
    """Publish a file with this text, or these bytes."""
    with store.publish(
            filename, 'wb' if isinstance(content, bytes) else 'w') as file:
        file.write(content)


def names(store):
    """Return lists of names by the spaces in which they lie."""
    found = {space: list(map(os.path.basename, store.list(space)))
             for space in (*store.sub_dirs, 'work', 'failed')}
    return {space: filenames for space, filenames in found.items()
            if filenames}


def read(store, space, filename, mode='r'):
    """Return the text of a file, or its bytes with mode 'rb'.

    It is read from a copy in `tmp`, as that is all that a store allows.
    """
    if space != 'tmp':
        store.copy(filename, space, 'tmp', replace=False)
    try:
        with store.create(filename, mode.replace('r', 'r+')) as file:
            return file.read()
    finally:
        if space != 'tmp':
            store.remove(filename, 'tmp')
