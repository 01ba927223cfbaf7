"""The process that we are: what wakes it, its signals, and how one ends."""
import contextlib
import errno
import os
import select
import signal
import threading
import traceback


FORKING = threading.local()
LOST = 256  # no exit status of a process
MEGABYTE = 2 ** 20
LONGEST = (2 ** 31 - 1) // 1000  # seconds that poll(2) waits


class Ours:
    """What belongs to its process: no copy could hold its lock."""

    def __reduce_ex__(self, protocol):
        raise TypeError(
            'a %s belongs to its process, and can be neither copied nor '
            'pickled; hand over the store, and let the other process have '
            'one of its own' % type(self).__name__)


def is_open(descriptor, status, fstat=os.fstat, closed=errno.EBADF):
    """Tell whether a descriptor is still that of the file of this status.

    Who becomes a daemon closes all that he finds, and whoever opens something
    then gets the number.
    """
    try:
        found = fstat(descriptor)
    except OSError as error:
        return error.errno != closed  # GlusterFS: the file has gone
    return found.st_ino == status.st_ino and found.st_dev == status.st_dev


class Bell(Ours):
    """Wakes who waits, and whoever comes later, until it is silenced.

    Rung by a signal handler or by another thread, twice, and before or
    during a wait. A child that is forked has one of its own, as soon as it
    waits itself.
    """

    by_signals = None  # the one that they ring
    _pipe = ()

    def __init__(self):
        self._pipe = os.pipe()
        for end in self._pipe:
            os.set_blocking(end, False)
        self._status = os.fstat(self._pipe[0])  # that of both ends
        self._process = os.getpid()

    def __del__(self, close=os.close, is_open=is_open):
        pipe, self._pipe = self._pipe, ()
        for descriptor in pipe:
            if is_open(descriptor, self._status):
                close(descriptor)

    def _be_ours(self):
        is_child = self._process != os.getpid()
        if not is_child and all(
                is_open(each, self._status) for each in self._pipe):
            return
        self.__del__()
        self.__init__()
        if Bell.by_signals is self and not is_child:
            signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)

    def ring(self, number=None, frame=None):
        """Wake who waits. It may be called as the handler of a signal.

        A child that has inherited the handler, and does not wait here, does
        what it would do without.
        """
        if number is not None and self._process != os.getpid():
            return default(number)
        self._be_ours()
        with contextlib.suppress(BlockingIOError):  # often enough
            os.write(self._pipe[1], b'.')

    def silence(self):
        self._be_ours()
        with contextlib.suppress(BlockingIOError):  # nobody has rung
            os.read(self._pipe[0], 65536)  # more than a pipe holds

    def wait(self, seconds=None, others=()):
        """Wait until it has been rung, and tell whether it has.

        Other files that can be read, and so many seconds, end it as well; a
        pause of more than 24 days is one of 24 days.
        """
        self._be_ours()
        poll = select.poll()
        for file in (self._pipe[0], *others):
            poll.register(file, select.POLLIN)
        ready = poll.poll(None if seconds is None else
                          min(max(0, seconds), LONGEST) * 1000)
        return self._pipe[0] in dict(ready)

    @contextlib.contextmanager
    def rung_by_signals(self):
        """Let each signal that has a handler ring, in the main thread.

        The kernel may hand it to another thread, or just before a wait: what
        is to call the handler would not wake.
        """
        self._be_ours()
        before = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        Bell.by_signals = self
        try:
            yield
        finally:
            Bell.by_signals = None
            signal.set_wakeup_fd(before)


def before_fork():
    """Let signals wait: what comes in between, Python forgets in the child."""
    FORKING.mask = signal.pthread_sigmask(
        signal.SIG_BLOCK, signal.valid_signals())


def after_fork():
    signal.pthread_sigmask(signal.SIG_SETMASK, FORKING.mask)


def in_child():
    """Let the signals of a child not ring the bell of its parent."""
    if Bell.by_signals is not None:
        signal.set_wakeup_fd(-1)
    after_fork()


os.register_at_fork(
    before=before_fork, after_in_parent=after_fork, after_in_child=in_child)


def default(number):
    """Do what is done with a signal that nobody has set a handler for."""
    signal.signal(number, signal.default_int_handler
                  if number == signal.SIGINT else signal.SIG_DFL)
    signal.raise_signal(number)


@contextlib.contextmanager
def handled(number, handler):
    """Let a handler have a signal during the block, in the main thread."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:  # None is a handler of C, which nobody can put back
        signal.signal(number, before or signal.SIG_DFL)


def megabytes():
    """Return how much memory of this process is resident."""
    with open('/proc/self/statm') as file:
        pages = int(file.read().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / MEGABYTE


def is_stop(error):
    """Tell whether an error ends this process, and is not one of its work.

    KeyboardInterrupt does, and what a signal handler has raised that is no
    `Exception`.
    """
    if isinstance(error, Exception):
        return False
    handlers = {getattr(signal.getsignal(number), '__code__', None)
                for number in signal.valid_signals()}
    return isinstance(error, KeyboardInterrupt) or any(
        frame.f_code in handlers
        for frame, _ in traceback.walk_tb(error.__traceback__))


def wait(process):
    """Wait for the end of a child, and return its status like subprocess.

    It is LOST if somebody else has got it: nobody knows how that has ended.
    """
    try:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    except ChildProcessError:
        return LOST


def ended(status):
    """Say how a process has ended, by its status as subprocess gives it."""
    if status == LOST:
        return 'has ended, and somebody else has got its status'
    if status >= 0:
        return 'exited with status %s' % status
    try:
        return 'was killed by %s' % signal.Signals(-status).name
    except ValueError:  # a real-time signal
        return 'was killed by signal %s' % -status
