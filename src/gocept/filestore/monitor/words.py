"""How times, numbers and names are said."""


UNITS = (('d', 86400), ('h', 3600), ('m', 60), ('s', 1))


def duration(seconds):
    """Return a time as people say it, like 3d 4h, or None."""
    if seconds is None:
        return None
    parts, seconds = [], int(seconds)
    for unit, size in UNITS:
        count, seconds = divmod(seconds, size)
        parts.append('%s%s' % (count, unit) if count else '')
    return ' '.join(list(filter(None, parts))[:2]) or '0s'


def counted(number, noun='file'):
    return '%s %s%s' % (number, noun, '' if number == 1 else 's')


def printable(text, kept=''):
    """Return a text in which what can not be printed is escaped."""
    return ''.join(each if each.isprintable() or each in kept
                   else ascii(each)[1:-1] for each in text)


def text(value):
    """Return one line that garbles nothing, and shows all of it."""
    value = '' if value is None else str(value)
    is_plain = value.isprintable() and value == value.strip()
    return value if is_plain else repr(value)
