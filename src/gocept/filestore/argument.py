import click
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


def command(context, parameter, words):
    """See that a command can be run and gets to know the file."""
    if not any('{}' in word for word in words):
        raise click.UsageError('COMMAND has no {} to put the path in')
    if shutil.which(words[0]) is None:
        raise click.UsageError('there is no command %r' % words[0])
    return words


STORE = click.argument('store', type=Store())
SPACE = click.Choice(['tmp', 'new', 'cur', 'failed'])
SPACE_TO_LIST = click.Choice([*SPACE.choices, 'work', 'attempts'])
