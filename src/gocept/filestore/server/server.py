"""The parent of all workers: starts, watches and exchanges them."""
import functools
import gocept.filestore.disk.process
import gocept.filestore.interfaces
import gocept.filestore.server.declaration
import gocept.filestore.server.worker
import logging
import os


logger = logging.getLogger(__name__)


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IServer)
class Server:
    """The parent of all workers."""

    def __init__(self, read):
        self._read = read
        self._workers = []
        self._is_stopped = False
        self._wants_reload = False
        self._alive = os.pipe()
        self._bell = gocept.filestore.disk.process.Bell()

    def run(self):
        self._recruit(*self._found())
        with self._bell.rung_by_signals():
            while not self._is_stopped:
                self._tend()
        self._dismiss()

    def stop(self, *args):
        self._is_stopped = True
        self._bell.ring()

    def reload(self, *args):
        self._wants_reload = True
        self._bell.ring()

    def _tend(self):
        for worker in self._workers:
            worker.tend()
        self._wait()
        if self._wants_reload:
            self._reload()

    def _wait(self):
        """Wait for a signal, the death of a worker, or the next start."""
        waits = [worker.waits() for worker in self._workers]
        self._bell.wait(
            min((pause for _, pause in waits if pause is not None),
                default=None),
            [what for what, _ in waits if what is not None])
        self._bell.silence()

    def _found(self):
        """Return the deployment, and what is declared there.

        That is found out in a child: what is loaded there is forgotten.
        """
        deployment = self._read()
        return deployment, gocept.filestore.server.worker.in_child(
            check, deployment)

    def _recruit(self, deployment, declared):
        deployment.start_logging()
        self._workers = [
            gocept.filestore.server.worker.Worker(
                title, functools.partial(work, deployment, store, name),
                self._alive)
            for title, store, name, workers in declared
            for number in range(workers or deployment.workers)]

    def _reload(self):
        self._wants_reload = False
        try:
            found = self._found()
        except Exception as error:
            logger.error('not reloaded: %s', error)
            return
        logger.info('reloading')
        self._dismiss()
        self._recruit(*found)

    def _dismiss(self):
        for worker in self._workers:
            worker.dismiss()
        for worker in self._workers:
            worker.join()
        self._workers = []


def work(deployment, store, name):
    deployment.load()
    gocept.filestore.server.declaration.work(store, name)


def check(deployment):
    """Return title, store, name and workers of each declared consumer."""
    deployment.load()
    found = gocept.filestore.server.declaration.declarations()
    if not found:
        raise gocept.filestore.interfaces.InvalidDeclaration(
            None, 'no consumer is declared')
    for declaration in found:
        declaration.check()
    return [(declaration.title, declaration.store, declaration.name,
             declaration.workers) for declaration in found]
