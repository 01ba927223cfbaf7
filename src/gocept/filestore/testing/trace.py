"""Runs an action in another process, and notes its system calls."""
import contextlib
import ctypes
import gc
import gocept.filestore.disk.process
import itertools
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile


# The calls that touch a file. No architecture has all of them.
NAMES = """
access chmod chown close copy_file_range creat faccessat faccessat2 fallocate
fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr
flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate futimesat getdents
getdents64 getxattr lchown lgetxattr link linkat listxattr llistxattr
lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat newfstatat open
openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readlink
readlinkat readv removexattr rename renameat renameat2 rmdir sendfile setxattr
splice stat statfs statx symlink symlinkat sync sync_file_range syncfs truncate
unlink unlinkat utime utimensat utimes write writev
"""
STRACE = ('strace', '-y', '-e',
          'trace=' + ','.join('?' + name for name in NAMES.split()))
END = '/dev/null/end of the action'  # a path that leads nowhere
PR_SET_PTRACER = 0x59616d61  # linux/prctl.h
ANYBODY = ctypes.c_ulong(-1)


class Call:
    """A system call that an action has made, and what came after it."""

    error = None
    later = ()

    def __init__(self, text):
        self.name = text.partition('(')[0]
        self.text = text

    def __repr__(self):
        return self.text


class Run:
    """What a process did: its calls, its error, what it had to import."""

    def __init__(self, log, report):
        with open(log, errors='replace') as file:
            lines = file.read().splitlines()
        before_end = itertools.takewhile(lambda line: END not in line, lines)
        self.calls = [
            Call(line) for line in before_end
            if not line.startswith(('---', '+++'))]  # signals, and the exit
        self.error = RuntimeError(
            'the process has ended before its action: %s' % lines[-1])
        self.modules = ()
        # A fault that comes after the action may hit the report itself.
        with (contextlib.suppress(OSError, EOFError, pickle.UnpicklingError),
              open(report, 'rb') as file):
            self.error, self.modules = pickle.load(file)


def run(action, timeout, *options):
    """Do the action in another process, with such options of strace."""
    with tempfile.TemporaryDirectory(prefix='trace-') as directory:
        log = os.path.join(directory, 'log')
        report = os.path.join(directory, 'report')
        in_time = watch(action, timeout, report, '-o', log, *options)
        result = Run(log, report)
    if not in_time:
        raise TimeoutError(
            'the action has not come to its end in %s seconds; its last call '
            'is %s' % (timeout, (result.calls or ['none'])[-1]))
    return result


def watch(action, timeout, report, *options):
    """Do the same; tell whether the process has ended in time."""
    with contextlib.ExitStack() as stack:
        done = os.eventfd(0)
        stack.callback(os.close, done)
        process = start(action, report, done)
        stack.callback(end, process)
        ended = os.pidfd_open(process)
        stack.callback(os.close, ended)
        tracer = stack.enter_context(attached(process, *options))
        # Before we wait for strace: it ends with the process.
        stack.callback(kill, process)
        os.kill(process, signal.SIGCONT)
        happened = ready(timeout, done, ended)
        if done in happened:
            tracer.terminate()  # saving coverage is slow while it looks on
            happened = ready(timeout, ended)
        return bool(happened)


def start(action, report, done):
    """Fork a process that stops, and does the action when it goes on."""
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if not process:
        try:
            do(action, report, done)
        finally:
            os._exit(0)
    os.waitid(os.P_PID, process, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    return process


def do(action, report, done):
    # Garbage of the parent, with the files that it holds, is not ours.
    gc.disable()
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY)
    modules = set(sys.modules)
    os.kill(os.getpid(), signal.SIGSTOP)
    error = error_of(action)
    os.path.exists(END)
    os.eventfd_write(done, 1)
    with open(report, 'wb') as file:
        pickle.dump((error, sorted(set(sys.modules) - modules)), file)


def error_of(action):
    """Return the error of the action, or one that tells of it."""
    try:
        action()
    except BaseException as error:
        try:
            return pickle.loads(pickle.dumps(error))
        except Exception:
            return RuntimeError(repr(error))


def attached(process, *options):
    """Start strace, and return when it watches the process."""
    try:
        tracer = subprocess.Popen(
            [*STRACE, '-p', str(process), *options], text=True,
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    except OSError as error:
        raise RuntimeError('strace can not be run: %s' % error) from None
    said = ''
    for line in tracer.stderr:
        if 'attached' in line:
            return tracer
        said += line
    tracer.communicate()
    raise RuntimeError('strace does not trace: %s' % ' '.join(said.split()))


def ready(timeout, *descriptors):
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(timeout * 1000)]


def kill(process):
    # It has gone at its end already where SIGCHLD is ignored.
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def end(process):
    kill(process)
    gocept.filestore.disk.process.wait(process)
