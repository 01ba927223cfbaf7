import click
import collections
import gocept.filestore.cli.argument
import gocept.filestore.cli.collect
import gocept.filestore.cli.run
import gocept.filestore.cli.terminal
import gocept.filestore.disk.layout
import gocept.filestore.filestore
import gocept.filestore.retry.policy
import signal


LONGEST = 3600  # seconds between two attempts, unless the first is longer


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
              type=gocept.filestore.cli.argument.Duration(),
              help='Time until the second attempt. It doubles each time.')
@click.option('--quiet', metavar='TIME',
              type=gocept.filestore.cli.argument.Duration(),
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

        runner = gocept.filestore.cli.run.Runner(
            store, command, workers, not remove, watch, report)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, runner.stop)
        error = gocept.filestore.cli.terminal.tell_error(runner.run)
    gocept.filestore.cli.terminal.summary(
        runner.finished, 'processed', runner.failed, error)


@click.command()
@click.argument('directory')
@gocept.filestore.cli.argument.STORE
@click.option('--watch', is_flag=True, help='Stay, and wait for more files.')
@click.option('--quiet', default='5', show_default=True, metavar='TIME',
              type=gocept.filestore.cli.argument.Duration(),
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
    collector = gocept.filestore.cli.collect.Collector(
        folder, 0 if marker else quiet, watch)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, collector.stop)
    error = gocept.filestore.cli.terminal.tell_error(collector.run)
    for reason, count in collections.Counter(folder.waiting.values()).items():
        gocept.filestore.cli.terminal.say('%s left: %s' % (
            gocept.filestore.cli.terminal.files(count), reason))
    gocept.filestore.cli.terminal.summary(
        collector.taken, 'taken', collector.refused, error)
