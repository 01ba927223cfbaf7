"""`status`: what lies where, as text, for programs, and for Prometheus."""
import click
import gocept.filestore.cli.argument
import gocept.filestore.cli.terminal
import gocept.filestore.disk.layout
import gocept.filestore.monitor.metrics
import gocept.filestore.monitor.place
import gocept.filestore.monitor.words
import json
import math
import shutil
import sys
import time


duration = gocept.filestore.monitor.words.duration
PAUSE = '2'  # seconds, as of watch(1)
SHOWN = 20  # claims or intents of a store; JSON has all of them
HOME, CLEAR_ROW, CLEAR_BELOW = '\x1b[H', '\x1b[K', '\x1b[J'
WIDEST = 60  # characters of a bar


@click.command()
@gocept.filestore.cli.argument.STORES
@click.option('--format', 'form', default='text', show_default=True,
              type=click.Choice(('text', 'json', 'prometheus')),
              help='For people, other programs, or monitoring.')
@click.option('--json', 'form', flag_value='json',
              help='Short for --format json.')
@click.option('--ages', is_flag=True, help='Show how many are how old.')
@click.option('--watch', metavar='[SECONDS]', is_flag=False, flag_value=PAUSE,
              type=gocept.filestore.cli.argument.limit,
              help='Stay, and look again every 2, or so many, seconds; '
                   'without a number it comes last.')
def status(stores, form, ages, watch):
    """Tell what lies where, how long, and who works on it."""
    show = {'json': as_json, 'prometheus': as_metrics}.get(
        form, as_ages if ages else as_text)
    if watch is None:
        return tell(stores, show)
    if form != 'text' or not sys.stdout.isatty():
        raise click.UsageError('--watch shows text, and on a terminal only')
    click.clear()
    while True:
        refresh(stores, show)
        time.sleep(watch)


def tell(stores, show):
    """Print what there is to tell; what is wrong with a store comes last."""
    found, errors = look(stores)
    if found:
        print(show(found, stores[1:]))
    for error in errors:
        gocept.filestore.cli.terminal.complain(error)
    if errors:
        raise click.exceptions.Exit(1)


def refresh(stores, show):
    """Show it in place of what is on the terminal, as far as it has room."""
    found, errors = look(stores)
    lines = errors + show(found, stores[1:]).splitlines()
    # Nothing is cleared before something else is there, which would flicker,
    # and which tmux(1) and others take for a screenful to be kept.
    print(HOME + '\n'.join(
        fitting(lines, *shutil.get_terminal_size())) + '\n' + CLEAR_BELOW,
        end='', flush=True)


def fitting(lines, columns, room):
    """Yield lines as long as the terminal has room, and one for the cursor.

    Each clears the rest of its last row, if there is one.
    """
    import wcwidth
    for line in lines:
        width = wcwidth.wcswidth(click.unstyle(line))
        room -= max(1, math.ceil(width / columns))
        if room < 1:
            break
        is_full = width and width % columns == 0
        yield line if is_full else line + CLEAR_ROW


def look(stores):
    """Return what was found, and a line for each store that can not tell."""
    found, errors = [], []
    for store in stores:
        try:
            found.append(store.status())
        except OSError as error:
            errors.append(
                gocept.filestore.cli.terminal.described(error, store.path))
    return found, errors


def as_json(found, others):
    return '\n'.join(map(json.dumps, found))


def as_text(found, others):
    return '\n\n'.join(filter(None, [
        table(('SPACE', 'FILES', 'BYTES', 'OLDEST'), spaces, found, others),
        table(('CLAIMED', 'SINCE', 'ATTEMPT', 'PROCESS'), claims, found,
              others),
        '\n'.join(gocept.filestore.cli.terminal.wrapped(line, indent=2)
                  for line in waiting(found, others)),
        table(('INTENT', 'SINCE', 'STATE', 'PUBLISH', 'FINISH', 'REMOVE'),
              intents, found, others)]))


def table(headings, rows_of, found, others):
    """Return a table of what was found, or '' if that is nothing.

    Which store it is stands in front if there were others to be looked at.
    """
    rows = [(status['store'], *row) for status in found
            for row in bounded(list(rows_of(status)), len(headings))]
    if not rows:
        return ''
    first = 0 if others else 1
    return gocept.filestore.cli.terminal.table(
        ('STORE', *headings)[first:], [row[first:] for row in rows])


def bounded(rows, width):
    yield from rows[:SHOWN]
    if left_out := len(rows[SHOWN:]):
        yield 'and %s more' % left_out, *[None] * (width - 1)


def spaces(status):
    for name, space in status['spaces'].items():
        yield name, space['files'], space['bytes'], duration(space['oldest'])


def claims(status):
    for claim in status['claims']:
        yield (claim['filename'], duration(claim['age']), claim['attempt'],
               gocept.filestore.monitor.place.owner(claim))


def waiting(found, others):
    for status in found:
        if status['waiting']['files']:
            yield '%s%s waiting for the next attempt, due in %s' % (
                gocept.filestore.monitor.words.text(status['store']) + ': '
                if others else '',
                gocept.filestore.monitor.words.counted(
                    status['waiting']['files']),
                duration(status['waiting']['next']))


def intents(status):
    for intent in status['intents']:
        yield (intent['intent'], duration(intent['age']),
               'committed' if intent['decided'] else 'in doubt',
               *(', '.join(map(repr, intent[kind]))
                 for kind in ('publish', 'finish', 'remove')))


def as_ages(found, others):
    """Show how many files are how old, as bars, like qshape(1) of Postfix."""
    return '\n\n'.join(
        (gocept.filestore.monitor.words.text(status['store']) + ':\n'
         if others else '') + table(
             ('AGE', 'NEW', 'WAITING', 'FAILED'), bars, [status], ())
        for status in found)


def bars(status):
    columns = [status['spaces']['new']['ages'], status['waiting']['ages'],
               status['spaces']['failed']['ages']]
    bounds = gocept.filestore.disk.layout.AGES
    labels = ['< ' + duration(bound) for bound in bounds]
    labels.append('> ' + duration(bounds[-1]))
    rows = list(zip(labels, *map(drawn, columns), strict=True))
    while rows[1:] and not any(rows[-1][1:]):
        rows.pop()
    return rows


def drawn(counts):
    """Return numbers with bars, the longest of which is as long as fits."""
    digits = len(str(max(counts)))
    width = min(WIDEST, max(
        1, (shutil.get_terminal_size().columns - 15) // 3 - digits - 1))
    scale = width / max(1, *counts)
    return ['%-*s %s' % (digits, count, '#' * math.ceil(count * scale))
            if count else '' for count in counts]


def as_metrics(found, others):
    return gocept.filestore.monitor.metrics.exposition(found)
