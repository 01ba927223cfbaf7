"""What the tests of the command line have in common."""

import atexit
import contextlib
import fcntl
import functools
import gocept.filestore.__main__
import gocept.filestore.cli.command
import gocept.filestore.disk.process
import gocept.filestore.tests.case
import importlib
import logging
import os
import pathlib
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import termios
import zope.testing.wait


FILESTORE = (sys.executable, '-m', 'gocept.filestore')
# What a shell needs to run it under its own name.
IN_SHELL = 'filestore() { %s "$@"; }\n' % ' '.join(FILESTORE)
# A child that is forked as nobody might not be allowed to import it.
for name in gocept.filestore.cli.command.PLACES:
    gocept.filestore.cli.command.filestore.get_command(None, name)
for name in ('tabulate', 'tqdm', 'wcwidth'):
    importlib.import_module(name)


class Case(gocept.filestore.tests.case.Case):
    """Each test runs commands in a fresh directory, with a store in it."""

    wait = zope.testing.wait.Wait(timeout=30)

    def setUp(self):
        super().setUp()
        # Who runs the tests may ignore it, as shells let what is not waited
        # for; our children would inherit that.
        self.enterContext(gocept.filestore.disk.process.handled(
            signal.SIGINT, signal.default_int_handler))
        os.mkfifo(self.directory / 'gate')
        self.gate = os.open(self.directory / 'gate', os.O_RDWR)
        self.addCleanup(os.close, self.gate)

    def start(self, *args, command=FILESTORE, **kw):
        process = subprocess.Popen(
            [*command, *args], cwd=self.directory,
            env=gocept.filestore.tests.case.environment(),
            **{'stdin': subprocess.DEVNULL, 'stdout': subprocess.PIPE,
               'stderr': subprocess.PIPE, **kw})
        self.addCleanup(ended, process)
        return process

    def finish(self, process, input=None):
        """Return the exit status, the output and the lines of messages."""
        output, messages = process.communicate(input, timeout=60)
        messages = messages.decode(errors='surrogateescape')
        self.assertNotIn('Traceback', messages)
        return process.returncode, output, self.without_usage(
            process.returncode, messages.splitlines())

    def without_usage(self, status, messages):
        """Return the messages; those of wrong usage begin with the usage."""
        if status == 2 and messages:  # they may go elsewhere
            self.assertTrue(
                messages.pop(0).startswith('Usage: filestore '), messages)
        return messages

    def filestore(self, *args, input=None, **kw):
        if input is not None:
            kw['stdin'] = subprocess.PIPE
        return self.finish(self.start(*args, **kw), input)

    def sh(self, line, **kw):
        """Run a line in the shell, which knows the command `filestore`."""
        return self.filestore(
            IN_SHELL + line, command=('bash', '-c'), **kw)

    def filestore_as_nobody(self, *args):
        """Run as nobody, who might not be allowed to read our interpreter."""
        with self.be_nobody():
            return self.forked(*args)

    def forked(self, *args, size=resource.RLIM_INFINITY):
        """Run in a forked process; return exit status and messages.

        It can be told that no file may grow beyond so many bytes.
        """
        return self.joined(*self.fork(*args, size=size))

    def fork(self, *args, size=resource.RLIM_INFINITY):
        """Do the same, and do not wait for it."""
        reader, writer = os.pipe()
        process = os.fork()
        if not process:
            self._run_forked(args, writer, size)
        os.close(writer)
        self.addCleanup(kill, process)
        return process, reader

    def joined(self, process, reader):
        with open(reader, errors='surrogateescape') as lines:
            messages = lines.read().splitlines()
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        return status, self.without_usage(status, messages)

    def _run_forked(self, args, writer, size):
        status = 99
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
            os.chdir(self.directory)
            os.dup2(writer, 2)
            sys.stderr = open(2, 'w', closefd=False)
            logging.root.handlers.clear()  # those of the test runner
            atexit._clear()  # and this, which a signal calls
            status = gocept.filestore.__main__.main(args)
        finally:
            sys.stderr.flush()
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            os._exit(status)

    def release(self, number=1):
        """Let so many commands go on that wait at the gate."""
        os.write(self.gate, b'\n' * number)

    def wait_for_sleep(self, process_id):
        """Wait until a process has handled its signals, and waits itself."""
        self.wait(lambda: is_asleep(process_id))

    def lines(self, name):
        path = self.directory / name
        return path.read_text().splitlines() if path.exists() else []

    def in_terminal(self, *args, columns=80, **kw):
        return Terminal(self, args, columns, **kw)


class Terminal:
    """A terminal whose foreground process is a command."""

    _shown = b''

    def __init__(self, case, args, columns, **kw):
        self._descriptor, slave = pty.openpty()
        case.addCleanup(os.close, self._descriptor)
        termios.tcsetwinsize(slave, (24, columns))
        self.process = case.start(
            *args, **kw, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, preexec_fn=functools.partial(
                fcntl.ioctl, 0, termios.TIOCSCTTY, 0))
        os.close(slave)

    def interrupt(self):
        """Press the key, and return when the terminal has sent the signal."""
        self.type(b'\x03')
        self.wait_for(b'^C')

    def type(self, keys):
        os.write(self._descriptor, keys)

    def wait_for(self, words):
        """Wait until something was shown; what comes after that is kept."""
        while words not in self._shown:
            self._shown += self._read()
        self._shown = self._shown.partition(words)[2]

    def finish(self):
        """Return the exit status, and all that was shown."""
        shown = self._shown + b''.join(iter(self._read, b''))
        return self.process.wait(60), shown.decode(errors='replace')

    def _read(self):
        """Return what is shown next, or nothing in the end; never hang."""
        [descriptor], _, _ = select.select([self._descriptor], [], [], 120)
        try:
            return os.read(descriptor, 65536)
        except OSError:  # EIO: the last process has closed it
            return b''


def is_asleep(process_id):
    """Tell whether all threads wait, and none has run between two looks."""
    before, after = threads(process_id), threads(process_id)
    return before == after and all(
        re.search('^State:\tS', status, re.M)
        and not re.search('Pnd:.*[1-9a-f]', status) for status in before)


def wakings(process_id):
    """Return how often the main thread has gone to sleep, and woken."""
    status = pathlib.Path('/proc', str(process_id), 'status').read_text()
    return int(re.search('^voluntary_ctxt_switches:\t(.*)', status, re.M)[1])


def threads(process_id):
    paths = pathlib.Path('/proc', str(process_id), 'task').glob('*/status')
    return [path.read_text() for path in sorted(paths)]


def kill(process):
    """End a forked process, if it has not been waited for."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.waitpid(process, os.WNOHANG)[0] or os.kill(process, signal.SIGKILL)


def ended(process):
    process.kill()
    process.wait()
    for file in (process.stdin, process.stdout, process.stderr):
        if file is not None:
            file.close()
