"""All that `filestore` can do."""
import click
import importlib
import shutil


PLACES = {
    'check': 'check.check', 'clean': 'upkeep.clean', 'copy': 'file.copy',
    'doctor': 'upkeep.doctor', 'failed': 'failed.failed',
    'intake': 'intake.intake', 'list': 'file.list_space', 'move': 'file.move',
    'prepare': 'file.prepare', 'publish': 'file.publish',
    'remove': 'file.remove', 'retry': 'failed.retry', 'run': 'run.run',
    'serve': 'serve.serve', 'settle': 'upkeep.settle', 'show': 'failed.show',
    'status': 'status.status',
    'web': 'web.web'}
EXTRAS = {'serve': 'server', 'web': 'web'}  # what more than [cli] they need


class Help(click.HelpFormatter):
    """A text that fits a terminal with 40 columns, too."""

    def __init__(self, **kw):
        room = shutil.get_terminal_size().columns - 2
        super().__init__(width=min(max(room, 20), 78))

    def write_dl(self, rows, col_max=30, col_spacing=2):
        super().write_dl(rows, min(col_max, self.width * 2 // 5), col_spacing)


class Context(click.Context):
    formatter_class = Help


class Commands(click.Group):
    """Commands, each of which is imported when it is used."""

    context_class = Context

    def list_commands(self, context):
        return list(PLACES)

    def get_command(self, context, name):
        if name in PLACES:
            try:
                command = load(*PLACES[name].split('.'))
            except ModuleNotFoundError as error:
                if name not in EXTRAS:
                    raise
                command = absent(name, error)
            command.context_class = Context
            return command


def load(module, function):
    return getattr(importlib.import_module(
        'gocept.filestore.cli.' + module), function)


def absent(name, error):
    """Return a command to be listed, which raises an error when it is used."""
    def use(words):
        raise error
    return click.Command(
        name, callback=use, add_help_option=False,
        short_help='Needs the extra [%s].' % EXTRAS[name],
        params=[click.Argument(['words'], nargs=-1, type=click.UNPROCESSED)],
        context_settings={'ignore_unknown_options': True})


@click.group(cls=Commands)
@click.version_option(
    package_name='gocept.filestore', message='%(package)s %(version)s')
def filestore():
    """Hand files from one process to another.

    STORE is the directory of a file store.
    """
