"""What is said at the terminal, and the exit status that goes with it."""
import click
import gocept.filestore.interfaces
import io
import logging
import os
import select
import shlex
import sys
import tabulate
import tqdm


NOT_THERE = 'there is no file store in %r, make it with: %s'


def run(command, args):
    """Run a command; tell an error in one line; return the exit status."""
    replace_streams()
    logging.basicConfig(handlers=[Log(logging.WARNING)])
    return ended(command, args) or undelivered()


def ended(command, args):
    """Run a command, and return its own exit status."""
    try:
        return command.main(
            args, prog_name='filestore', standalone_mode=False) or 0
    except click.ClickException as error:
        complain(error.format_message())
        return error.exit_code
    except click.Abort:
        complain('interrupted')
        return 130
    except SystemExit as end:  # what a shell asks for to complete a word
        return end.code
    except (OSError, gocept.filestore.interfaces.FileStoreError) as error:
        complain(described(error))
    return 1


def undelivered():
    """Return 1 if output or messages have got lost, else 0.

    A reader that has seen enough of the output goes away, that is no loss. A
    stream that the shell has closed is not wanted at all, like /dev/null.
    """
    output, messages = sys.stdout.buffer, sys.stderr.buffer
    lost = output.error
    if isinstance(lost, BrokenPipeError):
        lost = output.taken == 0
    elif lost:
        complain(described(lost))
    return int(bool(lost or messages.error))


class Log(logging.Handler):
    """Tells what is logged."""

    def emit(self, record):
        complain(record.getMessage())


class Stream(io.FileIO):
    """Hands on what is written at once, and remembers what does not go.

    Work goes on when nobody can be told of it; and nothing is left to be
    written when Python ends, which would have a status and words of its own.
    """

    def __init__(self, descriptor):
        super().__init__(descriptor, 'w', closefd=False)
        self.taken = 0
        self.error = None

    def write(self, data):
        rest = memoryview(data)
        try:
            while rest:
                taken = self._write_some(rest)
                self.taken += taken
                rest = rest[taken:]
        except OSError as error:
            self.error = self.error or error
        return len(data)

    def _write_some(self, data):
        """Write what there is room for; of output, wait for some.

        What we share with another process may be set not to wait.
        """
        try:
            return os.write(self.fileno(), data)
        except BlockingIOError:
            if self.fileno() != 1:
                raise
            select.select([], [self], [])
            return 0


def replace_streams():
    """Write to streams of ours.

    Let no file of ours get the number of what the shell has closed.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout = stream(1, sys.stdout)
    sys.stderr = stream(2, sys.stderr)


def stream(descriptor, replaced):
    """Return a stream that has the encoding of the one that it replaces."""
    return io.TextIOWrapper(
        Stream(descriptor), getattr(replaced, 'encoding', None),
        getattr(replaced, 'errors', 'backslashreplace'), line_buffering=True)


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
        end_of_options = ['--'] if error.store.startswith('-') else []
        return NOT_THERE % (error.store, shlex.join(
            ['filestore', 'prepare', *end_of_options, error.store]))
    if isinstance(error, gocept.filestore.interfaces.FileStoreError):
        return str(error)
    reason = error.strerror or str(error)
    if error.filename is not None:
        filename = error.filename
    return reason if filename is None else '%r: %s' % (filename, reason)


def make(store):
    """Make a store that is not there."""
    try:
        store.list('new')
    except gocept.filestore.interfaces.NotPrepared:
        store.prepare()
        say('made the file store %r' % store.path)


def say(message):
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
