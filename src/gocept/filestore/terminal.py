import click
import gocept.filestore.interfaces
import os
import shlex
import sys
import tqdm


NOT_THERE = 'there is no file store in %r, make it with: filestore prepare %s'


def run(command, args):
    """Run a command; tell an error in one line; return the exit status."""
    try:
        return command.main(
            args, prog_name='filestore', standalone_mode=False) or 0
    except click.ClickException as error:
        complain(error.format_message().replace('\n', ' '))
        return error.exit_code
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, gocept.filestore.interfaces.FileStoreError) as error:
        complain(described(error))
    return 1


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
                complain(described(error))
            bar.update()
    summary(len(items) - failed, done, failed)


def progress(total):
    """Return a progress bar, which shows on a terminal only."""
    return tqdm.tqdm(total=total, disable=None, leave=False, unit='file')


def summary(done, verb, failed):
    say('%s %s %s, %s failed' % (
        done, 'file' if done == 1 else 'files', verb, failed))
    if failed:
        raise click.exceptions.Exit(1)


def described(error):
    if isinstance(error, gocept.filestore.interfaces.NotPrepared):
        return NOT_THERE % (error.store, shlex.quote(str(error.store)))
    if isinstance(error, gocept.filestore.interfaces.FileStoreError):
        return str(error)
    if error.filename is None:
        return error.strerror or str(error)
    return '%r: %s' % (error.filename, error.strerror)


def say(message):
    tqdm.tqdm.write(message, file=sys.stderr)


def complain(message):
    say('filestore: ' + message)
