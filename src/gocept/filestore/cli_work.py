import click
import gocept.filestore.argument
import gocept.filestore.filestore
import gocept.filestore.layout
import gocept.filestore.run
import gocept.filestore.terminal
import signal


@click.command()
@gocept.filestore.argument.STORE
@click.argument('command', metavar='COMMAND ARG...', nargs=-1, required=True,
                callback=gocept.filestore.argument.command)
@click.option('-w', '--workers', default=1, show_default=True,
              type=click.IntRange(min=1), help='Commands at a time.')
@click.option('--remove', is_flag=True,
              help='Remove what is done, instead of keeping it in cur.')
@click.option('--watch', is_flag=True, help='Stay, and wait for more files.')
def run(store, command, workers, remove, watch):
    """Run a command for each file that waits.

    Put "--" before the command; {} is replaced by the path of the file. On
    exit status 0 the file is done, otherwise it moves to the space "failed".
    SIGTERM and SIGINT let the running commands finish.
    """
    store = gocept.filestore.filestore.FileStore(
        gocept.filestore.layout.absolute(store))
    waiting = len(store.list('new')) + len(store.list('work'))
    with gocept.filestore.terminal.progress(None if watch else waiting) as bar:
        def report(filename, error):
            bar.update()
            if error:
                gocept.filestore.terminal.complain(
                    '%r: %s' % (filename, error))

        runner = gocept.filestore.run.Runner(
            store, command, workers, not remove, watch, report)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, runner.stop)
        error = gocept.filestore.terminal.tell_error(runner.run)
    gocept.filestore.terminal.summary(
        runner.finished, 'processed', runner.failed, error)
