import contextlib
import gocept.filestore.fault
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.memory
import os
import sys


# See fault.txt.
calls = gocept.filestore.fault.calls
each_call = gocept.filestore.fault.each_call
obstacle = gocept.filestore.fault.obstacle

# See testing.txt.
MemoryFileStore = gocept.filestore.memory.MemoryFileStore


class Layer:
    """Gives each test fresh stores, registered as utilities of these names.

    A layer of zope.testrunner. Without a name it is one store, the unnamed
    utility. `options` are those of `FileStore`, or of `MemoryFileStore`.
    """

    def __init__(self, *names, bases=(), in_memory=False, **options):
        caller = sys._getframe(1)
        self.__module__ = caller.f_globals.get('__name__', __name__)
        # The runner takes two layers of one name for the same.
        self.__name__ = 'Layer(%s) in line %s' % (
            ', '.join(map(repr, names)), caller.f_lineno)
        self.__bases__ = tuple(bases)
        self._names = names or ('',)
        self._kind = memory if in_memory else directory
        self._options = options
        self._stores = {}

    def __getitem__(self, name):
        """Return the store of this name; there is one during a test."""
        return self._stores[name]

    def testSetUp(self):
        with contextlib.ExitStack() as stack:
            stack.callback(self._stores.clear)
            for name in self._names:
                store = stack.enter_context(self._kind(name, self._options))
                store.prepare()
                stack.enter_context(registered(store, name))
                self._stores[name] = store
            self._end = stack.pop_all().close

    def testTearDown(self):
        self._end()


@contextlib.contextmanager
def directory(name, options):
    """Make a store in a temporary directory."""
    import tempfile
    with tempfile.TemporaryDirectory(prefix='filestore-') as path:
        yield gocept.filestore.filestore.FileStore(
            os.path.join(path, 'store'), **{'durable': False, **options})


@contextlib.contextmanager
def memory(name, options):
    yield MemoryFileStore(**{'path': name or 'memory', **options})


@contextlib.contextmanager
def registered(store, name):
    """Register a store, and in the end what was registered before."""
    import zope.component
    registry = zope.component.getGlobalSiteManager()
    utility = gocept.filestore.interfaces.IFileStore, name
    before = [registration for registration in registry.registeredUtilities()
              if (registration.provided, registration.name) == utility]
    registry.registerUtility(store, *utility)
    try:
        yield
    finally:
        registry.unregisterUtility(None, *utility)
        for registration in before:
            registry.registerUtility(
                registration.component, *utility, registration.info)


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


def set_up(test):
    """Give a story a fresh working directory, and helpers to look at it."""
    import unittest.mock
    import zope.testing.setupstack
    zope.testing.setupstack.setUpDirectory(test)
    # Programs that a story runs find the packages which it finds.
    zope.testing.setupstack.context_manager(test, unittest.mock.patch.dict(
        os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path))))
    test.globs.update(ls=ls, cat=cat, python=python, sh=sh, tick=tick,
                      wait=wait)


def tear_down(test):
    import zope.testing.setupstack
    zope.testing.setupstack.tearDown(test)
