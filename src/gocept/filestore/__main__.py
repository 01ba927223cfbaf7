"""`filestore`, also `python -m gocept.filestore`: the door of cli.

What is not installed, it names with the command that does.
"""
import sys


# What the commands import, and with which extra it is installed.
EXTRAS = {'click': 'cli', 'tabulate': 'cli', 'tqdm': 'cli',
          'chameleon': 'web', 'prometheus_client': 'metrics',
          'waitress': 'web', 'wcwidth': 'cli', 'webob': 'web',
          'ZConfig': 'server', 'setproctitle': 'server', 'zc': 'server',
          'zc.lockfile': 'server'}


def main(args=None):
    """Run the command line, and return the exit status."""
    try:
        import gocept.filestore.cli.command
        import gocept.filestore.cli.terminal
        return gocept.filestore.cli.terminal.run(
            gocept.filestore.cli.command.filestore, args)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        sys.stderr.write(
            "filestore: %s is missing: pip install 'gocept.filestore[%s]'\n"
            % (error.name, EXTRAS[error.name]))
        return 1


if __name__ == '__main__':
    sys.exit(main())
