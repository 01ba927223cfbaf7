import click
import gocept.filestore.argument
import gocept.filestore.filestore
import gocept.filestore.source
import gocept.filestore.terminal
import os
import shutil


@click.command()
@gocept.filestore.argument.STORE
@click.option('-m', '--mode', type=gocept.filestore.argument.Mode(),
              help='Mode of the directories.')
def prepare(store, mode):
    """Make the directories of a store."""
    gocept.filestore.filestore.FileStore(store, directory_mode=mode).prepare()
    gocept.filestore.terminal.say('prepared %r' % store)


@click.command()
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
    gocept.filestore.terminal.make(target)

    def publish_one(file):
        filename = gocept.filestore.source.name(file) if name is None else name
        with gocept.filestore.source.opened(file) as source:
            with target.publish(filename, 'wb', replace) as draft:
                if mode is None:
                    gocept.filestore.source.restrict(draft, source)
                shutil.copyfileobj(source, draft)

    gocept.filestore.terminal.each(files, publish_one, 'published')


@click.command(name='list')
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

    @click.command(name=verb, help=help)
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


@click.command()
@gocept.filestore.argument.STORE
@click.argument('space', type=gocept.filestore.argument.SPACE)
@click.argument('names', metavar='NAME...', nargs=-1, required=True)
def remove(store, space, names):
    """Remove files from a space."""
    store = gocept.filestore.filestore.FileStore(store)
    gocept.filestore.terminal.each(
        names, lambda name: store.remove(name, space), 'removed')
