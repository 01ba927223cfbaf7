"""What a worker tells of its files, and the process that counts them."""
import contextlib
import fcntl
import gocept.filestore.disk.process
import gocept.filestore.interfaces
import json
import logging
import os
import setproctitle
import signal
import time
import zope.component
import zope.event


logger = logging.getLogger(__name__)
LONGEST = 150  # characters of a name: a pipe takes 4 KB as a whole
SIZE = 2 ** 20  # bytes of a pipe: of ten thousand files
# Seconds: a line in a database, a mail, a film.
BUCKETS = (.001, .01, .1, .5, 1, 5, 10, 60, 300, 1800, 3600)


class Progress:
    """Goes with the files of a worker, and tells of them."""

    def __init__(self, declaration, channel=None, now=time.monotonic):
        self._declaration = declaration
        self._channel = channel
        self._now = now
        self._title = 'consumer ' + ' of '.join(
            filter(None, (declaration.name, declaration.store)))
        self.consumer = declaration.consumer(around=self._around)
        self._path = zope.component.getUtility(
            gocept.filestore.interfaces.IFileStore, declaration.store).path
        tell_title(self._title, 'idle')
        if channel is not None:
            zope.event.subscribers.append(self._tell_given_up)

    @contextlib.contextmanager
    def _around(self, claim):
        tell_title(self._title, claim.filename)
        begin = self._now()
        try:
            yield
        finally:
            tell_title(self._title, 'idle')
            if self._channel is not None:
                self._tell(outcome_of(claim), self._now() - begin)

    def _tell_given_up(self, event):
        """Tell of the last attempt, which may have been a death, too."""
        if (gocept.filestore.interfaces.IGivenUp.providedBy(event)
                and event.store == self._path):
            self._tell('given up', None)

    def _tell(self, *facts):
        """Tell it who counts; nobody waits for one who does not listen."""
        names = self._declaration.store, self._declaration.name
        message = [*(name[:LONGEST] for name in names), *facts]
        with contextlib.suppress(BlockingIOError):
            os.write(self._channel, b'%s\n' % json.dumps(message).encode())


def outcome_of(claim):
    """Return how it ended; None for the end that an event tells of."""
    if claim.given_back:
        return 'given back'
    if claim.has_failed:
        return None if claim.due is None else 'failed'
    return 'done'


def tell_title(*words):
    """Let ps(1) tell what this process does."""
    title = ': '.join(('filestore', *words))
    setproctitle.setproctitle(
        title.encode(errors='backslashreplace').decode())


def channel():
    """Return the ends of who counts, and of those who tell.

    A pipe: a socket holds a few hundred messages only, however small.
    """
    reader, writer = os.pipe()
    with contextlib.suppress(OSError):  # so much is not allowed to everybody
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, SIZE)
    os.set_blocking(writer, False)
    return reader, writer


class Metrics:
    """What the workers have told, for Prometheus."""

    def __init__(self):
        import prometheus_client
        self._registry = prometheus_client.CollectorRegistry()
        self._attempts = prometheus_client.Counter(
            'filestore_attempts', 'Attempts that have ended, and how.',
            ('store', 'consumer', 'outcome'), registry=self._registry)
        self._seconds = prometheus_client.Histogram(
            'filestore_attempt_seconds', 'How long attempts have taken.',
            ('store', 'consumer'), registry=self._registry, buckets=BUCKETS)

    def listen(self, host, port):
        """Answer who asks, in threads; return the address."""
        import prometheus_client
        server, _ = prometheus_client.start_http_server(
            port, host, self._registry)
        return 'http://%s:%s/metrics' % (
            '[%s]' % host if ':' in host else host, server.server_port)

    def count(self, store, consumer, outcome, seconds):
        if outcome is not None:
            self._attempts.labels(store, consumer, outcome).inc()
        if seconds is not None:
            self._seconds.labels(store, consumer).observe(seconds)


def serve(address, reader):
    """Serve metrics until SIGTERM; no worker shares a thread with that."""
    bell = gocept.filestore.disk.process.Bell()
    with (bell.rung_by_signals(),
          gocept.filestore.disk.process.handled(signal.SIGTERM, bell.ring)):
        metrics = announced(address)
        rest = b''
        while not bell.wait(others=[reader]):
            *lines, rest = (rest + os.read(reader, SIZE)).split(b'\n')
            for line in lines:
                # Who died before may have got the beginning of a line.
                with contextlib.suppress(ValueError):
                    metrics.count(*json.loads(line))


def announced(address):
    """Return metrics that are served, and say where."""
    metrics = Metrics()
    try:
        url = metrics.listen(*address)
    except OSError as error:
        raise gocept.filestore.interfaces.InvalidDeclaration(
            None, error.strerror) from error
    logger.info('metrics at %s', url)
    tell_title('metrics at ' + url)
    # It stays when others are exchanged, and a log file may be moved aside.
    logging.basicConfig(handlers=(), force=True)
    return metrics
