"""What the arguments of commands look like."""
import click
import gocept.filestore.disk.layout
import re
import shutil


class Store(click.ParamType):
    """The directory of a file store."""

    name = 'store'

    def convert(self, value, parameter, context):
        if not value:
            self.fail('the path of a file store can not be empty')
        return value


class Mode(click.ParamType):
    """Permission bits in octal, as for chmod."""

    name = 'mode'

    def convert(self, value, parameter, context):
        try:
            mode = int(value, 8)
        except ValueError:
            mode = None
        if mode is None or not 0 <= mode <= 0o7777:
            self.fail('%r is no octal number like 660' % value)
        return mode


class Duration(click.ParamType):
    """A number of seconds, or of something else, as for sleep(1)."""

    name = 'duration'
    units = {'': 1, 's': 1, 'm': 60, 'h': 3600, 'd': 86400}

    def convert(self, value, parameter, context):
        match = re.fullmatch(r'([0-9]+(?:\.[0-9]+)?)([smhd]?)', str(value))
        if match is None:
            self.fail('%r is no duration like 90s, 15m, 36h or 30d' % value)
        return float(match[1]) * self.units[match[2]]


def command(context, parameter, words):
    """See that a command can be run and gets to know the file."""
    if not any('{}' in word for word in words):
        raise click.UsageError('COMMAND has no {} to put the path in')
    if shutil.which(words[0]) is None:
        raise click.UsageError('there is no command %r' % words[0])
    return words


STORE = click.argument('store', type=Store())
SPACE = click.Choice(gocept.filestore.disk.layout.MOVED)
SPACE_TO_CLEAN = click.Choice(gocept.filestore.disk.layout.CLEANED)
SPACE_TO_LIST = click.Choice(tuple(dict.fromkeys(
    gocept.filestore.disk.layout.MOVED
    + gocept.filestore.disk.layout.COUNTED)))
