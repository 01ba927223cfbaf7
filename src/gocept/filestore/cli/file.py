"""Commands for files: prepare, publish, list, move, copy and remove."""
import click
import errno
import gocept.filestore.cli.argument
import gocept.filestore.cli.terminal
import gocept.filestore.disk.copy
import gocept.filestore.filestore
import gocept.filestore.monitor.words
import json
import os
import stat
import sys


STANDARD_INPUT = '-'
SIZE = 1 << 16  # bytes of a list that are read at once


def opened(file):
    """Open what is to be published; never wait for the end of a pipe."""
    if file == STANDARD_INPUT:
        if sys.stdin is None:
            raise OSError(errno.EBADF, 'standard input is closed', file)
        # Reading would end too early if another process had changed this.
        os.set_blocking(0, True)
        # Who types it does not have to say twice that this is the end.
        return open(0, 'rb', buffering=0, closefd=False)
    if '\0' in file:
        raise OSError(
            errno.EINVAL, 'names that end with NUL want --null', file)
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, 'not a regular file', file)
    return open(descriptor, 'rb')


def listed(file, end):
    """Yield lists of names from a list of them, each as soon as it comes."""
    rest = b''
    with (opened(file) if file == STANDARD_INPUT
          else open(file, 'rb', buffering=0)) as names:
        while data := names.read(SIZE):
            *found, rest = (rest + data).split(end)
            yield list(map(path_of, found))
    if rest:
        yield [path_of(rest)]


def path_of(name):
    """Return where a name of a list leads, in which a "-" is a file."""
    return './-' if name == b'-' else os.fsdecode(name)


def restrict(draft, source):
    """Make a draft no more readable than what it is a copy of."""
    status = os.fstat(draft.fileno())
    if stat.S_ISREG(os.fstat(source.fileno()).st_mode):
        allowed = gocept.filestore.disk.copy.mode_for(
            source.fileno(), status.st_gid)
        os.fchmod(draft.fileno(), status.st_mode & allowed)


@click.command()
@gocept.filestore.cli.argument.PATH
@click.option('-m', '--mode', type=gocept.filestore.cli.argument.mode,
              help='Mode of the directories.')
def prepare(path, mode):
    """Make the directories of a store."""
    gocept.filestore.filestore.FileStore(path, directory_mode=mode).prepare()
    gocept.filestore.cli.terminal.say('prepared %r' % path)


@click.command()
@gocept.filestore.cli.argument.PATH
@click.argument('files', metavar='FILE...', nargs=-1,
                shell_complete=gocept.filestore.cli.argument.files)
@click.option('-T', '--files-from', metavar='LIST',
              shell_complete=gocept.filestore.cli.argument.files,
              help='Take the names from a file, or standard input for a "-".')
@click.option('-0', '--null', is_flag=True, help='They end with NUL there.')
@click.option('--name', help='Name in the store, for a single FILE.')
@click.option('--replace', is_flag=True, help='Replace a file that waits.')
@click.option('-m', '--mode', type=gocept.filestore.cli.argument.mode,
              help='Mode of the files.')
@click.option('--metadata', metavar='KEY=VALUE', multiple=True,
              type=gocept.filestore.cli.argument.pair,
              callback=gocept.filestore.cli.argument.metadata,
              help='Goes with the files. May be given several times.')
def publish(path, files, files_from, null, name, replace, mode, metadata):
    """Publish copies of files, or standard input for a "-".

    Without a name, standard input gets a unique one. The store is made if it
    is not there.
    """
    if name is not None and len(files) != 1:
        raise click.UsageError('--name goes with a single FILE')
    if files and files_from is not None:
        raise click.UsageError('--files-from takes the place of FILE...')
    if not files and files_from is None:
        raise click.UsageError("Missing argument 'FILE...'.")
    store = gocept.filestore.filestore.FileStore(path, file_mode=mode)
    gocept.filestore.cli.terminal.make(store)

    def publish_one(file):
        filename = name
        if name is None and file != STANDARD_INPUT:
            filename = os.path.basename(file)
        with opened(file) as source:
            with group.publish(filename, 'wb', replace,
                               metadata=metadata) as draft:
                if mode is None:
                    restrict(draft, source)
                gocept.filestore.disk.copy.copy_content(source, draft)

    lists = [files] if files else listed(files_from, b'\0' if null else b'\n')
    is_typed = (STANDARD_INPUT in (files_from, *files)
                and gocept.filestore.cli.terminal.is_typed())
    with gocept.filestore.cli.terminal.Tally(
            'published', len(files) or None, not is_typed) as tally:
        for names in lists:
            with store.group(tally.refuse) as group:
                for file in names:
                    tally.attempt(publish_one, file)


@click.command(name='list')
@gocept.filestore.cli.argument.STORE
@click.argument(
    'space', default='new', metavar='[SPACE]',
    type=gocept.filestore.cli.argument.SPACE_TO_LIST)
@click.option('-0', '--null', is_flag=True, help='End paths with NUL.')
@click.option('--json', 'as_json', is_flag=True,
              help='For other programs: one array of paths.')
def list_space(store, space, null, as_json):
    """List the files in a space (default: new) with their paths."""
    if as_json and null:
        raise click.UsageError('--json and --null exclude each other')
    if as_json:
        return print(json.dumps(store.list(space)))
    end = b'\0' if null else b'\n'
    is_raw = null or not sys.stdout.isatty()
    click.echo(b''.join(
        os.fsencode(path if is_raw else gocept.filestore.monitor.words.text(
            path)) + end for path in store.list(space)), nl=False)


def command_between_spaces(verb, done, help):
    """Make the command for a verb that takes files to another space."""

    @click.command(name=verb, help=help)
    @gocept.filestore.cli.argument.STORE
    @click.argument('source', type=gocept.filestore.cli.argument.SPACE)
    @click.argument('destination', type=gocept.filestore.cli.argument.SPACE)
    @gocept.filestore.cli.argument.NAMES
    @click.option('-n', '--no-replace', is_flag=True,
                  help='Fail if the name is taken.')
    def command(store, source, destination, names, no_replace):
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
@gocept.filestore.cli.argument.NAMES
def remove(store, space, names):
    """Remove files from a space."""
    gocept.filestore.cli.terminal.each(
        names, lambda name: store.remove(name, space), 'removed')
