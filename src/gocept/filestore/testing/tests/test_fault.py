import contextlib
import errno
import fcntl
import gc
import gocept.filestore.disk.process
import gocept.filestore.testing.fault
import gocept.filestore.tests.case
import importlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import types
import unittest


OBSTACLE = gocept.filestore.testing.fault.obstacle()
STORY = """
import gocept.filestore.tests.test_stories
import unittest
unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(
    story for story in gocept.filestore.tests.test_stories.test_suite()
    if 'fault.txt' in str(story)))
"""


class Case(gocept.filestore.tests.case.Case):
    """Each test gets an empty directory, in which it makes others."""

    def setUp(self):
        super().setUp()
        self.place = self.directory / 'place'
        self.begin()
        self.addCleanup(self.assert_none_left, children())

    def assert_none_left(self, before):
        self.assertEqual(before, children())

    def begin(self):
        """Make the directory empty; it has no files, and no levels."""
        self.place.mkdir(exist_ok=True)
        for path in self.place.iterdir():
            path.rmdir()

    def found(self):
        return sorted(os.listdir(self.place))

    def make(self, *names):
        for name in names:
            os.mkdir(self.place / name)

    def calls(self, action, **options):
        return gocept.filestore.testing.fault.calls(action, self.begin,
                                                    **options)

    def names(self, action, **options):
        return [call.name for call in self.calls(action, **options)]

    def each_call(self, action, *args, **options):
        return gocept.filestore.testing.fault.each_call(
            action, self.begin, *args, **options)


def children():
    """Return the processes that we have started, and not waited for."""
    numbers = []
    for task in pathlib.Path('/proc/self/task').iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread has ended
            numbers += (task / 'children').read_text().split()
    return sorted(numbers)


class Odd(Exception):
    """An error that can be pickled, but not unpickled."""

    def __init__(self, one, two):
        super().__init__(one)


class Cycle:
    """It is removed by the garbage collector only, and makes a directory."""

    def __init__(self, path):
        self.path = path
        self.itself = self

    def __del__(self):
        os.mkdir(self.path)


@unittest.skipIf(OBSTACLE, OBSTACLE)
class Calls(Case):

    def test_in_order(self):
        def action():
            self.make('a')
            os.rename(self.place / 'a', self.place / 'b')
            os.rmdir(self.place / 'b')

        self.assertEqual(['mkdir', 'rename', 'rmdir'], self.names(action))

    def test_show_the_paths_of_descriptors(self):
        def action():
            descriptor = os.open(self.place, os.O_RDONLY)
            os.fsync(descriptor)

        self.assertIn('<%s>' % self.place, repr(self.calls(action)[-1]))

    def test_are_none(self):
        self.assertEqual([], self.calls(os.getpid))
        with gocept.filestore.disk.process.handled(
                signal.SIGCHLD, signal.SIG_IGN):  # nobody keeps a status
            self.assertEqual([], self.calls(os.getpid))

    def test_not_those_of_an_import(self):
        name = 'imported_by_an_action_of_a_test'
        (self.directory / (name + '.py')).write_text('')
        sys.path.insert(0, str(self.directory))
        self.addCleanup(sys.path.remove, str(self.directory))
        self.addCleanup(sys.modules.pop, name)

        def action():
            importlib.import_module(name)
            self.make('a')

        self.assertEqual(['mkdir'], self.names(action))

    def test_of_an_action_with_a_module_out_of_nowhere(self):
        def action():
            sys.modules['made_by_an_action'] = types.ModuleType('made')
            self.make('a')

        self.assertEqual(['mkdir'], self.names(action))

    def test_not_those_of_other_threads_and_processes(self):
        def action():
            thread = threading.Thread(target=self.make, args=['a'])
            thread.start()
            thread.join()
            if not os.fork():
                self.make('b')
                os._exit(0)
            os.wait()
            self.make('c')

        # From Python 3.12 a fork reads how many threads there are.
        self.assertEqual(1, self.names(action).count('mkdir'))
        self.assertEqual(['a', 'b', 'c'], self.found())

    def test_differ_each_time(self):
        runs = []

        def prepare():
            runs.append('run')

        with self.assertRaisesRegex(RuntimeError, 'other calls each time'):
            gocept.filestore.testing.fault.calls(
                lambda: list(map(os.path.exists, runs)), prepare)

    def test_end_with_an_error(self):
        for error in (ZeroDivisionError('no'), OSError(errno.EIO, 'bad', 'a'),
                      SystemExit(3), KeyboardInterrupt()):
            with self.assertRaises(type(error)) as raised:
                self.calls(lambda error=error: throw(error))
            self.assertEqual(error.args, raised.exception.args)

    def test_end_with_an_error_that_can_not_be_pickled(self):
        class Local(Exception):
            pass

        for error in Local('why'), Odd('why', 'how'):
            with self.assertRaises(RuntimeError) as raised:
                self.calls(lambda error=error: throw(error))
            self.assertEqual(repr(error), str(raised.exception))

    def test_end_with_the_process(self):
        for action, ending in (
                (lambda: os._exit(3), 'exited with 3'),
                (os.abort, 'killed by SIGABRT')):
            with self.assertRaisesRegex(RuntimeError, ending):
                self.calls(action)

    def test_never_end(self):
        with open(self.directory / 'lock', 'w') as held:
            fcntl.flock(held, fcntl.LOCK_EX)

            with self.assertRaisesRegex(
                    TimeoutError, r'0\.1 seconds.*flock.*/lock>, LOCK_EX'):
                self.calls(lambda: fcntl.flock(os.open(
                    held.name, os.O_RDONLY), fcntl.LOCK_EX), timeout=.1)

    def test_never_come(self):
        with self.assertRaisesRegex(TimeoutError, 'last call is none'):
            self.calls(signal.pause, timeout=.1)


