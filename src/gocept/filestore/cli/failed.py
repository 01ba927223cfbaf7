"""Commands for what has failed: failed, show and retry; and what to ask."""
import click
import gocept.filestore.cli.argument
import gocept.filestore.cli.terminal
import gocept.filestore.disk.name
import gocept.filestore.interfaces
import gocept.filestore.monitor.place
import gocept.filestore.monitor.reason
import gocept.filestore.monitor.words
import gocept.filestore.retry.attempt
import json
import os
import sys


chosen = gocept.filestore.monitor.reason.chosen
duration = gocept.filestore.monitor.words.duration
printable = gocept.filestore.monitor.words.printable
SHOWN = 500  # characters of a reason


@click.command()
@gocept.filestore.cli.argument.STORE
@gocept.filestore.cli.argument.filters
@click.option('--group', is_flag=True, help='Count them by their reasons.')
@click.option('--json', 'as_json', is_flag=True, help='For other programs.')
def failed(store, include, exclude, reason, group, as_json):
    """List the files that were given up, with the last reason.

    Those come first that were given up last. Reasons that differ in numbers,
    or in the name of the file, are one group.
    """
    found = chosen(store, include, exclude, reason)[::-1]
    if group:
        found = gocept.filestore.monitor.reason.grouped(found)
    if as_json:
        return print(json.dumps(found))
    if found:
        print(gocept.filestore.cli.terminal.table(
            *(by_reason if group else by_file)(found)))


def by_file(failures):
    return ('FILE', 'ATTEMPTS', 'AGE', 'REASON'), [
        (failure['filename'], failure['attempts'], duration(failure['age']),
         shortened(failure['error'])) for failure in failures]


def by_reason(groups):
    return ('FILES', 'NEWEST', 'OLDEST', 'REASON'), [
        (group['files'], duration(group['newest']), duration(group['oldest']),
         shortened(group['reason'])) for group in groups]


def shortened(reason):
    """Return a reason in one line; `show` has all lines of it."""
    return gocept.filestore.retry.attempt.bounded(
        ' '.join((reason or '').split()), SHOWN)


@click.command()
@gocept.filestore.cli.argument.STORE
@click.argument('name', shell_complete=gocept.filestore.cli.argument.names)
@click.option('--json', 'as_json', is_flag=True, help='For other programs.')
def show(store, name, as_json):
    """Tell where a file lies, and how its attempts have failed."""
    found = store.history(name)
    if as_json:
        return print(json.dumps(found))
    for place in found:
        print('%s: %s' % (
            gocept.filestore.monitor.words.text(os.path.join(
                store.path, place['space'],
                gocept.filestore.disk.name.bare(name))),
            gocept.filestore.monitor.place.state(place)))
        print('  %s, mode %03o, there for %s' % (
            gocept.filestore.monitor.words.counted(place['bytes'], 'byte'),
            place['mode'], duration(place['age'])))
        for item in place['metadata'].items():
            print('  %s: %s' % tuple(map(printable, item)))
        for event in place['events']:
            tell(event)


def tell(event):
    """Print when which process has written what down, and the reason."""
    time, process, host = (
        gocept.filestore.monitor.words.text(event[fact])
        for fact in ('time', 'process', 'host'))
    print('  %s UTC  %s process %s of %s' % (
        time[:19].replace('T', ' '),
        gocept.filestore.monitor.place.told(event), process, host))
    reason = event['traceback'] or event['error']
    for line in str(reason or '').splitlines():
        print('      ' + printable(line))


@click.command()
@gocept.filestore.cli.argument.STORE
@click.argument('names', metavar='NAME...', nargs=-1,
                shell_complete=gocept.filestore.cli.argument.names)
@click.option('--all', 'all_of_them', is_flag=True,
              help='All that lie in "failed".')
@gocept.filestore.cli.argument.filters
@gocept.filestore.cli.argument.DRY_RUN
@gocept.filestore.cli.argument.YES
@gocept.filestore.cli.argument.NAMES_AS_JSON
def retry(store, names, all_of_them, include, exclude, reason, dry_run, yes,
          as_json):
    """Put failed files back into "new".

    A NAME may also be that of a file which waits for its next attempt.
    """
    if bool(names) == bool(
            all_of_them or include or exclude or reason is not None):
        raise click.UsageError(
            'name some files, or use --all, --include, --exclude or --reason')
    names = names or [failure['filename'] for failure in chosen(
        store, include, exclude, reason)]
    if not dry_run and asks(yes):
        agree('put back', len(names))
    done = []
    try:
        gocept.filestore.cli.terminal.each(
            names, putting_back(store, dry_run, done),
            'would be put back' if dry_run else 'put back')
    finally:  # when no progress bar is in the way
        if dry_run or as_json:
            tell_names(done, as_json)


def putting_back(store, dry_run, done):
    """Return a function that puts a file back, or tells what keeps it."""
    taken = set()

    def put_back(name):
        own = store.retry(name, dry_run)
        if dry_run and own in taken:
            raise gocept.filestore.interfaces.NameTaken(
                own, store.path, 'there is one in %r' % 'new')
        taken.add(own)
        done.append(gocept.filestore.disk.name.bare(name))

    return put_back


def tell_names(names, as_json):
    if as_json:
        return print(json.dumps(names))
    for name in names:
        print(gocept.filestore.monitor.words.text(name))


def asks(yes):
    """Tell whether there is somebody to ask, who has not said yes before."""
    return not yes and gocept.filestore.cli.terminal.is_typed()


def agree(verb, number):
    """Ask, and end if the answer is no, before many files are touched."""
    if number < 2:
        return
    sys.stderr.write('%s %s? [y/N] ' % (
        verb, gocept.filestore.monitor.words.counted(number)))
    sys.stderr.flush()
    answer = sys.stdin.buffer.readline()
    if not answer.endswith(b'\n'):  # the end of the input: nobody typed Enter
        gocept.filestore.cli.terminal.say('')
    if answer.strip().lower() not in (b'y', b'yes'):
        gocept.filestore.cli.terminal.say('nothing was changed')
        raise click.exceptions.Exit(1)
