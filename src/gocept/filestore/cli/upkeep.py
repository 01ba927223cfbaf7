"""Commands that look after a store: clean, settle and doctor."""
import click
import collections
import functools
import gocept.filestore.cli.argument
import gocept.filestore.cli.failed
import gocept.filestore.cli.terminal
import gocept.filestore.disk.name
import gocept.filestore.doctor.examination
import gocept.filestore.doctor.finding
import gocept.filestore.monitor.reason
import gocept.filestore.monitor.words
import json


duration = gocept.filestore.monitor.words.duration
COLOURS = {gocept.filestore.doctor.finding.OK: 'green',
           gocept.filestore.doctor.finding.NOTE: 'yellow',
           gocept.filestore.doctor.finding.PROBLEM: 'red'}


@click.command()
@gocept.filestore.cli.argument.STORE
@click.argument('space', type=gocept.filestore.cli.argument.SPACE_TO_CLEAN)
@click.option('--older-than', metavar='AGE',
              type=gocept.filestore.cli.argument.duration,
              help='Like 90s, 15m, 36h, 30d. For tmp: 36h.')
@gocept.filestore.cli.argument.filters
@gocept.filestore.cli.argument.DRY_RUN
@gocept.filestore.cli.argument.YES
@gocept.filestore.cli.argument.NAMES_AS_JSON
def clean(store, space, older_than, include, exclude, reason, dry_run, yes,
          as_json):
    """Remove old files from a space.

    What a live process works with is left alone. Only files of "failed" have
    a reason.
    """
    if older_than is None and space != 'tmp':
        raise click.UsageError('--older-than AGE is needed for %r' % space)
    if reason is not None and space != 'failed':
        raise click.UsageError("--reason goes with 'failed' only")
    wanted = gocept.filestore.disk.name.wanted(include or ['*'], exclude)
    if reason is not None:
        wanted = {failure['filename']
                  for failure in gocept.filestore.monitor.reason.chosen(
                      store, include, exclude, reason)}.__contains__
    remove(functools.partial(store.clean, space, older_than), wanted,
           dry_run, gocept.filestore.cli.failed.asks(yes), as_json)


def remove(clean, wanted, dry_run, asks, as_json):
    """Remove what is wanted, tell it, or ask first."""
    names = clean(wanted, dry_run=dry_run or asks)
    if asks and not dry_run:
        gocept.filestore.cli.failed.agree('remove', len(names))
        names = clean(set(names).__contains__)
    if dry_run or as_json:
        gocept.filestore.cli.failed.tell_names(names, as_json)
    gocept.filestore.cli.terminal.say('%s %s' % (
        gocept.filestore.monitor.words.counted(len(names)),
        'would be removed' if dry_run else 'removed'))


@click.command()
@gocept.filestore.cli.argument.STORE
@click.argument('intents', metavar='[INTENT]...', nargs=-1)
@click.option('--commit/--abort', default=None, help='What was decided.')
@gocept.filestore.cli.argument.NAMES_AS_JSON
def settle(store, intents, commit, as_json):
    """Commit or abort transactions that are in doubt.

    Their process has died between vote and commit. "filestore status" shows
    them; the log of the database, or the other side, may tell what was
    decided. Without an INTENT all are settled.
    """
    if commit is None:
        raise click.UsageError('say --commit or --abort')
    settled = store.settle(commit, intents or None)
    if as_json:
        gocept.filestore.cli.failed.tell_names(settled, as_json)
    gocept.filestore.cli.terminal.say('%s %s' % (
        gocept.filestore.monitor.words.counted(len(settled), 'transaction'),
        'committed' if commit else 'aborted'))


@click.command()
@gocept.filestore.cli.argument.PATH
@click.option('-q', '--quiet', is_flag=True, help='Tell what is not ok only.')
@click.option('--json', 'as_json', is_flag=True, help='For other programs.')
@click.option('--other', metavar='PATH',
              type=gocept.filestore.cli.argument.path,
              help='The same store, through another mount.')
def doctor(path, quiet, as_json, other):
    """Tell what is wrong with a store, and what to do about it.

    It may be in use, and is left as it is. The exit status is 1 if there is a
    problem; a note is none.
    """
    verdicts, findings = collections.Counter(), []
    for finding in gocept.filestore.doctor.examination.examine(path, other):
        verdicts[finding.verdict] += 1
        if not quiet or finding.remedy:
            findings.append(described(finding)) if as_json else tell(finding)
    if as_json:
        print(json.dumps(findings))
    elif not quiet:
        print('%(ok)s ok, %(note)s to note, %(problem)s wrong' % verdicts)
    if verdicts[gocept.filestore.doctor.finding.PROBLEM]:
        raise click.exceptions.Exit(1)


def described(finding):
    return {'verdict': finding.verdict, 'subject': finding.subject,
            'sentence': finding.sentence, 'remedy': finding.remedy}


def tell(finding):
    verdict = gocept.filestore.cli.terminal.styled(
        '%-8s' % finding.verdict, fg=COLOURS[finding.verdict])
    print(gocept.filestore.cli.terminal.wrapped(
        '%s %s: %s' % (verdict, finding.subject, finding.sentence), indent=9))
    if finding.remedy:  # in one line, to be copied
        print('         remedy: %s' % finding.remedy)