@unittest.skipIf(OBSTACLE, OBSTACLE)
class Fork(Case):
    """What the two processes have in common stays as it is."""

    def test_file_with_something_in_its_buffer(self):
        with open(self.directory / 'file', 'w') as file:
            file.write('once')
            self.assertEqual(['mkdir'], self.names(lambda: self.make('a')))
        self.assertEqual(
            'once', (self.directory / 'file').read_text())

    def test_output(self):
        output = subprocess.check_output(
            [sys.executable, '-c',
             'import gocept.filestore.testing.fault as fault\n'
             'print("before")\n'
             'def action():\n'
             '    print("inside, flushed", flush=True)\n'
             '    print("inside")\n'
             'print(*fault.calls(action, lambda: None))\n'],
            text=True, env=gocept.filestore.tests.case.environment(
                PYTHONUNBUFFERED=''))
        before, *inside, call = output.splitlines()
        self.assertEqual('before', before)
        self.assertEqual({'inside, flushed'}, set(inside))
        self.assertIn('write(1', call)

    @gocept.filestore.tests.case.slow
    def test_garbage(self):
        cycle = Cycle(self.place / 'garbage')
        gc.collect()
        del cycle
        self.assertEqual([], self.calls(
            lambda: [[number] for number in range(1000000)]))
        self.assertEqual([], self.found())
        gc.collect()
        self.assertEqual(['garbage'], self.found())

    def test_working_directory(self):
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.place)
        self.calls(lambda: os.chdir('/'))
        self.assertEqual(str(self.place), os.getcwd())


