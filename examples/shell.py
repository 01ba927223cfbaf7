"""A bash that is typed into, and the end of all that was started in it."""

import contextlib
import os
import pathlib
import re
import select
import signal
import subprocess
import time
import uuid


# With job control, as when somebody types; nobody else reads what is typed.
BASH = r"""
exec 3<&%s
set -m
while IFS= read -r -d '' -u 3 command; do
    eval "$command" 3<&-
    printf '\0%%s\0' "$?"
done
"""
# What bash tells about jobs, when it likes to.
JOB = re.compile(r'^\[\d+\].*\n', re.MULTILINE)


class Failed(Exception):
    """The example, or the guide, does not do what its text says."""


@contextlib.contextmanager
def running(directory, mark, environment, runner=()):
    """Yield a bash that works in a directory, below another program or not."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [*runner, 'bash', '--noprofile', '--norc', '-c', BASH % reader],
        cwd=directory, env={**environment, 'EXAMPLE': mark.value},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, pass_fds=[reader], start_new_session=True)
    os.close(reader)
    with process, open(writer, 'wb', buffering=0) as typing:
        try:
            yield Bash(process.pid, process.stdout.fileno(), typing)
        finally:
            process.kill()


class Bash:
    """Types commands."""

    def __init__(self, pid, output, typing):
        self.pid = pid
        self._output = output
        self._typing = typing

    def type(self, command, end):
        """Return the exit status of a command, and what it has printed.

        It has to be done when the clock shows `end`.
        """
        self._typing.write(command.encode() + b'\0')
        printed = b''
        while printed.count(b'\0') < 2:
            printed += self._read(printed, end)
        answer, status, rest = printed.split(b'\0')
        answer = (answer + rest).decode(errors='replace')
        return int(status), JOB.sub('', answer)

    def _read(self, before, end):
        seconds = max(0, end - time.monotonic())
        ready, _, _ = select.select([self._output], [], [], seconds)
        chunk = os.read(self._output, 2 ** 16) if ready else b''
        if not chunk:
            reason = 'bash has ended' if ready else 'it takes too long'
            raise Failed(f'{before.decode(errors="replace")}\n{reason}')
        return chunk


@contextlib.contextmanager
def marking():
    """Yield a mark for processes, and kill all that have it in the end."""
    mark = Mark()
    try:
        yield mark
    finally:
        while pids := mark.pids():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)


class Mark:
    """Knows the processes that were started in a bash.

    A daemon leaves its session and its parent, but not its environment. Some
    write their title over that, as sshd does: but these do not leave their
    namespace.
    """

    def __init__(self):
        self.value = str(uuid.uuid4())
        self._namespaces = set()

    def add_namespace(self, pid):
        """Whoever is in the namespace of a process has the mark, too."""
        self._namespaces.add(namespace(pid))
        self._namespaces.discard(namespace('self'))

    def pids(self):
        return [int(path.name) for path in pathlib.Path('/proc').glob('[0-9]*')
                if self._is_on(path)]

    def _is_on(self, process):
        environment = read(process / 'environ').split('\0')
        return (f'EXAMPLE={self.value}' in environment
                or namespace(process.name) in self._namespaces)


def namespace(pid):
    """Return the name of the namespace of mounts, if it is there."""
    try:
        return os.readlink(f'/proc/{pid}/ns/mnt')
    except OSError:
        return None


def wait_for_end(mark, seconds):
    end = time.monotonic() + seconds
    while pids := mark.pids():
        if time.monotonic() > end:
            raise Failed('still running:\n' + '\n'.join(map(title, pids)))
        time.sleep(0.1)


def title(pid):
    return read(pathlib.Path(f'/proc/{pid}/cmdline')).replace('\0', ' ')


def read(path):
    """Return what the system tells about a process, if it is still there."""
    try:
        return path.read_text(errors='replace')
    except OSError:
        return ''
