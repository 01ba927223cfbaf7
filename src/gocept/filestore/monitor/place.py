"""Where a file is, who has it, and what has happened to it, in words."""
import gocept.filestore.monitor.words


STATES = {'tmp': 'a draft', 'new': 'waits', 'failed': 'given up',
          'cur': 'done'}
EVENTS = {
    'published': 'published by',
    'failed': 'attempt %(attempt)s failed in',
    'died': 'attempt %(attempt)s died, noted by',
    'resumed': 'attempt %(attempt)s began in',
    'released': 'attempt %(attempt)s given back by',
    'retried': 'put back by'}
WIDEST = 60  # characters of how a process calls itself


def state(place):
    if place['space'] != 'work':
        return STATES[place['space']]
    if place['due'] is not None:
        return 'waits for its next attempt, due in %s' % (
            gocept.filestore.monitor.words.duration(place['due']))
    return {True: 'being worked on', False: 'its process has died',
            None: 'on its way'}[place['alive']]


def told(event):
    """Say what has happened; the words go on with a process."""
    kind = event['event']
    return (EVENTS[kind] % event if kind in EVENTS
            else gocept.filestore.monitor.words.text(kind))


def owner(claim):
    """Say who has it: all in one column, which can be as narrow as it has to.
    """
    if not claim['alive']:
        return 'dead'
    if claim['process'] is None:
        return 'alive, on a host that is not known'
    return ': '.join(filter(None, (
        '%s on %s' % (claim['process'], claim['host']),
        (claim['consumer'] or '')[:WIDEST])))
