"""What the arguments of commands look like, and how a shell completes them."""
import click
import click.shell_completion
import contextlib
import gocept.filestore.disk.layout
import gocept.filestore.disk.process
import gocept.filestore.filestore
import gocept.filestore.retry.metadata
import math
import os
import re
import shlex
import shutil


UNITS = {'': 1, 's': 1, 'm': 60, 'h': 3600, 'd': 86400}


class Directory(click.types.FuncParamType):
    """What a function makes of a directory, which a shell can complete."""

    def shell_complete(self, context, parameter, incomplete):
        return [click.shell_completion.CompletionItem(incomplete, type='dir')]


def files(context, parameter, incomplete):
    """Let the shell complete the path of a file."""
    return [click.shell_completion.CompletionItem(incomplete, type='file')]


def names(context, parameter, incomplete):
    """Complete a name from the space that was typed, or else from `failed`.

    Shells do not quote what they get, so odd names are left out.
    """
    typed = context.params
    with contextlib.suppress(AttributeError, OSError, ValueError):
        paths = typed.get('store').list(
            typed.get('source') or typed.get('space', 'failed'))
        return [name for name in map(os.path.basename, paths)
                if name.startswith(incomplete) and shlex.quote(name) == name]
    return []


@Directory
def path(value):
    if not value:
        raise click.BadParameter('the path of a file store can not be empty')
    return value


@Directory
def store(value):
    return gocept.filestore.filestore.FileStore(path(value))


def mode(value):
    """Return permission bits, which are in octal, as for chmod."""
    with contextlib.suppress(ValueError):
        if 0 <= (bits := int(value, 8)) <= 0o7777:
            return bits
    raise click.BadParameter('%r is no octal number like 660' % value)


def pair(text):
    """Return a key and its value, which may contain the sign as well."""
    key, sign, value = text.partition('=')
    if not (key and sign):
        raise click.BadParameter('%r is not like KEY=VALUE' % text)
    return key, value


def metadata(context, parameter, pairs):
    try:
        return gocept.filestore.retry.metadata.checked(pairs)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def duration(value):
    """Return a number of seconds, given as for sleep(1), or in days."""
    match = re.fullmatch(r'([0-9]+(?:\.[0-9]+)?)([smhd]?)', value)
    if match is None or math.isinf(float(match[1]) * UNITS[match[2]]):
        raise click.BadParameter(
            '%r is no duration like 90s, 15m, 36h or 30d' % value)
    return float(match[1]) * UNITS[match[2]]


def limit(value):
    """Return a duration that a process can wait for."""
    seconds = duration(value)
    if 0 < seconds <= gocept.filestore.disk.process.LONGEST:
        return seconds
    raise click.BadParameter(
        '%r is no duration above 0, and below 24 days' % value)


def address(value):
    """Return host and port, of which the port may be 0: any that is free."""
    host, _, port = value.rpartition(':')
    host = host.removeprefix('[').removesuffix(']')
    if not host or not re.fullmatch('[0-9]{1,5}', port) or int(port) > 65535:
        raise click.BadParameter(
            '%r is no address like 127.0.0.1:8080' % value)
    return host, int(port)


def rate(value):
    with contextlib.suppress(ValueError):
        if 0 < (number := float(value)) < math.inf:
            return number
    raise click.BadParameter(
        '%r is no number of files per second above 0' % value)


def command(context, parameter, words):
    """See that a command can be run and gets to know the file."""
    if not any('{}' in word for word in words):
        raise click.UsageError('COMMAND has no {} to put the path in')
    if shutil.which(words[0]) is None:
        raise click.UsageError('there is no command %r' % words[0])
    return words


def filters(command):
    """Add the options that choose files by their names and reasons."""
    for option in reversed(FILTERS):
        command = option(command)
    return command


EXCLUDE = click.option(
    '--exclude', multiple=True, metavar='PATTERN',
    help='No files of such a name.')
FILTERS = (
    click.option('--include', multiple=True, metavar='PATTERN',
                 help='Only files of such a name.'),
    EXCLUDE,
    click.option('--reason', metavar='TEXT',
                 help='Only files with this as a part of their reason.'))
DRY_RUN = click.option('--dry-run', is_flag=True,
                       help='Only tell which files it would be.')
YES = click.option('-y', '--yes', is_flag=True,
                   help='Do not ask, even for more than one file.')
NAMES_AS_JSON = click.option('--json', 'as_json', is_flag=True,
                             help='For other programs: one array of names.')
STORE = click.argument('store', type=store)
STORES = click.argument(
    'stores', metavar='STORE...', nargs=-1, required=True, type=store)
PATH = click.argument('path', metavar='STORE', type=path)
SPACE = click.Choice(gocept.filestore.disk.layout.MOVED)
SPACE_TO_CLEAN = click.Choice(gocept.filestore.disk.layout.CLEANED)
SPACE_TO_LIST = click.Choice(gocept.filestore.disk.layout.COUNTED)
NAMES = click.argument(
    'names', metavar='NAME...', nargs=-1, required=True, shell_complete=names)
# What tells which files, and in which order.
INCLUDE = click.option(
    '--include', multiple=True, default=['*'], metavar='PATTERN',
    help='Take files of such a name only.')
