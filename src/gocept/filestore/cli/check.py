"""`check`: one line and an exit status, for a monitoring system."""
import click
import gocept.filestore.cli.argument
import gocept.filestore.cli.terminal
import gocept.filestore.monitor.health
import gocept.filestore.monitor.words
import json
import re
import sys


health = gocept.filestore.monitor.health
LINE = 'FILESTORE %s - %s'



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
        raise click.exceptions.Exit(health.STATES['UNKNOWN'])


def bound(value):
    """Return the label of a measure, and its bound, which may be None."""
    label, _, number = value.partition('=')
    if label not in health.MEASURES or '=' not in value:
        raise click.BadParameter('%r does not begin with one of %s' % (
            value, ', '.join(name + '=' for name in health.MEASURES)))
    if not number:
        return label, None
    if health.MEASURES[label].unit:
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
    bounds = health.default_bounds()
    for label, number in warning:
        bounds[label] = number, bounds[label][1]
    for label, number in critical:
        bounds[label] = bounds[label][0], number
    found = [health.examined(store, bounds) for store in stores]
    worst = max((each['status'] for each in found),
                key=list(health.STATES).index)
    print(json.dumps({'status': worst, 'stores': found}) if as_json else
          line(worst, found, bounds))
    lost = health.STATES['UNKNOWN'] if sys.stdout.buffer.error else 0
    raise click.exceptions.Exit(health.STATES[worst] or lost)


def line(worst, found, bounds):
    """Return the one line, with the performance data behind the bar."""
    bad = ['%s: %s' % (each['store'], ', '.join(each['reasons']))
           for each in found if each['status'] != 'OK']
    files = sum(each['values'].get('new', 0) for each in found)
    text = '; '.join(bad) or '%s waiting in %s' % (
        gocept.filestore.monitor.words.counted(files),
        gocept.filestore.monitor.words.counted(len(found), 'store'))
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
        name, value, health.MEASURES[label].unit, ';'.join(
            '' if number is None else '%.15g%s' % (number, end)
            for number in bounds))


def plain(text):
    """Return a text in one line, and without the bar that would end it."""
    return gocept.filestore.monitor.words.text(
        text.replace('\n', ' ')).replace('|', '_')
