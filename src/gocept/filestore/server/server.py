"""The parent of all workers: starts, watches and exchanges them."""
import contextlib
import functools
import gocept.filestore.disk.process
import gocept.filestore.interfaces
import gocept.filestore.server.declaration
import gocept.filestore.server.deployment
import gocept.filestore.server.progress
import gocept.filestore.server.worker
import logging
import os
import signal
import socket
import sys
import time


logger = logging.getLogger(__name__)


@gocept.filestore.interfaces.implementer(gocept.filestore.interfaces.IServer)
class Server:
    """The parent of all workers."""

    def __init__(self, read):
        self._read = read
        self._workers = []
        self._is_stopped = False
        self._wants_reload = False
        self._alive = os.pipe()
        self._pid_file = gocept.filestore.server.deployment.PidFile()
        self._channel = None  # from the workers to who counts
        self._manager = Manager()
        self._bell = gocept.filestore.disk.process.Bell()

    def run(self):
        with (self._bell.rung_by_signals(),
              gocept.filestore.disk.process.handled(
                  signal.SIGCHLD, self._bell.ring),
              contextlib.closing(self._pid_file)):
            self._start()
            try:
                self._serve()
            finally:  # nobody goes on without us
                self._dismiss()

    def _start(self):
        while not self._is_stopped:
            with contextlib.suppress(Interrupted):
                return self._recruit(*self._found())

    def _serve(self):
        while not self._is_stopped:
            if self._wants_reload:
                self._reload()
            else:
                self._tend()
                self._tell_ready()
                self._wait()

    def _dismiss(self):
        self._manager.tell('STOPPING=1', 'STATUS=stopping')
        for worker in self._workers:
            worker.exchange(None)
        while self._tend():
            self._wait()

    def stop(self, *args):
        self._is_stopped = True
        self._bell.ring(*args)

    def reload(self, *args):
        self._wants_reload = True
        self._bell.ring(*args)

    def _tend(self):
        self._workers = [worker for worker in self._workers if worker.tend()]
        return self._workers

    def _tell_ready(self):
        """Tell once that each worker has been started."""
        if not self._is_ready and all(
                worker.pause() is None for worker in self._workers):
            self._is_ready = True
            self._manager.tell('READY=1', 'STATUS=' + self._status)

    def _wait(self, others=()):
        """Wait for a signal, such as of a death, or for the next start."""
        self._manager.live()
        pauses = [worker.pause() for worker in self._workers]
        pauses.append(self._manager.pause)
        self._bell.wait(min(
            (pause for pause in pauses if pause is not None), default=None),
            others)
        self._bell.silence()

    def _found(self):
        """Return the deployment, and what a child finds declared there.

        Nothing of it counts before all is right, the log as the last.
        """
        self._wants_reload = self._is_ready = False
        deployment = self._read()
        with self._pid_file.exchanged(deployment.pid_filename):
            declared = gocept.filestore.server.worker.in_child(
                check, deployment, alive=self._alive, wait=self._go_on)
            deployment.start_logging()
        return deployment, declared

    def _go_on(self, others):
        """Look after the workers of before, while a child loads."""
        self._tend()
        self._wait(others)
        if self._is_stopped or self._wants_reload:
            raise Interrupted('a signal came before all was loaded')

    def _recruit(self, deployment, declared):
        """Exchange each worker when its file is done; none keeps others."""
        leaving, self._workers = self._workers, []
        channel = deployment.metrics and self._recruit_metrics(
            leaving, deployment.metrics)
        for title, words, workers in declared:
            does = functools.partial(work, deployment, channel, words)
            self._workers += [
                exchanged(leaving, title, does)
                or gocept.filestore.server.worker.Worker(
                    title, does, self._alive)
                for _ in range(workers or deployment.workers)]
        for worker in leaving:
            worker.exchange(None)
        self._workers += leaving
        self._status = '%s declared, %s workers' % (
            len(declared), sum(workers or deployment.workers
                               for _, _, workers in declared))

    def _recruit_metrics(self, leaving, address):
        """Keep who counts already, at this address; return how to tell it."""
        if self._channel is None:
            self._channel = gocept.filestore.server.progress.channel()
        reader, writer = self._channel
        title = 'metrics at %s:%s' % address
        kept = [worker for worker in leaving if worker.title == title]
        leaving[:] = [worker for worker in leaving if worker not in kept]
        self._workers += kept or [gocept.filestore.server.worker.Worker(
            title, functools.partial(
                gocept.filestore.server.progress.serve, address, reader),
            self._alive)]
        return writer

    def _reload(self):
        self._manager.tell('RELOADING=1', 'MONOTONIC_USEC=%d' % (
            time.monotonic_ns() // 1000), 'STATUS=reloading')
        try:
            found = self._found()
        except Interrupted as error:
            logger.info('not reloaded: %s', error)
        except Exception as error:
            logger.error('not reloaded: %s', error)
        else:
            logger.info('reloading')
            self._recruit(*found)


class Interrupted(Exception):
    """Nobody waits any more for what a child loads."""


class Manager:
    """Whoever has started us and wants to know how it goes: sd_notify(3).

    systemd promises to keep the protocol. Of what is on the index, one is kept
    well: it brings six megabytes, and knows no MONOTONIC_USEC.
    """

    def __init__(self, environ=os.environ):
        # Taken away: neither a handler nor its children may speak for us.
        address, microseconds, process = (environ.pop(name, '') for name in (
            'NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID'))
        self._address = (
            '\0' + address[1:] if address[:1] == '@' else address)
        self.pause = None  # seconds between two signs of life
        if process in ('', str(os.getpid())) and microseconds.isdecimal():
            self.pause = int(microseconds) / 3e6 or None

    def live(self):
        if self.pause is not None:
            self.tell('WATCHDOG=1')

    def tell(self, *lines):
        """Tell it, if there is one; a wrong address is no reason to end."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaking:
                speaking.settimeout(1)
                speaking.connect(self._address)
                speaking.send('\n'.join(lines).encode())
        except OSError as error:
            logger.warning('who has started us is not told: %s', error)


def exchanged(workers, title, does):
    """Give a worker of this title other work; take it out and return it."""
    for worker in workers:
        if worker.title == title:
            workers.remove(worker)
            worker.exchange(does)
            return worker


def work(deployment, channel, words):
    """Run what is declared, a consumer or an intake."""
    deployment.load()
    declaration = gocept.filestore.server.declaration.declared(*words)
    if gocept.filestore.interfaces.IConsumerDeclaration.providedBy(
            declaration):
        return consume(declaration, channel)
    gocept.filestore.server.progress.tell_title('intake ' + declaration.title)
    gocept.filestore.server.declaration.run(declaration.worker())


def consume(declaration, channel):
    """Run a consumer; exit if the next worker is to take the place of this."""
    consumer = gocept.filestore.server.progress.Progress(
        declaration, channel).consumer
    gocept.filestore.server.declaration.run(consumer)
    if consumer.renewal:
        logger.info('%s: %s', declaration.title, consumer.renewal)
        sys.exit(gocept.filestore.server.worker.RENEWED)


def check(deployment):
    """Return title, words to find it by, and workers of each declaration."""
    deployment.load()
    found = gocept.filestore.server.declaration.declarations()
    if not found:
        raise gocept.filestore.interfaces.InvalidDeclaration(
            None, 'neither a consumer nor an intake is declared')
    for declaration in found:
        declaration.check()
    return [(declaration.title, (declaration.store, declaration.name,
                                 declaration.directory), declaration.workers)
            for declaration in found]
