"""Shows a name with what is said of it."""


def definition(name, of, lines, besides=''):
    """Yield the lines that do so, and list it in the index."""
    yield from [f'.. index:: single: {name}; {of}', '']
    yield f'``{name}``{besides}'
    # A comment, if nothing is said.
    yield from ['    ' + line for line in list(lines) or ['..']]
    yield ''
