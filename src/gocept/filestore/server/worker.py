"""Child processes: a worker, whose place the next one takes when it dies."""
import gocept.filestore.disk.process
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time


logger = logging.getLogger(__name__)
BACK_OFF = gocept.filestore.retry.policy.BACK_OFF  # after a death
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Nothing is loaded in the process that forks.
FORK = multiprocessing.get_context('fork')


class Worker:
    """Sees to it that there is a worker."""

    def __init__(self, title, work, alive, now=time.monotonic):
        self._title = title
        self._work = work
        self._alive = alive
        self._now = now
        self._process = None
        self._deaths = 0
        self._due = now()

    def tend(self):
        """Start a worker, if there should be one and there is none."""
        if self._process is not None and self._process.exitcode is not None:
            self._bury()
        if self._process is None and self._now() >= self._due:
            self._start()

    def waits(self):
        """Return what to wait for: a process, or a number of seconds."""
        if self._process is None:
            return None, max(0, self._due - self._now())
        return self._process.sentinel, None

    def dismiss(self):
        """Let the worker finish its file, and end."""
        if self._process is not None:
            self._process.terminate()

    def join(self):
        """Wait for the end of the worker."""
        if self._process is not None:
            self._process.join()
            logger.info('%s: process %s has ended',
                        self._title, self._process.pid)

    def _start(self):
        self._began = self._now()
        process = FORK.Process(target=be_worker, args=(
            self._title, self._work, self._alive))
        # None of our signals may reach it before it has its own handlers.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            process.start()
        except OSError as error:
            self._wait('%s: no process can be started: %s', error.strerror)
        else:
            self._process = process
            logger.info('%s: process %s has started', self._title, process.pid)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _bury(self):
        if self._now() - self._began > BACK_OFF.longest:
            self._deaths = 0
        self._wait(
            '%s: process ' + str(self._process.pid) + ' %s',
            gocept.filestore.disk.process.ended(self._process.exitcode))
        self._process.close()
        self._process = None

    def _wait(self, message, reason):
        self._deaths += 1
        delay = BACK_OFF.delay(self._deaths, reason)
        self._due = self._now() + delay
        logger.error(message + '; the next one starts in %d seconds',
                     self._title, reason, delay)


def be_worker(title, work, alive):
    """Work, in a process that was just forked.

    A key pressed in the terminal is for the server, which is in another
    process group.
    """
    os.setpgid(0, 0)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)  # that of the server
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    reader, writer = alive
    os.close(writer)
    threading.Thread(target=end_with, args=(reader,), daemon=True).start()
    try:
        work()
    except gocept.filestore.interfaces.InvalidDeclaration as error:
        logger.error('%s: %s', title, error)
        sys.exit(1)


def end_with(reader):
    """End when the server does, whose end of the pipe closes then."""
    os.read(reader, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def in_child(function, *args):
    """Call a function in a child process, and return what it returns."""
    reader, writer = FORK.Pipe(duplex=False)
    process = FORK.Process(target=answer, args=(writer, function, args))
    process.start()
    writer.close()
    try:
        result = reader.recv()
    except EOFError:
        result = gocept.filestore.interfaces.InvalidDeclaration(
            None, 'the process that loads the configuration has died')
    finally:
        process.join()
        reader.close()
    if isinstance(result, Exception):
        raise result
    return result


def answer(writer, function, args):
    try:
        result = function(*args)
    except (gocept.filestore.interfaces.InvalidDeclaration, OSError) as error:
        result = error
    writer.send(result)
