"""Threads in which consumers work, and the processes of their commands."""
import contextlib
import errno
import gocept.filestore.consumer
import gocept.filestore.disk.process
import os
import select
import signal
import subprocess
import threading


GRACE = 10  # seconds from SIGTERM to SIGKILL


class Strict(gocept.filestore.consumer.Consumer):
    """A consumer that does not stay after an error of the store."""

    def _back_off(self, error):
        raise error


class Workers:
    """So many consumers of one selection."""

    def __init__(self, selection, number=1, watch=False, **options):
        self.stopped = gocept.filestore.disk.process.Bell()
        self.abandoned = gocept.filestore.disk.process.Bell()
        self._selection = selection
        self._number = number
        self.stays = watch
        self._options = options
        self._consumers = []
        self._bell = gocept.filestore.disk.process.Bell()
        self._ended = []
        self._errors = []

    def run(self, handler):
        """Run until no file is left or it is stopped; raise what ended it."""
        kind = gocept.filestore.consumer.Consumer if self.stays else Strict
        self._consumers = [kind(self._selection, handler, **self._options)
                           for _ in range(self._number)]
        if self.stopped.wait(0):
            self.stop()
        self._work_in_threads()
        if self._errors:
            raise self._errors[0]

    def stop(self, *args):
        """Let the handlers finish that are running, and start no other."""
        for consumer in self._consumers:
            consumer.stop()
        self.stopped.ring(*args)  # a handler that waits for it is the last

    def abandon(self, *args):
        """Stop, and let no handler finish that waits for this."""
        self.stop(*args)
        self.abandoned.ring(*args)

    def end(self, error):
        """Stop, and let `run` raise an error."""
        self._errors.append(error)
        self.stop()

    def _work_in_threads(self):
        threads = [threading.Thread(target=self._work, args=[consumer])
                   for consumer in self._consumers]
        with self._bell.rung_by_signals():
            started = list(filter(self._start, threads))
            while len(self._ended) < len(started):
                self._bell.wait()
                self._bell.silence()
        for thread in started:
            thread.join()

    def _start(self, thread):
        """Start a thread; tell whether it works."""
        try:
            thread.start()
        except RuntimeError as error:  # too many, or not enough memory
            self.end(OSError(errno.EAGAIN, str(error)))
            return False
        return True

    def _work(self, consumer):
        try:
            (consumer.run if self.stays else consumer.drain)()
        except BaseException as error:
            self.end(error)
        finally:
            self._ended.append(consumer)
            self._bell.ring()


class Session:
    """A command that runs in a session of its own.

    So an interrupt from the keyboard is for us, and lets it finish; and who
    asks a question on the terminal learns that there is none, where the kernel
    would stop another group.
    """

    def __init__(self, words, descriptor, environ, grace=GRACE):
        self._process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, pass_fds=[descriptor],
            start_new_session=True, env={**os.environ, **environ})
        self._grace = grace

    def wait(self, bell, seconds=None):
        """Return its status, and whether it has taken longer than it may.

        It is stopped then, and also when the bell rings.
        """
        is_late = False
        with contextlib.suppress(OSError):  # gone, or before Linux 5.3
            is_late = self._watch(bell, seconds)
        self._process.returncode = gocept.filestore.disk.process.wait(
            self._process.pid)
        return self._process.returncode, is_late

    def _watch(self, bell, seconds):
        descriptor = os.pidfd_open(self._process.pid)
        try:
            is_late = not bell.wait(seconds, [descriptor])
            if has_ended(descriptor, 0):
                return False
            self._stop(descriptor)
            return is_late
        finally:
            os.close(descriptor)

    def _stop(self, descriptor):
        """Let nobody of it go on; until we wait for it, the number is its."""
        self._signal(signal.SIGTERM)
        has_ended(descriptor, self._grace)
        self._signal(signal.SIGKILL)

    def _signal(self, number):
        with contextlib.suppress(PermissionError):  # as somebody else, by sudo
            os.killpg(self._process.pid, number)


def has_ended(descriptor, seconds):
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
