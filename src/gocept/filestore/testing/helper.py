"""Helpers for tests of applications, and for the stories of ours."""
import os
import sys


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


def ls(*path):
    """Print the names in a directory, sorted, one to a line."""
    for name in sorted(os.listdir(os.path.join(*path))):
        print(name)


def cat(*path):
    """Print a text file."""
    with open(os.path.join(*path), encoding='utf-8') as file:
        print(file.read())


def python(program):
    """Run a program in a new process; print its output and how it ended."""
    import subprocess
    result = subprocess.run(
        [sys.executable, '-u', '-c', program], text=True,
        stdout=subprocess.PIPE)
    print(result.stdout, end='')
    print(result.returncode)


def wait(function):
    """Call a function until it returns something, and return that."""
    import zope.testing.wait
    found = []
    zope.testing.wait.wait(lambda: found.append(function()) or found[-1])
    return found[-1]


def sh(line):
    """Run a line in the shell; print what it says, and a bad exit status."""
    import subprocess
    result = subprocess.run(
        'filestore() { %s -m gocept.filestore.cli "$@"; }\n%s' % (
            sys.executable, line),
        shell=True, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(result.stdout, end='')
    if result.returncode:
        print('exit status', result.returncode)


def tick(directory):
    """Wait until the clock of the file system has gone on."""
    import tempfile
    with tempfile.TemporaryFile(dir=directory) as file:
        begin = os.fstat(file.fileno()).st_ctime_ns
        while os.fstat(file.fileno()).st_ctime_ns == begin:
            os.fchmod(file.fileno(), 0o600)


def environment(**more):
    """Return the environment of a child that imports what we do.

    What somebody has set for his Python changes nothing there.
    """
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith('PYTHON')}
    path = os.pathsep.join(filter(None, sys.path))
    return {**kept, 'PYTHONPATH': path, **more}


def set_up(test):
    """Give a story a fresh working directory, and helpers to look at it."""
    import unittest.mock
    import zope.testing.setupstack
    zope.testing.setupstack.setUpDirectory(test)
    # Programs that a story runs find the packages which it finds.
    zope.testing.setupstack.context_manager(test, unittest.mock.patch.dict(
        os.environ, environment(), clear=True))
    test.globs.update(ls=ls, cat=cat, python=python, sh=sh, tick=tick,
                      wait=wait)


def tear_down(test):
    import zope.testing.setupstack
    zope.testing.setupstack.tearDown(test)
