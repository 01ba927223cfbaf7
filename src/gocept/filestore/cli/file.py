"""Commands for files: prepare, publish, list, move, copy and remove."""
import click
import errno
import gocept.filestore.cli.argument
import gocept.filestore.cli.terminal
import gocept.filestore.disk.copy
import gocept.filestore.filestore
import os
import shutil
import stat
import sys


STANDARD_INPUT = '-'


def opened(file):
    """Open what is to be published; never wait for the end of a pipe."""
    if file == STANDARD_INPUT:
        if sys.stdin is None:
            raise OSError(errno.EBADF, 'standard input is closed', file)
        # Reading would end too early if another process had changed this.
        os.set_blocking(0, True)
        return open(0, 'rb', closefd=False)
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, 'not a regular file', file)
    return open(descriptor, 'rb')


def restrict(draft, source):
    """Make a draft no more readable than what it is a copy of."""
    status = os.fstat(draft.fileno())
    if stat.S_ISREG(os.fstat(source.fileno()).st_mode):
        allowed = gocept.filestore.disk.copy.mode_for(
            source.fileno(), status.st_gid)
        os.fchmod(draft.fileno(), status.st_mode & allowed)


@click.command()
@gocept.filestore.cli.argument.STORE
@click.option('-m', '--mode', type=gocept.filestore.cli.argument.mode,
              help='Mode of the directories.')
def prepare(store, mode):
    """Make the directories of a store."""
    gocept.filestore.filestore.FileStore(store, directory_mode=mode).prepare()
    gocept.filestore.cli.terminal.say('prepared %r' % store)


@click.command()
@gocept.filestore.cli.argument.STORE
@click.argument('files', metavar='FILE...', nargs=-1, required=True)
@click.option('--name', help='Name in the store, for a single FILE.')
@click.option('--replace', is_flag=True, help='Replace a file that waits.')
@click.option('-m', '--mode', type=gocept.filestore.cli.argument.mode,
              help='Mode of the files.')
def publish(store, files, name, replace, mode):
    """Publish copies of files, or standard input for a "-".

    Without a name, standard input gets a unique one. The store is made if it
    is not there.
    """
    if name is not None and len(files) > 1:
        raise click.UsageError('--name goes with a single FILE')
    target = gocept.filestore.filestore.FileStore(store, file_mode=mode)
    gocept.filestore.cli.terminal.make(target)

    def publish_one(file):
        filename = name
        if name is None and file != STANDARD_INPUT:
            filename = os.path.basename(file)
        with opened(file) as source:
            with target.publish(filename, 'wb', replace) as draft:
                if mode is None:
                    restrict(draft, source)
                shutil.copyfileobj(source, draft)

    gocept.filestore.cli.terminal.each(files, publish_one, 'published')


@click.command(name='list')
@gocept.filestore.cli.argument.STORE
@click.argument(
    'space', default='new', metavar='[SPACE]',
    type=gocept.filestore.cli.argument.SPACE_TO_LIST)
@click.option('-0', '--null', is_flag=True, help='End paths with NUL.')
def list_space(store, space, null):
    """List the files in a space (default: new) with their paths."""
    end = b'\0' if null else b'\n'
    paths = gocept.filestore.filestore.FileStore(store).list(space)
    click.echo(b''.join(os.fsencode(path) + end for path in paths), nl=False)


def command_between_spaces(verb, done, help):
    """Make the command for a verb that takes files to another space."""

    @click.command(name=verb, help=help)
    @gocept.filestore.cli.argument.STORE
    @click.argument('source', type=gocept.filestore.cli.argument.SPACE)
    @click.argument('destination', type=gocept.filestore.cli.argument.SPACE)
    @click.argument('names', metavar='NAME...', nargs=-1, required=True)
    @click.option('-n', '--no-replace', is_flag=True,
                  help='Fail if the name is taken.')
    def command(store, source, destination, names, no_replace):
        store = gocept.filestore.filestore.FileStore(store)
        method = getattr(store, verb)
        gocept.filestore.cli.terminal.each(names, lambda name: method(
            name, source, destination, replace=not no_replace), done)

    return command


move = command_between_spaces(
    'move', 'moved', 'Move files from one space to another.')
copy = command_between_spaces(
    'copy', 'copied', 'Copy files from one space to another.')


@click.command()
@gocept.filestore.cli.argument.STORE
@click.argument('space', type=gocept.filestore.cli.argument.SPACE)
@click.argument('names', metavar='NAME...', nargs=-1, required=True)
def remove(store, space, names):
    """Remove files from a space."""
    store = gocept.filestore.filestore.FileStore(store)
    gocept.filestore.cli.terminal.each(
        names, lambda name: store.remove(name, space), 'removed')
