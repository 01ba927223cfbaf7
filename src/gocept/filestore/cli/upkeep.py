"""Commands that look after a store: status to doctor."""
import click
import collections
import gocept.filestore.cli.argument
import gocept.filestore.cli.terminal
import gocept.filestore.doctor.examination
import gocept.filestore.doctor.finding
import gocept.filestore.filestore
import json


duration = gocept.filestore.doctor.finding.duration


@click.command()
@gocept.filestore.cli.argument.STORE
@click.option('--json', 'as_json', is_flag=True, help='For other programs.')
def status(store, as_json):
    """Tell what lies where, and how long."""
    found = gocept.filestore.filestore.FileStore(store).status()
    if as_json:
        return click.echo(json.dumps(found))
    click.echo(gocept.filestore.cli.terminal.table(
        ('SPACE', 'FILES', 'BYTES', 'OLDEST'),
        [(name, space['files'], space['bytes'], duration(space['oldest']))
         for name, space in found['spaces'].items()]))
    tell_claims(found['claims'])
    tell_waiting(found['waiting'])
    tell_intents(found['intents'])


def tell_claims(claims):
    if claims:
        click.echo('\n' + gocept.filestore.cli.terminal.table(
            ('CLAIMED', 'SINCE', 'ATTEMPT', 'PROCESS'),
            [(claim['filename'], duration(claim['age']), claim['attempt'],
              'alive' if claim['alive'] else 'dead') for claim in claims]))


def tell_waiting(waiting):
    if waiting['files']:
        click.echo('\n%s waiting for the next attempt, due in %s' % (
            gocept.filestore.cli.terminal.files(waiting['files']),
            duration(waiting['next'])))


def tell_intents(intents):
    if intents:
        click.echo('\n' + gocept.filestore.cli.terminal.table(
            ('INTENT', 'SINCE', 'STATE', 'PUBLISH', 'FINISH', 'REMOVE'),
            [(intent['intent'], duration(intent['age']),
              'committed' if intent['decided'] else 'in doubt',
              *(', '.join(map(repr, intent[kind]))
                for kind in ('publish', 'finish', 'remove')))
             for intent in intents]))


@click.command()
@gocept.filestore.cli.argument.STORE
def failed(store):
    """List the files that were given up, with the last reason."""
    store = gocept.filestore.filestore.FileStore(store)
    rows = [(failure['filename'], failure['attempts'],
             duration(failure['age']), failure['error'])
            for failure in store.failures()]
    if rows:
        click.echo(gocept.filestore.cli.terminal.table(
            ('FILE', 'ATTEMPTS', 'AGE', 'REASON'), rows))


@click.command()
@gocept.filestore.cli.argument.STORE
@click.argument('names', metavar='NAME...', nargs=-1)
@click.option('--all', 'all_of_them', is_flag=True,
              help='All that lie in "failed".')
def retry(store, names, all_of_them):
    """Put failed files back into "new".

    A NAME may also be that of a file which waits for its next attempt.
    """
    if bool(names) == all_of_them:
        raise click.UsageError('name some files, or use --all')
    store = gocept.filestore.filestore.FileStore(store)
    if all_of_them:
        names = [failure['filename'] for failure in store.failures()]
    gocept.filestore.cli.terminal.each(names, store.retry, 'put back')


@click.command()
@gocept.filestore.cli.argument.STORE
@click.argument('space', type=gocept.filestore.cli.argument.SPACE_TO_CLEAN)
@click.option('--older-than', metavar='AGE',
              type=gocept.filestore.cli.argument.duration,
              help='Like 90s, 15m, 36h, 30d. For tmp: 36h.')
def clean(store, space, older_than):
    """Remove old files from a space.

    What a live process works with is left alone.
    """
    if older_than is None and space != 'tmp':
        raise click.UsageError('--older-than AGE is needed for %r' % space)
    store = gocept.filestore.filestore.FileStore(store)
    gocept.filestore.cli.terminal.say('%s removed' % (
        gocept.filestore.cli.terminal.files(
            len(store.clean(space, older_than)))))


@click.command()
@gocept.filestore.cli.argument.STORE
@click.argument('intents', metavar='[INTENT]...', nargs=-1)
@click.option('--commit/--abort', default=None, help='What was decided.')
def settle(store, intents, commit):
    """Commit or abort transactions that are in doubt.

    Their process has died between vote and commit. "filestore status" shows
    them; the log of the database, or the other side, may tell what was
    decided. Without an INTENT all are settled.
    """
    if commit is None:
        raise click.UsageError('say --commit or --abort')
    store = gocept.filestore.filestore.FileStore(store)
    settled = store.settle(commit, intents or None)
    gocept.filestore.cli.terminal.say('%s %s %s' % (
        len(settled), 'transaction' if len(settled) == 1 else 'transactions',
        'committed' if commit else 'aborted'))


@click.command()
@gocept.filestore.cli.argument.STORE
@click.option('-q', '--quiet', is_flag=True, help='Tell what is not ok only.')
def doctor(store, quiet):
    """Tell what is wrong with a store, and what to do about it.

    It may be in use, and is left as it is. The exit status is 1 if there is a
    problem; a note is none.
    """
    verdicts = collections.Counter()
    for finding in gocept.filestore.doctor.examination.examine(store):
        verdicts[finding.verdict] += 1
        if not quiet or finding.remedy:
            tell(finding)
    problems = verdicts[gocept.filestore.doctor.finding.PROBLEM]
    if not quiet:
        click.echo('%s ok, %s to note, %s wrong' % (
            verdicts[gocept.filestore.doctor.finding.OK],
            verdicts[gocept.filestore.doctor.finding.NOTE], problems))
    if problems:
        raise click.exceptions.Exit(1)


def tell(finding):
    click.echo('%-8s %s: %s' % (
        finding.verdict, finding.subject, finding.sentence))
    if finding.remedy:
        click.echo('         remedy: %s' % finding.remedy)
