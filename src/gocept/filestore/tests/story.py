"""What a story looks at the world with, and many a test as well."""
import faulthandler
import os
import subprocess
import sys
import tempfile
import unittest.mock
import zope.testing.setupstack
import zope.testing.wait


LONGEST = 600  # seconds; what takes longer waits for something

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
    result = subprocess.run(
        [sys.executable, '-u', '-c', program], text=True,
        stdout=subprocess.PIPE)
    print(result.stdout, end='')
    print(result.returncode)


def wait(function):
    """Call a function until it returns something, and return that."""
    found = []
    zope.testing.wait.Wait(timeout=60)(
        lambda: found.append(function()) or found[-1])
    return found[-1]


def sh(line):
    """Run a line in the shell; print what it says, and a bad exit status."""
    result = subprocess.run(
        'filestore() { %s -m gocept.filestore "$@"; }\n%s' % (
            sys.executable, line),
        shell=True, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(result.stdout, end='')
    if result.returncode:
        print('exit status', result.returncode)


def tick(directory):
    """Wait until the clock of the file system has gone on."""
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


def begin_to_wait():
    """Let who waits in vain say where, and end the run."""
    faulthandler.dump_traceback_later(
        LONGEST, exit=True, file=sys.__stderr__)


def set_up(test):
    """Give a story a fresh working directory, and helpers to look at it."""
    begin_to_wait()
    zope.testing.setupstack.setUpDirectory(test)
    # Programs that a story runs find the packages which it finds.
    zope.testing.setupstack.context_manager(test, unittest.mock.patch.dict(
        os.environ, environment(), clear=True))
    test.globs.update(ls=ls, cat=cat, python=python, sh=sh, tick=tick,
                      wait=wait)


def tear_down(test):
    zope.testing.setupstack.tearDown(test)
    faulthandler.cancel_dump_traceback_later()
