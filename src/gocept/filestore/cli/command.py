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
            module, function = PLACES[name].split('.')
            command = getattr(importlib.import_module(
                'gocept.filestore.cli.' + module), function)
            command.context_class = Context
            return command


@click.group(cls=Commands)
@click.version_option(
    package_name='gocept.filestore', message='%(package)s %(version)s')
def filestore():
    """Hand files from one process to another.

    STORE is the directory of a file store.
    """
