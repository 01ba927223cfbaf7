"""What the arguments of commands look like."""
import click
import contextlib
import gocept.filestore.disk.layout
import re
import shutil


UNITS = {'': 1, 's': 1, 'm': 60, 'h': 3600, 'd': 86400}


def store(value):
    """Return the directory of a file store."""
    if not value:
        raise click.BadParameter('the path of a file store can not be empty')
    return value


def mode(value):
    """Return permission bits, which are in octal, as for chmod."""
    with contextlib.suppress(ValueError):
        if 0 <= (bits := int(value, 8)) <= 0o7777:
            return bits
    raise click.BadParameter('%r is no octal number like 660' % value)


def duration(value):
    """Return a number of seconds, given as for sleep(1), or in days."""
    match = re.fullmatch(r'([0-9]+(?:\.[0-9]+)?)([smhd]?)', value)
    if match is None:
        raise click.BadParameter(
            '%r is no duration like 90s, 15m, 36h or 30d' % value)
    return float(match[1]) * UNITS[match[2]]


def command(context, parameter, words):
    """See that a command can be run and gets to know the file."""
    if not any('{}' in word for word in words):
        raise click.UsageError('COMMAND has no {} to put the path in')
    if shutil.which(words[0]) is None:
        raise click.UsageError('there is no command %r' % words[0])
    return words


STORE = click.argument('store', type=store)
SPACE = click.Choice(gocept.filestore.disk.layout.MOVED)
SPACE_TO_CLEAN = click.Choice(gocept.filestore.disk.layout.CLEANED)
SPACE_TO_LIST = click.Choice(tuple(dict.fromkeys(
    gocept.filestore.disk.layout.MOVED
    + gocept.filestore.disk.layout.COUNTED)))
