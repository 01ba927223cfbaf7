"""The command `filestore`, and all that it can do."""
import click
import gocept.filestore.cli.file
import gocept.filestore.cli.intake
import gocept.filestore.cli.run
import gocept.filestore.cli.serve
import gocept.filestore.cli.terminal
import gocept.filestore.cli.upkeep
import sys


@click.group(no_args_is_help=False)
@click.version_option(
    package_name='gocept.filestore', message='%(package)s %(version)s')
def filestore():
    """Hand files from one process to another.

    STORE is the directory of a file store.
    """


filestore.add_command(gocept.filestore.cli.file.prepare)
filestore.add_command(gocept.filestore.cli.file.publish)
filestore.add_command(gocept.filestore.cli.file.list_space)
filestore.add_command(gocept.filestore.cli.file.move)
filestore.add_command(gocept.filestore.cli.file.copy)
filestore.add_command(gocept.filestore.cli.file.remove)
filestore.add_command(gocept.filestore.cli.run.run)
filestore.add_command(gocept.filestore.cli.intake.intake)
filestore.add_command(gocept.filestore.cli.serve.serve)
filestore.add_command(gocept.filestore.cli.upkeep.status)
filestore.add_command(gocept.filestore.cli.upkeep.failed)
filestore.add_command(gocept.filestore.cli.upkeep.retry)
filestore.add_command(gocept.filestore.cli.upkeep.clean)
filestore.add_command(gocept.filestore.cli.upkeep.settle)
filestore.add_command(gocept.filestore.cli.upkeep.doctor)


def main(args=None):
    """Run the command line, and return the exit status."""
    return gocept.filestore.cli.terminal.run(filestore, args)


if __name__ == '__main__':
    sys.exit(main())
