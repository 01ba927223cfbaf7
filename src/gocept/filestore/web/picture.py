"""What a store looks like: in numbers, and how old its files are, drawn.

The latter is qshape(1) of Postfix.
"""
import gocept.filestore.disk.layout
import gocept.filestore.monitor.words


WIDTH, HEIGHT, GAP = 34, 72, 6  # of a bar, the highest one, and between two
HOUR = 3600
KINDS = ('new', 'waiting', 'failed')
duration = gocept.filestore.monitor.words.duration


def picture(status):
    table = ages(status)
    width = len(table) * (WIDTH + GAP) - GAP
    return {'figures': figures(status),
            'table': [row for row in table if total(row)],
            'bars': bars(table), 'marks': marks(), 'size': (width, HEIGHT)}


def figures(status):
    """Return the numbers, and where each leads."""
    spaces = status['spaces']
    done, new, failed = spaces['cur'], spaces['new'], spaces['failed']
    in_doubt = sum(not intent['decided'] for intent in status['intents'])
    return [
        figure('waiting', new['files'], 'new', 'new'),
        figure('longest wait', duration(new['oldest']), 'new'),
        figure('in work', len(status['claims']), part='work'),
        figure('to be tried again', status['waiting']['files'], 'work',
               'waiting'),
        figure('failed', failed['files'], 'failed', 'failed'),
        figure('in doubt', in_doubt, part='doubt'),
        figure('done', done['files'], 'cur'),
        figure('done in the last hour', done['hour'], 'cur'),
        figure('done in the last day', done['day'], 'cur')]


def figure(title, value, space=None, kind=None, part=None):
    """Return a number; it leads to the files of a space, or into the store.
    """
    return {'title': title, 'value': value, 'kind': kind, 'space': space,
            'part': part}


def ages(status):
    """Return for each age its name, and how many are that old, by kinds."""
    bounds = list(map(duration, gocept.filestore.disk.layout.AGES))
    names = ['< ' + bound for bound in bounds] + ['> ' + bounds[-1]]
    counts = zip(status['spaces']['new']['ages'], status['waiting']['ages'],
                 status['spaces']['failed']['ages'], strict=True)
    return [{'name': name, **dict(zip(KINDS, each, strict=True))}
            for name, each in zip(names, counts, strict=True)]


def total(row):
    return sum(row[kind] for kind in KINDS)


def bars(table):
    """Return the rectangles of a picture: one bar for each age, of all kinds.
    """
    highest = max(1, *map(total, table))
    found = []
    for number, row in enumerate(table):
        below = HEIGHT
        for kind in KINDS:
            # What is there is seen, if it is one of a million.
            height = row[kind] and max(2, round(
                (HEIGHT - 4) * row[kind] / highest))
            below -= height
            if height:
                found.append({
                    'kind': kind, 'x': number * (WIDTH + GAP), 'y': below,
                    'width': WIDTH, 'height': height})
    return found


def marks():
    """Return the ages between two bars, which read like 5m and 1h20."""
    return [duration(bound).removesuffix('m').replace(' ', '')
            if bound >= HOUR else duration(bound)
            for bound in gocept.filestore.disk.layout.AGES]