@unittest.skipIf(OBSTACLE, OBSTACLE)
class EachCall(Case):

    def action(self):
        self.make('a', 'b')
        os.rename(self.place / 'b', self.place / 'c')

    def test_kills(self):
        found = []
        for call in self.each_call(self.action):
            self.assertIsInstance(call.error, RuntimeError)
            self.assertIn('killed by SIGKILL', str(call.error))
            self.assertEqual([], call.later)
            found.append((call.name, *self.found()))
        self.assertEqual([
            ('mkdir',), ('mkdir', 'a'), ('rename', 'a', 'b')], found)

    @gocept.filestore.tests.case.slow
    def test_makes_errors(self):
        for name in 'EIO', 'ENOSPC', 'EINTR', 'ESTALE':
            found = []
            for call in self.each_call(lambda: self.tries('abc'), name):
                self.assertEqual(getattr(errno, name), call.error.errno)
                self.assertRegex(call.text, name + r' .*\(INJECTED\)$')
                found.append((self.found(), [str(c) for c in call.later]))
            self.assertEqual(
                [['b', 'c'], ['a', 'c'], ['a', 'b']],
                [names for names, _ in found])
            self.assertEqual([2, 1, 0], [len(later) for _, later in found])
            self.assertIn('c", 0777) = 0', found[0][1][-1])

    def tries(self, names):
        """Try all, and then raise the last error."""
        last = None
        for name in names:
            try:
                self.make(name)
            except OSError as error:
                last = error
        if last:
            raise last

    def test_that_does_no_harm(self):
        def action():
            with contextlib.suppress(OSError):
                self.make('a')

        call, = self.each_call(action, 'EIO')
        self.assertIsNone(call.error)
        self.assertEqual([], self.found())

    def test_close_leaves_the_file_open(self):
        def action():
            descriptor = os.open(self.place, os.O_RDONLY)
            try:
                os.close(descriptor)
            except OSError:
                os.fstat(descriptor)

        _, call = self.each_call(action, 'EIO')
        self.assertEqual('close', call.name)
        self.assertIsNone(call.error)

    @gocept.filestore.tests.case.slow
    def test_with_a_store_from_before(self):
        def prepare():
            for path in self.store.list('cur'):
                os.unlink(path)
            self.put('new', 'a')

        self.store.list('new')
        names = [
            call.name for call in gocept.filestore.testing.fault.each_call(
                lambda: self.store.move('a', 'new', 'cur'), prepare)
        ]
        self.assertEqual('renameat', names[-1])

    def test_without_a_call(self):
        with self.assertRaisesRegex(RuntimeError, 'makes no call'):
            next(self.each_call(os.getpid))

    @gocept.filestore.tests.case.slow
    def test_that_is_not_made_again(self):
        null = os.open(os.devnull, os.O_RDWR)
        self.addCleanup(os.close, null)
        for action in (
                lambda name: self.make(name),
                # What a process does after its action as well.
                lambda name: os.path.exists(name),
                lambda name: os.open(os.devnull, os.O_RDWR),
                lambda name: os.write(null, b'text')):
            for fault in 'SIGKILL', 'EINTR':
                self.check_not_made_again(fault, action)

    def check_not_made_again(self, fault, action):
        names = ['a', 'b']
        with self.assertRaises(RuntimeError) as raised:
            for _ in self.each_call(lambda: list(map(action, names)), fault):
                names.pop()
        self.assertIn('number 2 in all, again', str(raised.exception))

    def test_that_is_another_one_now_and_then(self):
        runs, found = [], []

        def prepare():
            runs.append('run')
            self.begin()

        def action():
            if len(runs) == 4:
                os.path.exists('a stranger')
            self.action()

        for call in gocept.filestore.testing.fault.each_call(
                action, prepare, 'EIO'):
            found.append((call.name, *self.found()))
        self.assertEqual([
            ('mkdir',), ('mkdir', 'a'), ('rename', 'a', 'b')], found)
        self.assertEqual(2 + 1 + 3, len(runs))

    def test_of_an_action_that_fails(self):
        with self.assertRaises(ZeroDivisionError):
            next(self.each_call(lambda: 1 / 0))

    @gocept.filestore.tests.case.slow
    def test_that_hangs(self):
        def action():
            self.make('a')
            with contextlib.suppress(OSError):
                self.make('b')
            signal.sigtimedwait(
                [], 0 if os.path.exists(self.place / 'b') else 60)

        calls = self.each_call(action, 'EIO', timeout=15)
        self.assertEqual(errno.EIO, next(calls).error.errno)
        with self.assertRaisesRegex(TimeoutError, 'last call is .*/b'):
            next(calls)

    def test_with_a_fault_that_does_not_exist(self):
        for name in 'ENONSENSE', 'SIGNONSENSE':
            with self.assertRaisesRegex(
                    RuntimeError, "strace does not trace: .*'mkdir:.*" + name):
                next(self.each_call(self.action, name))

    def test_that_is_not_asked_for(self):
        before = children()
        calls = self.each_call(self.action)
        self.assertEqual('mkdir', next(calls).name)
        self.assertEqual(before, children())
        calls.close()
        self.assertEqual(['place', 'store'], sorted(os.listdir(
            self.directory)))


class Obstacle(Case):

    def ask(self, *command, **environment):
        return subprocess.run(
            [*command, sys.executable, '-c',
             'import gocept.filestore.testing\n'
             'print(gocept.filestore.testing.obstacle())'],
            env=gocept.filestore.tests.case.environment(**environment),
            check=True, text=True, stdout=subprocess.PIPE).stdout

    @unittest.skipIf(OBSTACLE, OBSTACLE)
    def test_none(self):
        self.assertEqual('None\n', self.ask())

    def test_no_strace(self):
        self.assertRegex(
            self.ask(PATH=str(self.directory)),
            "^strace can not be run: .*No such file.*'strace'$")

    @unittest.skipIf(OBSTACLE, OBSTACLE)
    def test_no_right_to_trace(self):
        # A process has one tracer at a time.
        self.assertRegex(
            self.ask('strace', '-f', '-o', os.devnull),
            '^strace does not trace: .*Operation not permitted$')

    def test_skips_the_story(self):
        messages = subprocess.run(
            [sys.executable, '-c', STORY], text=True, check=True,
            stderr=subprocess.PIPE,
            env=gocept.filestore.tests.case.environment(
                PATH=str(self.directory))).stderr
        self.assertIn('strace can not be run: ', messages)
        self.assertIn('OK (skipped=1)', messages)


def throw(error):
    raise error
