"""Child processes: a worker, whose place the next one takes when it dies."""
import gocept.filestore.disk.process
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import gocept.filestore.server.progress
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time


logger = logging.getLogger(__name__)
BACK_OFF = gocept.filestore.retry.policy.BACK_OFF  # after a death
RENEWED = os.EX_TEMPFAIL  # the exit status of who has had enough
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Nothing is loaded in the process that forks.
FORK = multiprocessing.get_context('fork')


class Worker:
    """Sees to it that there is a worker."""

    def __init__(self, title, work, alive, now=time.monotonic):
        self.title = title
        self._work = work
        self._alive = alive
        self._now = now
        self._process = None
        self._is_dismissed = False
        self._deaths = 0
        self._due = now()

    def tend(self):
        """Start a worker if one is missing; tell if there is more to do."""
        if self._process is not None and self._process.exitcode is not None:
            self._bury()
        if self._process is None and self._work and self._now() >= self._due:
            self._start()
        return bool(self._process or self._work)

    def pause(self):
        """Return the seconds until the next start; None while one works."""
        return None if self._process else self._due - self._now()

    def exchange(self, work):
        """Let it finish its file, and the next one do this work, if any."""
        self._work = work
        self._deaths = 0
        self._due = self._now()
        if self._process is not None:
            self._is_dismissed = True
            self._process.terminate()

    def _start(self):
        self._began = self._now()
        process = FORK.Process(target=be_worker, args=(
            self.title, self._work, self._alive))
        # None of our signals may reach it before it has its own handlers.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            process.start()
        except OSError as error:
            self._wait('no process can be started: %s' % error.strerror)
        else:
            self._process, self._is_dismissed = process, False
            logger.info('%s: process %s has started', self.title, process.pid)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _bury(self):
        if self._is_dismissed or self._process.exitcode == RENEWED:
            logger.info(
                '%s: process %s has ended', self.title, self._process.pid)
        else:
            self._mourn()
        self._process.close()
        self._process = None

    def _mourn(self):
        if self._now() - self._began > BACK_OFF.longest:
            self._deaths = 0
        self._wait('process %s %s' % (
            self._process.pid,
            gocept.filestore.disk.process.ended(self._process.exitcode)))

    def _wait(self, reason):
        self._deaths += 1
        delay = BACK_OFF.delay(self._deaths, reason)
        self._due = self._now() + delay
        logger.error('%s: %s; the next one starts in %d seconds',
                     self.title, reason, delay)


def be_worker(title, work, alive):
    gocept.filestore.server.progress.tell_title(title, 'starting')
    leave_parent(alive)
    try:
        work()
    except gocept.filestore.interfaces.InvalidDeclaration as error:
        logger.error('%s: %s', title, error)
        sys.exit(1)
    except Exception as error:  # the log may be the only place that is read
        logger.error('%s: ended by %s: %s', title, type(error).__name__, error,
                     exc_info=True)
        sys.exit(1)
    finally:
        # There is nothing to stop any more, and what ends may hold locks that
        # a handler wants as well.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def leave_parent(alive):
    """Leave the terminal, and what to do on a signal, to the server.

    A key pressed there is for the server; and who asks a question there
    learns that there is no terminal, where the kernel would stop him. When
    the server ends we do, too.
    """
    os.setsid()
    if os.isatty(0):
        os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    reader, writer = alive
    os.close(writer)
    threading.Thread(target=end_with, args=(reader,), daemon=True).start()


def end_with(reader):
    """End when the server does, whose end of the pipe closes then."""
    os.read(reader, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def in_child(function, *args, alive, wait):
    """Call a function in a child process, and return what it returns.

    Until then `wait` is called with what brings the answer. What that raises
    is the end of the child, which may be hanging.
    """
    reader, writer = FORK.Pipe(duplex=False)
    process = FORK.Process(target=answer, args=(writer, alive, function, args))
    process.start()
    writer.close()
    try:
        wait([reader])  # first: a key pressed may have been for both of us
        while not reader.poll():
            wait([reader])
        result = reader.recv()
    except EOFError:
        result = gocept.filestore.interfaces.InvalidDeclaration(
            None, 'the process that loads the configuration has died')
    except BaseException:
        process.kill()
        raise
    finally:
        process.join()
        reader.close()
    if isinstance(result, Exception):
        raise result
    return result


def answer(writer, alive, function, args):
    gocept.filestore.server.progress.tell_title('loading')
    leave_parent(alive)
    try:
        result = function(*args)
    except (gocept.filestore.interfaces.InvalidDeclaration, OSError) as error:
        result = error
    writer.send(result)
    os._exit(0)  # there may be a thread of theirs that has no end
