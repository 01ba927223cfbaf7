"""Threads in which consumers work, until one of them meets with an error."""
import errno
import gocept.filestore.consumer
import gocept.filestore.disk.process
import threading


class Strict(gocept.filestore.consumer.Consumer):
    """A consumer that does not try again after an error of the store."""

    def _back_off(self, error):
        raise error


class Workers:
    """So many consumers of one selection."""

    def __init__(self, selection, number=1, watch=False):
        self.stopped = gocept.filestore.disk.process.Bell()
        self._selection = selection
        self._number = number
        self._verb = 'run' if watch else 'drain'
        self._consumers = []
        self._bell = gocept.filestore.disk.process.Bell()
        self._ended = []
        self._errors = []

    def run(self, handler):
        """Run until no file is left, or until it is stopped.

        Raise the error that ended it.
        """
        self._consumers = [Strict(self._selection, handler)
                           for _ in range(self._number)]
        if self.stopped.wait(0):
            self.stop()
        self._work_in_threads()
        if self._errors:
            raise self._errors[0]

    def stop(self, *args):
        """Let the handlers finish that are running, and start no other."""
        self.stopped.ring()
        for consumer in self._consumers:
            consumer.stop()

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
            getattr(consumer, self._verb)()
        except Exception as error:
            self.end(error)
        finally:
            self._ended.append(consumer)
            self._bell.ring()
