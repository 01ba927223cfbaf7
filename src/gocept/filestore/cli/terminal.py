import click
import contextlib
import gocept.filestore.interfaces
import logging
import os
import shlex
import sys
import tabulate
import tqdm


NOT_THERE = 'there is no file store in %r, make it with: %s'


def run(command, args):
    """Run a command; tell an error in one line; return the exit status."""
    replace_closed_streams()
    logging.basicConfig(handlers=[Log(logging.WARNING)])
    try:
        return command.main(
            args, prog_name='filestore', standalone_mode=False) or 0
    except click.ClickException as error:
        complain(error.format_message())
        return error.exit_code
    except click.Abort:
        complain('interrupted')
        return 130
    except (OSError, gocept.filestore.interfaces.FileStoreError) as error:
        complain(described(error))
    return 1


class Log(logging.Handler):
    """Tells what is logged."""

    def emit(self, record):
        complain(record.getMessage())


def replace_closed_streams():
    """Let no file of ours get the number of what the shell has closed."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for name in ('stdout', 'stderr'):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, 'w'))


def each(items, action, done):
    """Do something with each file, and say how it went."""
    failed = 0
    with progress(len(items)) as bar:
        for item in items:
            try:
                action(item)
            except gocept.filestore.interfaces.NotPrepared:
                raise
            except OSError as error:
                failed += 1
                complain(described(error, item))
            bar.update()
    summary(len(items) - failed, done, failed)


def tell_error(action):
    """Do something; tell, and return, the error that has ended it."""
    try:
        action()
    except OSError as error:
        complain(described(error))
        return error


def progress(total):
    """Return a progress bar, which shows on a terminal only."""
    return tqdm.tqdm(total=total, disable=None, leave=False, unit='file')


def summary(done, verb, failed, error=None):
    say('%s %s, %s failed' % (files(done), verb, failed))
    if failed or error:
        raise click.exceptions.Exit(1)


def files(number):
    return '%s %s' % (number, 'file' if number == 1 else 'files')


def described(error, filename=None):
    """Return one line for an error that may not tell which file it means."""
    if isinstance(error, gocept.filestore.interfaces.NotPrepared):
        return NOT_THERE % (error.store, shlex.join(to_make(error.store)))
    if isinstance(error, gocept.filestore.interfaces.FileStoreError):
        return str(error)
    reason = error.strerror or str(error)
    if error.filename is not None:
        filename = error.filename
    return reason if filename is None else '%r: %s' % (filename, reason)


def to_make(store):
    """Return the command that makes a store."""
    end_of_options = ['--'] if store.startswith('-') else []
    return ['filestore', 'prepare', *end_of_options, store]


def make(store):
    """Make a store that is not there."""
    try:
        store.list('new')
    except gocept.filestore.interfaces.NotPrepared:
        store.prepare()
        say('made the file store %r' % store.path)


def say(message):
    """Print a line, unless nobody reads it any more."""
    with contextlib.suppress(BrokenPipeError):
        tqdm.tqdm.write(message, file=sys.stderr)


def complain(message):
    say('filestore: ' + message.replace('\n', ' '))


def table(headings, rows):
    """Return lines with columns; what is None stays empty."""
    return tabulate.tabulate(
        [[text(cell) for cell in row] for row in rows], headings,
        tablefmt='plain', disable_numparse=True)


def text(value):
    """Return one line that does not garble a terminal."""
    value = '' if value is None else str(value)
    return value if value.isprintable() else ascii(value)
