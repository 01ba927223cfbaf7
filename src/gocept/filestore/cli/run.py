"""`filestore run`: a command for one file after the other."""
import click
import gocept.filestore.cli.argument
import gocept.filestore.cli.terminal
import gocept.filestore.cli.worker
import gocept.filestore.disk.layout
import gocept.filestore.disk.process
import gocept.filestore.disk.space
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.monitor.words
import gocept.filestore.retry.policy
import json
import os
import threading


# How a command ends that whoever stops us has stopped, too. A shell, and who
# catches the signal, adds 128.
STOPPED = tuple(status for number in gocept.filestore.cli.terminal.STOPS
                for status in (-number, 128 + number))
PATIENCE = 1  # seconds that our signal may come after that of the command
METADATA = 'FILESTORE_METADATA'  # what goes with the file, as JSON
GONE = ('the file has gone: the command has taken it away, which goes with '
        '--remove only, or another process has taken it over')


class Command:
    """A handler that runs a command, and settles the claim by its status."""

    def __init__(self, words, workers, keep=True,
                 report=lambda filename, error: None, timeout=None,
                 grace=gocept.filestore.cli.worker.GRACE):
        self.finished = 0
        self.failed = 0
        self._words = words
        self._workers = workers
        self._keep = keep
        self._report = report
        self._timeout = timeout
        self._grace = grace
        self._counting = threading.Lock()

    def __call__(self, claim):
        try:
            self._settle(claim, *self._execute(claim))
        except gocept.filestore.interfaces.NoSuchFile:
            self._count(claim, GONE)
        except Exception as error:
            gocept.filestore.disk.space.tell_path(error, claim.path)
            if self._workers.stays and self._is_of_the_disk(error):
                if not claim.given_back:
                    self._count(
                        claim, gocept.filestore.cli.terminal.described(error))
                raise  # the consumer settles it
            self._workers.end(error)
            claim.drop()

    def _is_of_the_disk(self, error):
        """Tell whether it may go on later; a wrong command does not."""
        return isinstance(error, OSError) and error.filename != self._words[0]

    def _settle(self, claim, status, is_late):
        if is_late:
            self._fail(claim, 'took longer than %g seconds' % self._timeout)
        elif status == 0:
            self._finish(claim)
            self._count(claim)
        elif self._is_stopped(status):
            claim.release()
        else:
            self._fail(claim, gocept.filestore.disk.process.ended(status))

    def _fail(self, claim, how):
        reason = 'the command ' + how
        claim.fail(reason)
        self._count(claim, '%s; %s' % (
            reason, 'given up' if claim.due is None
            else 'will be tried again'))

    def _finish(self, claim):
        try:
            claim.finish(self._keep)
        except gocept.filestore.interfaces.NoSuchFile:
            if self._keep:
                raise  # else the command may remove it, too

    def _is_stopped(self, status):
        """Tell whether we, or whoever stops us, have stopped the command."""
        if self._workers.abandoned.wait(0):
            return True
        if status in STOPPED:
            return self._workers.stopped.wait(PATIENCE)
        return status < 0 and self._workers.stopped.wait(0)

    def _execute(self, claim):
        """Run the command, which inherits the lock; return how it ends."""
        try:
            session = gocept.filestore.cli.worker.Session(
                [word.replace('{}', claim.path) for word in self._words],
                claim.fileno(), {METADATA: json.dumps(claim.metadata)},
                self._grace)
        except OSError:
            claim.release()
            raise
        return session.wait(self._workers.abandoned, self._timeout)

    def _count(self, claim, error=None):
        with self._counting:
            if error is None:
                self.finished += 1
            else:
                self.failed += 1
            self._report(claim.filename, error)


@click.command()
@gocept.filestore.cli.argument.PATH
@click.argument('command', metavar='COMMAND ARG...', nargs=-1, required=True,
                callback=gocept.filestore.cli.argument.command,
                shell_complete=gocept.filestore.cli.argument.files)
@click.option('-w', '--workers', default=1, show_default=True,
              type=click.IntRange(min=1), help='Commands at a time.')
@gocept.filestore.cli.argument.INCLUDE
@gocept.filestore.cli.argument.EXCLUDE
@click.option('--order', default='age', show_default=True,
              type=click.Choice(gocept.filestore.interfaces.ORDERS),
              help='Which file comes next.')
@click.option('--keep/--remove', default=True,
              help='Keep what is done in cur (the default), or remove it.')
@click.option('--watch', is_flag=True, help='Stay, and wait for more files.')
@click.option('--poll', default='%ss' % gocept.filestore.interfaces.POLL,
              show_default=True, metavar='TIME',
              type=gocept.filestore.cli.argument.limit,
              help='Between two looks, if no notification comes.')
@click.option('--attempts', default=5, show_default=True,
              type=click.IntRange(min=1), help='How often a file is tried.')
@click.option('--delay', default='60s', show_default=True, metavar='TIME',
              type=gocept.filestore.cli.argument.duration,
              help='Time until the second attempt. It doubles each time.')
@click.option('--max-delay', metavar='TIME',
              type=gocept.filestore.cli.argument.duration,
              help='Longest time between two attempts. Without it, an hour, '
                   'or the delay if that is longer.')
@click.option('--timeout', metavar='TIME',
              type=gocept.filestore.cli.argument.limit,
              help='How long a command may take. Then it is stopped, and has '
                   'failed.')
@click.option('--rate', metavar='NUMBER',
              type=gocept.filestore.cli.argument.rate,
              help='Files per second, at most, for each worker.')
@click.option('--quiet', metavar='TIME',
              type=gocept.filestore.cli.argument.duration,
              help='Take files only that have not changed for so long, and '
                   'that nobody is writing.')
def run(path, command, workers, include, exclude, order, keep, watch, poll,
        attempts, delay, max_delay, timeout, rate, quiet):
    """Run a command for each file that waits.

    Put "--" before the command; {} is replaced by the path of the file. On
    exit status 0 the file is done, otherwise it waits to be tried again, and
    moves to the space "failed" after the last attempt. SIGTERM, SIGINT and
    SIGHUP let the running commands finish; an interrupt after that stops them,
    and their files go back.
    """
    if timeout is not None:
        os.close(os.pidfd_open(os.getpid()))  # none before Linux 5.3
    store = gocept.filestore.filestore.FileStore(
        gocept.filestore.disk.layout.absolute(path))
    store.list('new')  # or it is told at once that there is none
    threads = gocept.filestore.cli.worker.Workers(
        store.select(include, exclude, order,
                     policy(attempts, delay, max_delay), quiet),
        workers, watch, rate=rate, poll=poll)
    command = Command(command, threads, keep, complain, timeout)
    status = gocept.filestore.cli.terminal.until_stopped(
        lambda: threads.run(command), threads.stop, threads.abandon)
    gocept.filestore.cli.terminal.summary(
        gocept.filestore.monitor.words.counted(command.finished),
        'processed', command.failed, status)


def policy(*how):
    try:
        return gocept.filestore.retry.policy.RetryPolicy(*how)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def complain(filename, error):
    """Tell what has failed. What succeeds tells of itself: the terminal is
    that of the commands, and a progress bar would eat what they write there.
    """
    if error:
        gocept.filestore.cli.terminal.complain('%r: %s' % (filename, error))
