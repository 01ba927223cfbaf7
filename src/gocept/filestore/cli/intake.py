"""`filestore intake`: what others drop into a folder goes into a store."""
import click
import collections
import gocept.filestore.cli.argument
import gocept.filestore.cli.terminal
import gocept.filestore.disk.process
import gocept.filestore.filestore
import gocept.filestore.interfaces
import signal
import time


NO_LEASES = ('it can not be told here whether a process has a file open for '
             'writing: only the quiet period shows which ones are whole')


class Collector:
    """Lets an intake take files, once or again and again, and tells of it."""

    def __init__(self, intake, quiet, watch=False,
                 poll=gocept.filestore.interfaces.POLL, now=time.monotonic):
        self.taken = 0
        self.refused = 0
        self._intake = intake
        self._quiet = quiet
        self._watch = watch
        self._poll = poll
        self._now = now
        self._told = {}
        self._has_told_of_leases = False
        self._bell = gocept.filestore.disk.process.Bell()

    def stop(self, *args):
        """End at once, or after this look, if there is one."""
        self._bell.ring()

    def run(self):
        """Look until it is stopped; or, unless it watches, until all that was
        there has been taken or has had its quiet period.
        """
        self._look()
        self._end = self._now() + self._quiet
        with self._bell.rung_by_signals():
            while (pause := self._pause()) and not self._bell.wait(pause):
                self._look()

    def _pause(self):
        """Return the seconds until the next look, 0 if there is none."""
        if self._watch:
            return self._poll
        if not self._intake.waiting:
            return 0
        return max(0, min(self._poll, self._end - self._now()))

    def _look(self):
        self.taken += len(self._intake.take())
        self._tell_refused()
        if self._intake.leases is False and not self._has_told_of_leases:
            self._has_told_of_leases = True
            gocept.filestore.cli.terminal.complain(NO_LEASES)
            # A second period has just begun.
            self._end = self._now() + self._quiet

    def _tell_refused(self):
        """Tell why files are refused, each reason once."""
        told, self._told = self._told, {
            filename: gocept.filestore.cli.terminal.described(error, filename)
            for filename, error in self._intake.refused.items()}
        for filename, reason in self._told.items():
            if told.get(filename) != reason:
                self.refused += 1
                gocept.filestore.cli.terminal.complain(reason)


@click.command()
@click.argument('directory')
@gocept.filestore.cli.argument.STORE
@click.option('--watch', is_flag=True, help='Stay, and wait for more files.')
@click.option('--quiet', default='5', show_default=True, metavar='TIME',
              type=gocept.filestore.cli.argument.duration,
              help='How long a file does not change before it is taken.')
@click.option('--marker', metavar='SUFFIX',
              help='Take a file when there is one with this suffix, too.')
@click.option('--include', multiple=True, default=['*'], metavar='PATTERN',
              help='Take files of such a name only.')
@click.option('--exclude', multiple=True, metavar='PATTERN',
              help='Take no files of such a name.')
def intake(directory, store, watch, quiet, marker, include, exclude):
    """Publish what others drop into DIRECTORY, each file when it is whole.

    The store is made if it is not there. Without --watch it ends as soon as
    the quiet period has shown which files are whole; the others are left.
    """
    store = gocept.filestore.filestore.FileStore(store)
    try:
        folder = store.intake(directory, quiet, marker, include, exclude)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    gocept.filestore.cli.terminal.make(store)
    collector = Collector(folder, 0 if marker else quiet, watch)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, collector.stop)
    error = gocept.filestore.cli.terminal.tell_error(collector.run)
    for reason, count in collections.Counter(folder.waiting.values()).items():
        gocept.filestore.cli.terminal.say('%s left: %s' % (
            gocept.filestore.cli.terminal.files(count), reason))
    gocept.filestore.cli.terminal.summary(
        collector.taken, 'taken', collector.refused, error)
