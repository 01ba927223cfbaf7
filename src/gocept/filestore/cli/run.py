import errno
import gocept.filestore.interfaces
import signal
import subprocess
import threading


# How a command ends that whoever stops us has stopped, too. A shell, and who
# catches the signal, adds 128.
STOPPED = (-signal.SIGTERM, 128 + signal.SIGTERM,
           -signal.SIGINT, 128 + signal.SIGINT)
GONE = 'the command has taken the file away, which goes with --remove only'


class Runner:
    """Runs a command for one file after the other, several at a time."""

    interval = 1  # seconds between two looks, when it watches

    def __init__(self, store, command, workers=1, keep=True, watch=False,
                 report=lambda filename, error: None):
        self.finished = 0
        self.failed = 0
        self._store = store
        self._command = command
        self._workers = workers
        self._keep = keep
        self._watch = watch
        self._report = report
        self._told_to_stop = False
        self._stopping = threading.Event()
        self._watches = []
        self._counting = threading.Lock()
        self._errors = []

    def run(self):
        """Run until no file is left, or until it is stopped.

        Raise the error of the store, or of starting the command, that ended
        it.
        """
        threads = [threading.Thread(target=self._work)
                   for number in range(self._workers)]
        for thread in list(filter(self._start, threads)):
            self._join(thread)
        if self._errors:
            raise self._errors[0]

    def _start(self, thread):
        """Start a worker; tell whether it works."""
        try:
            thread.start()
        except RuntimeError as error:  # too many, or not enough memory
            self._errors.append(OSError(errno.EAGAIN, str(error)))
            self.stop()
            return False
        return True

    def _join(self, thread):
        # The kernel may hand one of two signals to another thread, and not
        # wake this one, which has to call the handler.
        while thread.is_alive():
            thread.join(self.interval)

    def stop(self, *args):
        """Let the running commands finish, and start no other."""
        # A second signal may interrupt us while we hold the event's lock.
        if not self._told_to_stop:
            self._told_to_stop = True
            self._stopping.set()
            for watch in list(self._watches):
                watch.stop()

    def _work(self):
        try:
            for claim in self._claims():
                self._process(claim)
        except Exception as error:
            self._errors.append(error)
            self.stop()

    def _claims(self):
        """Yield claims until we are stopped, or none is left."""
        claims = self._store.claims()
        if self._watch:
            claims = self._store.watch(self.interval)
            self._watches.append(claims)
        while not self._stopping.is_set():
            claim = next(claims, None)
            if claim is None:
                return
            yield claim

    def _process(self, claim):
        try:
            self._settle(claim, self._execute(claim))
        except gocept.filestore.interfaces.NoSuchFile:
            self._count(claim, GONE)
        except OSError as error:
            if error.filename is None:
                error.filename = claim.path
            raise

    def _settle(self, claim, status):
        if status == 0:
            claim.finish(self._keep)
            self._count(claim)
        elif self._is_stopped(status):
            claim.release()
        else:
            claim.fail(described(status))
            self._count(claim, described(status))

    def _is_stopped(self, status):
        """Tell whether whoever stops us has stopped the command, too.

        Its signal may come before ours.
        """
        if status in STOPPED:
            return self._stopping.wait(self.interval)
        return status < 0 and self._stopping.is_set()

    def _execute(self, claim):
        """Run the command, which inherits the lock, and return its status.

        It gets a process group of its own: an interrupt from the keyboard is
        for us, and lets it finish.
        """
        command = [word.replace('{}', claim.path) for word in self._command]
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL,
                pass_fds=[claim.fileno()], process_group=0)
        except OSError:
            claim.release()
            raise
        return process.wait()

    def _count(self, claim, error=None):
        with self._counting:
            if error is None:
                self.finished += 1
            else:
                self.failed += 1
            self._report(claim.filename, error)


def described(status):
    if status >= 0:
        return 'the command exited with status %s' % status
    try:
        return 'the command was killed by %s' % signal.Signals(-status).name
    except ValueError:  # a real-time signal
        return 'the command was killed by signal %s' % -status
