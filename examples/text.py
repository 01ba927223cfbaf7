"""What is to be typed, read from the text of an example or a guide.

Indented lines that begin with "$ " are typed, and those with "# " by root. A
command goes on after a backslash, and until the end of a here-document. The
lines below are the answer, as long as they are indented; it may have empty
ones in between.
"""

import re


PROMPT = re.compile(r'( +)([$#]) (.+)')
HERE = re.compile(r"<<-? ?(['\"]?)(\w+)\1")
NEEDS = re.compile(r'^\.\. needs: (.+)$', re.MULTILINE)
OWN_PINS = re.compile(r'^\.\. pins: own$', re.MULTILINE)


def typed(text, prompt=PROMPT):
    """Yield the prompt, the command and the answer of each."""
    lines = text.splitlines()
    while lines:
        found = prompt.fullmatch(lines.pop(0))
        if found:
            indent, sign, command = found.groups()
            yield (sign, whole(command, indent, lines),
                   answer(prompt, indent, lines))


def whole(command, indent, lines):
    """Return a command with all that belongs to it, taken from the lines."""
    while command.endswith('\\'):
        command += '\n' + take(indent, lines)
    for _quote, end in HERE.findall(command):
        line = None
        while line != end:
            line = take(indent, lines)
            command += '\n' + line
    return command


def answer(prompt, indent, lines):
    taken = ''
    while goes_on(prompt, indent, lines):
        taken += take(indent, lines) + '\n'
    return taken


def goes_on(prompt, indent, lines):
    following = next(filter(None, lines), '')
    found = prompt.fullmatch(following)
    return following.startswith(indent) and not (
        found and found[1] == indent)


def take(indent, lines):
    if not lines:
        raise ValueError('a command has no end')
    return lines.pop(0).removeprefix(indent)


def wants_root(text):
    return any(sign == '#' for sign, _command, _answer in typed(text))


def needs(text):
    """Return the packages of Debian that a guide needs."""
    return [name for names in NEEDS.findall(text) for name in names.split()]


def has_own_pins(text):
    """Tell whether all versions but ours come from somewhere else."""
    return OWN_PINS.search(text) is not None
