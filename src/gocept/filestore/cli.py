import click
import gocept.filestore.cli_file
import gocept.filestore.cli_serve
import gocept.filestore.cli_upkeep
import gocept.filestore.cli_work
import gocept.filestore.terminal
import sys


@click.group(no_args_is_help=False)
@click.version_option(
    package_name='gocept.filestore', message='%(package)s %(version)s')
def filestore():
    """Hand files from one process to another.

    STORE is the directory of a file store.
    """


filestore.add_command(gocept.filestore.cli_file.prepare)
filestore.add_command(gocept.filestore.cli_file.publish)
filestore.add_command(gocept.filestore.cli_file.list_space)
filestore.add_command(gocept.filestore.cli_file.move)
filestore.add_command(gocept.filestore.cli_file.copy)
filestore.add_command(gocept.filestore.cli_file.remove)
filestore.add_command(gocept.filestore.cli_work.run)
filestore.add_command(gocept.filestore.cli_work.intake)
filestore.add_command(gocept.filestore.cli_serve.serve)
filestore.add_command(gocept.filestore.cli_upkeep.status)
filestore.add_command(gocept.filestore.cli_upkeep.failed)
filestore.add_command(gocept.filestore.cli_upkeep.retry)
filestore.add_command(gocept.filestore.cli_upkeep.clean)
filestore.add_command(gocept.filestore.cli_upkeep.settle)
filestore.add_command(gocept.filestore.cli_upkeep.doctor)


def main(args=None):
    """Run the command line, and return the exit status."""
    return gocept.filestore.terminal.run(filestore, args)


if __name__ == '__main__':
    sys.exit(main())
