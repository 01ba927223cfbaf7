"""Looks at many stores, none of which keeps the page from coming."""
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import gocept.filestore.monitor.health
import queue
import threading
import time


PATIENCE = 5  # seconds for all stores together
health = gocept.filestore.monitor.health


class Looks:
    """Looks at stores at the same time, each by one thread at most.

    A server of files that has gone lets a thread wait for ever: it is told
    as such until that one is back.
    """

    def __init__(self, patience=PATIENCE):
        self._patience = patience
        self._lock = threading.Lock()
        self._running = {}

    def at(self, stores):
        """Return what `look` found, by the names of the stores."""
        answers = {name: self._answers(store)
                   for name, store in stores.items()}
        end = time.monotonic() + self._patience
        return {name: self._answer(stores[name], answer, end)
                for name, answer in answers.items()}

    def _answers(self, store):
        with self._lock:
            thread = self._running.get(store.path)
            if thread is not None and thread.is_alive():
                return None
            answer = queue.SimpleQueue()
            self._running[store.path] = thread = threading.Thread(
                target=lambda: answer.put(look(store)), daemon=True)
            thread.start()
        return answer

    def _answer(self, store, answer, end):
        try:
            if answer is not None:
                return answer.get(timeout=max(0, end - time.monotonic()))
            reason = 'it has not answered since the last look'
        except queue.Empty:
            reason = 'it has not answered for %s seconds' % self._patience
        return None, health.unknown(store, reason)


def look(store):
    """Return the status of a store, or None, and how it is."""
    try:
        status = store.status()
    except gocept.filestore.interfaces.NotPrepared:
        return None, health.unknown(store, health.MISSING)
    except Exception as error:
        return None, health.unknown(store, reason(error))
    return status, health.judged(store, status, health.default_bounds())


def reason(error):
    if isinstance(error, OSError):
        return gocept.filestore.disk.space.described(error)
    return repr(error)
