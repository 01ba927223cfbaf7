"""`filestore intake`: what others drop into a folder goes into a store."""
import click
import collections
import gocept.filestore.cli.argument
import gocept.filestore.cli.terminal
import gocept.filestore.monitor.words
import gocept.filestore.server.collector


@click.command()
@click.argument('directory',
                type=gocept.filestore.cli.argument.Directory(str))
@gocept.filestore.cli.argument.STORE
@click.option('--watch', is_flag=True, help='Stay, and wait for more files.')
@click.option('--quiet', default='5', show_default=True, metavar='TIME',
              type=gocept.filestore.cli.argument.duration,
              help='How long a file does not change before it is taken.')
@click.option('--marker', metavar='SUFFIX',
              help='Take a file when there is one with this suffix, too.')
@gocept.filestore.cli.argument.INCLUDE
@gocept.filestore.cli.argument.EXCLUDE
@click.option('-v', '--verbose', is_flag=True, help='Tell of each file.')
def intake(directory, store, watch, quiet, marker, include, exclude, verbose):
    """Publish what others drop into DIRECTORY, each file when it is whole.

    The store is made if it is not there. Without --watch it ends as soon as
    the quiet period has shown which files are whole; the others are left.
    """
    try:
        folder = store.intake(directory, quiet, marker, include, exclude)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    gocept.filestore.cli.terminal.make(store)
    if verbose:
        gocept.filestore.cli.terminal.tell_more()
    collector = gocept.filestore.server.collector.Collector(
        folder, 0 if marker else quiet, watch)

    def collect():
        folder.check()
        collector.run()

    status = gocept.filestore.cli.terminal.until_stopped(
        collect, collector.stop)
    for reason, count in collections.Counter(folder.waiting.values()).items():
        gocept.filestore.cli.terminal.say('%s left: %s' % (
            gocept.filestore.monitor.words.counted(count), reason))
    gocept.filestore.cli.terminal.summary(
        gocept.filestore.monitor.words.counted(collector.taken), 'taken',
        collector.refused, status)
