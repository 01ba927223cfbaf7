"""Turns what `help` shows of a contract into what Sphinx reads.

They are plain text, in which a table of words or an example is indented.
"""
import itertools
import re
import textwrap


ROW = re.compile(r'(\S+(?: \S+)*?) {2,}(?=\S)')


def process(app, what, name, thing, options, lines):
    """Do so with a docstring that autodoc is about to show."""
    lines[:] = rewritten(lines)


def process_help(app, context, lines):
    """Do so with the help of a command, where click keeps lines apart."""
    lines[:] = rewritten([
        '    ' + line[2:] if line.startswith('| ') else line
        for line in lines])


def rewritten(lines):
    result = []
    for is_blank, block in itertools.groupby(lines, key=is_empty):
        result.extend([''] if is_blank else shown(list(block)))
    return result + ['']


def is_empty(line):
    return not line.strip()


def shown(block):
    if not block[0].startswith(' '):
        return block
    block = textwrap.dedent('\n'.join(block)).splitlines()
    column = column_of(block)
    return table(block, column) if column else example(block)


def column_of(block):
    """Return where the second column of a table begins, None for no table."""
    indents = {len(line) - len(line.lstrip()) for line in block} - {0}
    if len(indents) == 1 and min(indents) > 4:
        return min(indents)
    row = ROW.match(block[0])
    return row and row.end()


def table(block, column):
    """Return a definition list."""
    result = []
    for line in block:
        # A word that is too long has a line of its own.
        fits = line[column - 1:column] in ('', ' ')
        word, text = (line[:column], line[column:]) if fits else (line, '')
        result += ['``%s``' % word.strip()] if word.strip() else []
        result += ['    ' + text] if text else []
    return result


def example(block):
    return ['.. code-block:: python', '',
            *('    ' + line for line in block)]
