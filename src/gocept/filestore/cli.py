import click
import gocept.filestore.argument
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.layout
import gocept.filestore.run
import gocept.filestore.source
import gocept.filestore.terminal
import os
import shutil
import signal
import sys


@click.group(no_args_is_help=False)
@click.version_option(
    package_name='gocept.filestore', message='%(package)s %(version)s')
def filestore():
    """Hand files from one process to another.

    STORE is the directory of a file store.
    """


@filestore.command()
@gocept.filestore.argument.STORE
@click.option('-m', '--mode', type=gocept.filestore.argument.Mode(),
              help='Mode of the directories.')
def prepare(store, mode):
    """Make the directories of a store."""
    gocept.filestore.filestore.FileStore(store, directory_mode=mode).prepare()
    gocept.filestore.terminal.say('prepared %r' % store)


@filestore.command()
@gocept.filestore.argument.STORE
@click.argument('files', metavar='FILE...', nargs=-1, required=True)
@click.option('--name', help='Name in the store, for a single FILE.')
@click.option('--replace', is_flag=True, help='Replace a file that waits.')
@click.option('-m', '--mode', type=gocept.filestore.argument.Mode(),
              help='Mode of the files.')
def publish(store, files, name, replace, mode):
    """Publish copies of files, or standard input for a "-".

    Without a name, standard input gets a unique one. The store is made if it
    is not there.
    """
    if name is not None and len(files) > 1:
        raise click.UsageError('--name goes with a single FILE')
    target = gocept.filestore.filestore.FileStore(store, file_mode=mode)
    make(target)

    def publish_one(file):
        filename = gocept.filestore.source.name(file) if name is None else name
        with gocept.filestore.source.opened(file) as source:
            with target.publish(filename, 'wb', replace) as draft:
                if mode is None:
                    gocept.filestore.source.restrict(draft, source)
                shutil.copyfileobj(source, draft)

    gocept.filestore.terminal.each(files, publish_one, 'published')


@filestore.command(name='list')
@gocept.filestore.argument.STORE
@click.argument(
    'space', default='new', metavar='[SPACE]',
    type=gocept.filestore.argument.SPACE_TO_LIST)
@click.option('-0', '--null', is_flag=True, help='End paths with NUL.')
def list_space(store, space, null):
    """List the files in a space (default: new) with their paths."""
    end = b'\0' if null else b'\n'
    paths = gocept.filestore.filestore.FileStore(store).list(space)
    click.echo(b''.join(os.fsencode(path) + end for path in paths), nl=False)


def command_between_spaces(verb, done, help):
    """Make the command for a verb that takes files to another space."""

    @filestore.command(name=verb, help=help)
    @gocept.filestore.argument.STORE
    @click.argument('source', type=gocept.filestore.argument.SPACE)
    @click.argument('destination', type=gocept.filestore.argument.SPACE)
    @click.argument('names', metavar='NAME...', nargs=-1, required=True)
    @click.option('-n', '--no-replace', is_flag=True,
                  help='Fail if the name is taken.')
    def command(store, source, destination, names, no_replace):
        store = gocept.filestore.filestore.FileStore(store)
        method = getattr(store, verb)
        gocept.filestore.terminal.each(names, lambda name: method(
            name, source, destination, replace=not no_replace), done)

    return command


move = command_between_spaces(
    'move', 'moved', 'Move files from one space to another.')
copy = command_between_spaces(
    'copy', 'copied', 'Copy files from one space to another.')


@filestore.command()
@gocept.filestore.argument.STORE
@click.argument('space', type=gocept.filestore.argument.SPACE)
@click.argument('names', metavar='NAME...', nargs=-1, required=True)
def remove(store, space, names):
    """Remove files from a space."""
    store = gocept.filestore.filestore.FileStore(store)
    gocept.filestore.terminal.each(
        names, lambda name: store.remove(name, space), 'removed')


@filestore.command()
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


def make(store):
    try:
        store.list('new')
    except gocept.filestore.interfaces.NotPrepared:
        store.prepare()
        gocept.filestore.terminal.say('made the file store %r' % store.path)


def main(args=None):
    """Run the command line, and return the exit status."""
    return gocept.filestore.terminal.run(filestore, args)


if __name__ == '__main__':
    sys.exit(main())
