"""How old the files are that wait, as a picture: qshape(1) of Postfix, drawn.
"""
import gocept.filestore.disk.layout
import gocept.filestore.monitor.words


WIDTH, HEIGHT, GAP = 34, 72, 6  # of a bar, the highest one, and between two
KINDS = ('new', 'waiting', 'failed')


def ages(status):
    """Return for each age its name, and how many are that old, by kinds."""
    bounds = [gocept.filestore.monitor.words.duration(bound)
              for bound in gocept.filestore.disk.layout.AGES]
    names = ['< ' + bound for bound in bounds] + ['> ' + bounds[-1]]
    counts = zip(status['spaces']['new']['ages'], status['waiting']['ages'],
                 status['spaces']['failed']['ages'], strict=True)
    return [{'name': name, **dict(zip(KINDS, each, strict=True))}
            for name, each in zip(names, counts, strict=True)]


def bars(table):
    """Return the rectangles of a picture: one bar for each age, of all kinds.
    """
    highest = max(1, *(sum(row[kind] for kind in KINDS) for row in table))
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


def size(table):
    return len(table) * (WIDTH + GAP) - GAP, HEIGHT
