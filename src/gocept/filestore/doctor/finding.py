"""What a look has shown, and how it is put into words."""
import functools
import gocept.filestore.interfaces
import os
import shlex


OK, NOTE, PROBLEM = 'ok', 'note', 'problem'


@gocept.filestore.interfaces.implementer(gocept.filestore.interfaces.IFinding)
class Finding:
    """What a look at one thing has shown.

    The remedy is a text; or commands, each a list of words, one after the
    other. The sentence ends with what an error says.
    """

    subject = None  # said by who has looked

    def __init__(self, verdict, sentence, *remedy, error=None):
        self.verdict = verdict
        self.sentence = sentence
        if error is not None:
            self.sentence += ': ' + reason(error)
        self.remedy = ' && '.join(
            part if isinstance(part, str) else command(*part)
            for part in remedy) or None


ok = functools.partial(Finding, OK)
note = functools.partial(Finding, NOTE)
problem = functools.partial(Finding, PROBLEM)


def reason(error):
    """Return what an `OSError` says, without its number."""
    return error.strerror or str(error)


def command(*words):
    """Return a line for the shell, in which no name shows as it is not."""
    return ' '.join(map(quoted, words))


def quoted(word):
    """Quote a word; a control character as ls(1) and bash(1) write it."""
    if word.isprintable():
        return shlex.quote(word)
    return "$'%s'" % ''.join(map(escaped, os.fsencode(word)))


def escaped(byte):
    plain = 32 <= byte < 127 and byte not in b"'\\"
    return chr(byte) if plain else '\\%03o' % byte


def beside(store):
    """Return the directory in which a store lies."""
    if os.path.basename(store) in ('', os.curdir, os.pardir):
        return os.path.join(store, os.pardir)
    return os.path.dirname(store) or os.curdir
