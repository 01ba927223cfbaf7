import signal
import subprocess
import threading


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
        self._stopping = threading.Event()
        self._counting = threading.Lock()
        self._errors = []

    def run(self):
        """Run until no file is left, or until it is stopped.

        Raise the error of the store, or of starting the command, that ended
        it.
        """
        threads = [threading.Thread(target=self._work)
                   for number in range(self._workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def stop(self, *args):
        """Let the running commands finish, and start no other."""
        self._stopping.set()

    def _work(self):
        try:
            for claim in self._claims():
                self._process(claim)
        except Exception as error:
            self._errors.append(error)
            self.stop()

    def _claims(self):
        while not self._stopping.is_set():
            claim = self._store.claim()
            if claim is not None:
                yield claim
            elif self._watch:
                self._stopping.wait(self.interval)
            else:
                return

    def _process(self, claim):
        status = self._execute(claim)
        if status == 0:
            claim.finish(self._keep)
            self._count(claim)
        elif status < 0 and self._stopping.is_set():
            claim.release()  # whoever stops us has stopped the command, too
        else:
            claim.fail(described(status))
            self._count(claim, described(status))

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
    if status < 0:
        return 'the command was killed by %s' % signal.Signals(-status).name
    return 'the command exited with status %s' % status
