"""Build the manual pages of the commands.

    $ .venv/bin/python .ci/man.py TARGET VERSION

For who packages it for a distribution, or has a directory in $MANPATH.
"""

import click_man.core
import gocept.filestore.cli.command
import os
import sys


def main(target, version):
    filestore = gocept.filestore.cli.command.filestore
    # Each is imported when it is used; here all of them are to be seen.
    filestore.commands = {
        name: filestore.get_command(None, name)
        for name in gocept.filestore.cli.command.PLACES}
    os.makedirs(target, exist_ok=True)
    click_man.core.write_man_pages(
        'filestore', filestore, version=version, target_dir=target)


if __name__ == '__main__':
    main(*sys.argv[1:])
