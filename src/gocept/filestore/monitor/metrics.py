"""What `status` tells, in the text format of Prometheus."""
import gocept.filestore.monitor.words


def exposition(found):
    """Return the text format of Prometheus, by the library of its authors."""
    import prometheus_client
    registry = prometheus_client.CollectorRegistry()
    for name, words, labels, values in METRICS:
        gauge = prometheus_client.Gauge(
            'filestore_' + name, words, ('store', *labels), registry=registry)
        for status in found:
            store = gocept.filestore.monitor.words.text(status['store'])
            for value, *label in values(status):
                gauge.labels(store, *label).set(value)
    return prometheus_client.generate_latest(registry).decode().rstrip('\n')


def each_space(key):
    return lambda status: [(space[key] or 0, name)
                           for name, space in status['spaces'].items()]


def each_state(key, name, states):
    """Return how many claims, or intents, are in each of two states."""
    return lambda status: [
        (sum(found[name] == value for found in status[key]), state)
        for value, state in zip((False, True), states, strict=True)]


METRICS = (
    ('files', 'Files in a space; in attempts, names that have failed',
     ['space'], each_space('files')),
    ('bytes', 'Bytes in a space', ['space'], each_space('bytes')),
    ('oldest_seconds', 'How long the oldest file has been in a space',
     ['space'], each_space('oldest')),
    ('claims', 'Files that are claimed, by whether the process lives',
     ['process'], each_state('claims', 'alive', ('dead', 'alive'))),
    ('oldest_claim_seconds', 'How long a file has been claimed, at most', [],
     lambda status: [(max(
         (claim['age'] for claim in status['claims']), default=0),)]),
    ('attempt', 'The highest attempt of a file that is claimed', [],
     lambda status: [(max(
         (claim['attempt'] for claim in status['claims']), default=0),)]),
    ('waiting', 'Files that wait for their next attempt', [],
     lambda status: [(status['waiting']['files'],)]),
    ('intents', 'Batches whose process has died before their end', ['state'],
     each_state('intents', 'decided', ('in doubt', 'committed'))))
