"""`check`: one line and an exit status, for a monitoring system."""
import click
import collections
import gocept.filestore.cli.argument
import gocept.filestore.cli.terminal
import gocept.filestore.disk.inotify
import gocept.filestore.disk.layout
import gocept.filestore.doctor.finding
import gocept.filestore.interfaces
import json
import re
import sys


# The exit status of each; of several, the one that is last here counts.
STATES = {'OK': 0, 'WARNING': 1, 'UNKNOWN': 3, 'CRITICAL': 2}
# And no command to type: a bar in the path is another character in the line.
MISSING = 'there is no file store'
LINE = 'FILESTORE %s - %s'

# What is looked at: unit, bounds for warning and critical, and how it is told.
Measure = collections.namedtuple('Measure', 'unit warning critical words')
MEASURES = {
    'oldest': Measure('s', 900, 3600, 'the oldest file has waited for %s'),
    'new': Measure('', None, None, '%s waiting'),
    'failed': Measure('', 0, None, '%s failed'),
    'doubt': Measure('', 0, None, '%s in doubt'),
    'claim': Measure('s', 3600, 86400, 'a file has been claimed for %s'),
    'consumers': Measure('', None, None, '%s alive here')}
NOUNS = {'new': 'file', 'failed': 'file', 'doubt': 'transaction',
         'consumers': 'consumer'}


class Plugin(click.Command):
    """Says to who uses it in a wrong way what plugins of monitoring say."""

    def parse_args(self, context, args):
        try:
            return super().parse_args(context, args)
        except click.UsageError as error:
            reason = error.format_message()
        except OSError as error:
            reason = gocept.filestore.cli.terminal.described(error)
        print(LINE % ('UNKNOWN', plain(reason)))
        raise click.exceptions.Exit(STATES['UNKNOWN'])


def bound(value):
    """Return the label of a measure, and its bound, which may be None."""
    label, _, number = value.partition('=')
    if label not in MEASURES or '=' not in value:
        raise click.BadParameter('%r does not begin with one of %s' % (
            value, ', '.join(name + '=' for name in MEASURES)))
    if not number:
        return label, None
    if MEASURES[label].unit:
        return label, gocept.filestore.cli.argument.duration(number)
    if not re.fullmatch('[0-9]+', number):
        raise click.BadParameter('%r is no whole number like 10' % number)
    return label, int(number)


@click.command(cls=Plugin)
@gocept.filestore.cli.argument.STORES
@click.option('-w', '--warning', metavar='LABEL=BOUND', multiple=True,
              type=bound, help='Warn beyond this.')
@click.option('-c', '--critical', metavar='LABEL=BOUND', multiple=True,
              type=bound, help='Be critical beyond this.')
@click.option('--json', 'as_json', is_flag=True, help='For other programs.')
def check(stores, warning, critical, as_json):
    """Tell whether all is well, as a plugin of monitoring systems does.

    The exit status is 0 for OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. A LABEL is
    one of:

    \b
    oldest     age of the oldest file
               in "new", like 15m
               (15m, 1h)
    new        number of files there
    failed     number of files given up
               (0)
    doubt      number of transactions
               in doubt (0)
    claim      age of the oldest claim
               (1h, 1d)
    consumers  least number of processes
               on this host

    In brackets: beyond what it warns, and is critical, by default. Without a
    BOUND, as in failed=, it does not.
    """
    bounds = {label: (measure.warning, measure.critical)
              for label, measure in MEASURES.items()}
    for label, number in warning:
        bounds[label] = number, bounds[label][1]
    for label, number in critical:
        bounds[label] = bounds[label][0], number
    found = [examined(store, bounds) for store in stores]
    worst = max((each['status'] for each in found), key=list(STATES).index)
    print(json.dumps({'status': worst, 'stores': found}) if as_json else
          line(worst, found, bounds))
    lost = STATES['UNKNOWN'] if sys.stdout.buffer.error else 0
    raise click.exceptions.Exit(STATES[worst] or lost)


def examined(store, bounds):
    """Return how a store is, with reasons, and what was measured."""
    try:
        values = measured(store, any(
            number is not None for number in bounds['consumers']))
    except gocept.filestore.interfaces.NotPrepared:
        return unknown(store, MISSING)
    except OSError as error:
        return unknown(store, gocept.filestore.cli.terminal.described(error))
    states = {label: state(label, value, *bounds[label])
              for label, value in values.items()}
    return {
        'store': store.path,
        'status': max(states.values(), key=list(STATES).index),
        'reasons': [told(label, values[label]) for label in values
                    if states[label] != 'OK'],
        'values': values}


def unknown(store, reason):
    return {'store': store.path, 'status': 'UNKNOWN', 'reasons': [reason],
            'values': {}}


def measured(store, has_consumers):
    status = store.status()
    values = {
        'oldest': status['spaces']['new']['oldest'] or 0,
        'new': status['spaces']['new']['files'],
        'failed': status['spaces']['failed']['files'],
        'doubt': sum(not intent['decided'] for intent in status['intents']),
        'claim': max((claim['age'] for claim in status['claims']), default=0)}
    if has_consumers:
        values['consumers'] = len(consumers(store, status))
    return values


def consumers(store, status):
    """Return the ids of processes that work, or are woken by a new file."""
    new = gocept.filestore.disk.layout.Layout(store.path)['new']
    return gocept.filestore.disk.inotify.watchers(new).union(
        claim['process'] for claim in status['claims'] if claim['process'])


def state(label, value, warning, critical):
    if is_beyond(label, value, critical):
        return 'CRITICAL'
    return 'WARNING' if is_beyond(label, value, warning) else 'OK'


def is_beyond(label, value, number):
    if number is None:
        return False
    return value < number if label == 'consumers' else value > number


def told(label, value):
    measure = MEASURES[label]
    return measure.words % (
        gocept.filestore.doctor.finding.duration(value) if measure.unit else
        gocept.filestore.cli.terminal.counted(value, NOUNS[label]))


def line(worst, found, bounds):
    """Return the one line, with the performance data behind the bar."""
    bad = ['%s: %s' % (each['store'], ', '.join(each['reasons']))
           for each in found if each['status'] != 'OK']
    files = sum(each['values'].get('new', 0) for each in found)
    text = '; '.join(bad) or '%s waiting in %s' % (
        gocept.filestore.cli.terminal.counted(files),
        gocept.filestore.cli.terminal.counted(len(found), 'store'))
    data = ' '.join(
        performance(each['store'] + ' ' if found[1:] else '', label, value,
                    *bounds[label])
        for each in found for label, value in each['values'].items())
    return LINE % (worst, plain(text)) + (data and ' | ' + data)


def performance(prefix, label, value, *bounds):
    name = prefix + label
    if prefix:
        name = "'%s'" % plain(name).replace('=', '_').replace("'", "''")
    end = ':' if label == 'consumers' else ''
    return '%s=%d%s;%s;0' % (
        name, value, MEASURES[label].unit, ';'.join(
            '' if number is None else '%.15g%s' % (number, end)
            for number in bounds))


def plain(text):
    """Return a text in one line, and without the bar that would end it."""
    return gocept.filestore.cli.terminal.text(
        text.replace('\n', ' ')).replace('|', '_')
