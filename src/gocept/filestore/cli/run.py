"""`filestore run`: a command for one file after the other."""
import click
import gocept.filestore.cli.argument
import gocept.filestore.cli.terminal
import gocept.filestore.cli.worker
import gocept.filestore.disk.layout
import gocept.filestore.disk.process
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import signal
import subprocess
import threading


LONGEST = 3600  # seconds between two attempts, unless the first is longer
# How a command ends that whoever stops us has stopped, too. A shell, and who
# catches the signal, adds 128.
STOPPED = (-signal.SIGTERM, 128 + signal.SIGTERM,
           -signal.SIGINT, 128 + signal.SIGINT)
PATIENCE = 1  # seconds that our signal may come after that of the command
GONE = 'the command has taken the file away, which goes with --remove only'


class Command:
    """A handler that runs a command, and settles the claim by its status."""

    def __init__(self, words, workers, keep=True,
                 report=lambda filename, error: None):
        self.finished = 0
        self.failed = 0
        self._words = words
        self._workers = workers
        self._keep = keep
        self._report = report
        self._counting = threading.Lock()

    def __call__(self, claim):
        try:
            self._settle(claim, self._execute(claim))
        except gocept.filestore.interfaces.NoSuchFile:
            self._count(claim, GONE)
        except Exception as error:
            if isinstance(error, OSError) and error.filename is None:
                error.filename = claim.path
            self._workers.end(error)
            claim.drop()

    def _settle(self, claim, status):
        if status == 0:
            claim.finish(self._keep)
            self._count(claim)
        elif self._is_stopped(status):
            claim.release()
        else:
            reason = 'the command ' + gocept.filestore.disk.process.ended(
                status)
            claim.fail(reason)
            self._count(claim, reason)

    def _is_stopped(self, status):
        """Tell whether whoever stops us has stopped the command, too."""
        if status in STOPPED:
            return self._workers.stopped.wait(PATIENCE)
        return status < 0 and self._workers.stopped.wait(0)

    def _execute(self, claim):
        """Run the command, which inherits the lock, and return its status.

        It gets a process group of its own: an interrupt from the keyboard is
        for us, and lets it finish.
        """
        try:
            process = subprocess.Popen(
                [word.replace('{}', claim.path) for word in self._words],
                stdin=subprocess.DEVNULL, pass_fds=[claim.fileno()],
                process_group=0)
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


@click.command()
@gocept.filestore.cli.argument.STORE
@click.argument('command', metavar='COMMAND ARG...', nargs=-1, required=True,
                callback=gocept.filestore.cli.argument.command)
@click.option('-w', '--workers', default=1, show_default=True,
              type=click.IntRange(min=1), help='Commands at a time.')
@click.option('--remove', is_flag=True,
              help='Remove what is done, instead of keeping it in cur.')
@click.option('--watch', is_flag=True, help='Stay, and wait for more files.')
@click.option('--attempts', default=5, show_default=True,
              type=click.IntRange(min=1), help='How often a file is tried.')
@click.option('--delay', default='60', show_default=True, metavar='TIME',
              type=gocept.filestore.cli.argument.duration,
              help='Time until the second attempt. It doubles each time.')
@click.option('--quiet', metavar='TIME',
              type=gocept.filestore.cli.argument.duration,
              help='Take files only that have not changed for so long, and '
                   'that nobody is writing.')
def run(store, command, workers, remove, watch, attempts, delay, quiet):
    """Run a command for each file that waits.

    Put "--" before the command; {} is replaced by the path of the file. On
    exit status 0 the file is done, otherwise it waits to be tried again, and
    moves to the space "failed" after the last attempt. SIGTERM and SIGINT let
    the running commands finish.
    """
    policy = gocept.filestore.retry.policy.RetryPolicy(
        attempts, delay, max(delay, LONGEST))
    store = gocept.filestore.filestore.FileStore(
        gocept.filestore.disk.layout.absolute(store), retry_policy=policy,
        quiet=quiet)
    waiting = len(store.list('new')) + len(store.list('work'))
    with gocept.filestore.cli.terminal.progress(
            None if watch else waiting) as bar:
        def report(filename, error):
            bar.update()
            if error:
                gocept.filestore.cli.terminal.complain(
                    '%r: %s' % (filename, error))

        threads = gocept.filestore.cli.worker.Workers(store, workers, watch)
        command = Command(command, threads, not remove, report)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, threads.stop)
        error = gocept.filestore.cli.terminal.tell_error(
            lambda: threads.run(command))
    gocept.filestore.cli.terminal.summary(
        command.finished, 'processed', command.failed, error)
