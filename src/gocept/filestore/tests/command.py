"""What the tests of the command line have in common."""

import fcntl
import functools
import gocept.filestore.cli.__main__
import gocept.filestore.tests.case
import os
import pathlib
import pty
import re
import resource
import subprocess
import sys
import termios
import zope.testing.wait


FILESTORE = (sys.executable, '-m', 'gocept.filestore.cli')
# What a shell needs to run it under its own name.
IN_SHELL = 'filestore() { %s "$@"; }\n' % ' '.join(FILESTORE)


class Case(gocept.filestore.tests.case.Case):
    """Each test runs commands in a fresh directory, with a store in it."""

    wait = zope.testing.wait.Wait(timeout=30)

    def setUp(self):
        super().setUp()
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
        return process.returncode, output, messages.splitlines()

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
        reader, writer = os.pipe()
        process = os.fork()
        if not process:
            self._run_forked(args, writer, size)
        os.close(writer)
        with open(reader, errors='surrogateescape') as lines:
            messages = lines.read().splitlines()
        return (os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]),
                messages)

    def _run_forked(self, args, writer, size):
        status = 99
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
            os.chdir(self.directory)
            os.dup2(writer, 2)
            sys.stderr = open(2, 'w', closefd=False)
            status = gocept.filestore.cli.__main__.main(args)
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

    def in_terminal(self, *args):
        return Terminal(self, args)


class Terminal:
    """A terminal whose foreground process is a command."""

    def __init__(self, case, args):
        self._descriptor, slave = pty.openpty()
        case.addCleanup(os.close, self._descriptor)
        termios.tcsetwinsize(slave, (24, 80))
        self.process = case.start(
            *args, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, preexec_fn=functools.partial(
                fcntl.ioctl, 0, termios.TIOCSCTTY, 0))
        os.close(slave)

    def interrupt(self):
        """Press the key, and return when the terminal has sent the signal."""
        os.write(self._descriptor, b'\x03')
        shown = b''
        while b'^C' not in shown:
            shown += self._read()

    def finish(self):
        """Return the exit status, and all that was shown."""
        shown = b''.join(iter(self._read, b''))
        return self.process.wait(60), shown.decode()

    def _read(self):
        try:
            return os.read(self._descriptor, 65536)
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


def ended(process):
    process.kill()
    process.wait()
    for file in (process.stdin, process.stdout, process.stderr):
        if file is not None:
            file.close()
