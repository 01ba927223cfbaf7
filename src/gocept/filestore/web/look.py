"""Looks at many stores, none of which keeps the page from coming."""
import concurrent.futures
import gocept.filestore.disk.layout
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import gocept.filestore.monitor.health
import threading
import time


PATIENCE = 5  # seconds for all stores together
health = gocept.filestore.monitor.health


class Looks:
    """Looks at stores at the same time, each by one thread at most.

    Who comes while one looks waits for the same answer. A server of files that
    has gone lets a thread wait for ever: it is told as such until that one is
    back, and costs nobody any more time.
    """

    def __init__(self, patience=PATIENCE, now=time.monotonic):
        self._patience = patience
        self._now = now
        self._lock = threading.Lock()
        self._running = {}

    def at(self, stores):
        """Return what `look` found, by the names of the stores."""
        begun = {name: self._begun(store) for name, store in stores.items()}
        return {name: self._answer(stores[name], *each)
                for name, each in begun.items()}

    def _begun(self, store):
        """Return the answer that is to come, and until when we wait."""
        with self._lock:
            answer, end = self._running.get(store.path, (None, None))
            if answer is None or answer.done():
                answer = concurrent.futures.Future()
                end = self._now() + self._patience
                threading.Thread(
                    target=lambda: answer.set_result(look(store)),
                    daemon=True).start()
                self._running[store.path] = answer, end
        return answer, end

    def _answer(self, store, answer, end):
        try:
            return answer.result(max(0, end - self._now()))
        except TimeoutError:
            return None, health.unknown(
                store, 'it has not answered for %s seconds' % self._patience)


def look(store):
    """Return the status of a store, or None, and how it is."""
    try:
        # One that prepares itself would be made, where a disk is away.
        gocept.filestore.disk.layout.Layout(store.path)['new']
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
