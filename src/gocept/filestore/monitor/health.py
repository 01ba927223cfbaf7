"""Whether all is well with a store, by a few measures and their bounds."""
import collections
import gocept.filestore.disk.inotify
import gocept.filestore.disk.layout
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import gocept.filestore.monitor.words


# The exit status of each; of several, the one that is last here counts.
STATES = {'OK': 0, 'WARNING': 1, 'UNKNOWN': 3, 'CRITICAL': 2}
# And no command to type: a bar in the path is another character in the line.
MISSING = 'there is no file store'

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


def default_bounds():
    """Return for each measure beyond what it warns, and is critical."""
    return {label: (measure.warning, measure.critical)
            for label, measure in MEASURES.items()}


def examined(store, bounds):
    """Return how a store is, with reasons, and what was measured."""
    try:
        status = store.status()
    except gocept.filestore.interfaces.NotPrepared:
        return unknown(store, MISSING)
    except OSError as error:
        return unknown(store, gocept.filestore.disk.space.described(error))
    return judged(store, status, bounds)


def judged(store, status, bounds):
    """Return the same for what is known already."""
    values = measured(store, status, any(
        number is not None for number in bounds['consumers']))
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


def measured(store, status, has_consumers):
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
        gocept.filestore.monitor.words.duration(value) if measure.unit else
        gocept.filestore.monitor.words.counted(value, NOUNS[label]))
