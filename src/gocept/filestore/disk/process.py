"""The process that we are: its number, what wakes it, and how one ends."""
import contextlib
import os
import select
import signal


number = os.getpid()  # to ask the kernel for each file takes too long


def forked():
    global number
    number = os.getpid()


os.register_at_fork(after_in_child=forked)


class Bell:
    """Wakes who waits, and whoever comes later, until it is silenced.

    Rung by a signal handler or by another thread, twice, and before or
    during a wait.
    """

    def __init__(self):
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def __del__(self, close=os.close):
        if hasattr(self, '_writer'):
            close(self._reader)
            close(self._writer)

    def ring(self):
        with contextlib.suppress(BlockingIOError):  # often enough
            os.write(self._writer, b'.')

    def silence(self):
        with contextlib.suppress(BlockingIOError):  # nobody has rung
            os.read(self._reader, 65536)  # more than a pipe holds

    def wait(self, seconds=None, others=()):
        """Wait until it has been rung, and tell whether it has.

        Other files that can be read, and so many seconds, end it as well.
        """
        poll = select.poll()
        for file in (self._reader, *others):
            poll.register(file, select.POLLIN)
        ready = poll.poll(None if seconds is None else max(0, seconds) * 1000)
        return self._reader in dict(ready)

    @contextlib.contextmanager
    def rung_by_signals(self):
        """Let each signal that has a handler ring, in the main thread.

        The kernel may hand it to another thread, or just before a wait: what
        is to call the handler would not wake.
        """
        before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)


def ended(status):
    """Say how a process has ended, by its status as subprocess gives it."""
    if status >= 0:
        return 'exited with status %s' % status
    try:
        return 'was killed by %s' % signal.Signals(-status).name
    except ValueError:  # a real-time signal
        return 'was killed by signal %s' % -status
