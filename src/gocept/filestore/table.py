import tabulate


UNITS = (('d', 86400), ('h', 3600), ('m', 60), ('s', 1))


def table(headings, rows):
    """Return lines with columns; what is None stays empty."""
    return tabulate.tabulate(
        [[text(cell) for cell in row] for row in rows], headings,
        tablefmt='plain', disable_numparse=True)


def text(value):
    """Return one line that does not garble a terminal."""
    value = '' if value is None else str(value)
    return value if value.isprintable() else ascii(value)


def duration(seconds):
    """Return a time as people say it, like 3d 4h, or None."""
    if seconds is None:
        return None
    parts, seconds = [], int(seconds)
    for unit, size in UNITS:
        count, seconds = divmod(seconds, size)
        parts.append('%s%s' % (count, unit) if count else '')
    return ' '.join(list(filter(None, parts))[:2]) or '0s'
