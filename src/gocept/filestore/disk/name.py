"""What a file may be called, names that nobody else has, and patterns."""
import fnmatch
import gocept.filestore.interfaces
import itertools
import os
import re
import sys
import time


IS_UTF8 = sys.getfilesystemencoding() == 'utf-8'
LONGEST = 255  # bytes, NAME_MAX of Linux
ORDINARY = re.compile('[0-9A-Za-z_][-0-9A-Za-z_.]{0,254}')
# In containers, other processes have our number, and our name of the host.
COUNTER = itertools.count(int.from_bytes(os.urandom(4)))
# maildir(5) asks for these two to be replaced.
HOST = os.uname().nodename.replace('/', '\\057').replace(':', '\\072')
DRAFT = re.compile(r'[0-9]+\.M[0-9]+.*', re.DOTALL)  # as of `unique`
NUMBERED = re.compile(r'(.+)\.~([0-9]+)~', re.DOTALL)


def bare(path):
    """Strip the leading elements of a path, as documented since 0.2."""
    return os.path.basename(os.fspath(path))


def check(filename, store):
    """Return the name as a string; raise `InvalidName` for a bad one."""
    name = os.fspath(filename)
    if type(name) is str and ORDINARY.fullmatch(name):
        return name
    reason = objection(name)
    if reason:
        raise gocept.filestore.interfaces.InvalidName(name, store, reason)
    return name


def objection(name):
    if not isinstance(name, str):
        raise TypeError('a file name is a string, not %r' % (name,))
    if not name:
        return 'it is empty'
    if '/' in name:
        return 'it contains a separator'
    if '\0' in name:
        return 'it contains a NUL byte'
    if name[0] == '.':
        return 'it begins with a dot'
    return None if name.isascii() and len(name) <= LONGEST else too_long(name)


def too_long(name):
    try:
        size = len(os.fsencode(name))
    except UnicodeEncodeError:
        return 'it can not be encoded'
    return 'it is longer than %s bytes' % LONGEST if size > LONGEST else None


def unique(nanoseconds=time.time_ns):
    """Return a name that nobody else has, and that sorts by time.

    The form is that of maildir(5).
    """
    time = str(nanoseconds())
    process = os.getpid()
    return f'{time[:-9]}.M{time[-9:-3]}P{process}Q{next(COUNTER)}.{HOST}'


def backup(name, number):
    """Return the name of an older file, in the form of GNU cp --backup."""
    suffix = b'.~%d~' % number
    return os.fsdecode(os.fsencode(name)[:LONGEST - len(suffix)] + suffix)


def original(name):
    """Return the name of which this one is a backup, or it itself."""
    match = NUMBERED.fullmatch(name)
    return match[1] if match else name


def cut_short(name, names):
    """Return those of the names that were cut for this one, their backup."""
    match = NUMBERED.fullmatch(name)
    return [other for other in names
            if match and backup(other, int(match[2])) == name]


def portable(name):
    """Return a name as it is written down: by its bytes, for any locale."""
    return os.fsencode(name).decode('utf-8', 'surrogateescape')


def local(text):
    """Return the name that was written down, as it is called here."""
    return os.fsdecode(text.encode('utf-8', 'surrogateescape'))


def can_become(name, filename, is_draft=False):
    """Tell whether our own moves give a file of the one name the other."""
    return name == filename or is_draft and DRAFT.fullmatch(name) or (
        cut_short(name, [filename]) or cut_short(filename, [name]))


def everything(filename):
    return True


def wanted(include, exclude):
    """Return a function that tells by their names which files are wanted.

    It is asked for each of a million, so it is one expression.
    """
    return re.compile('(?!%s)(?:%s)' % (
        expression(exclude), expression(include))).match


def expression(patterns):
    if isinstance(patterns, str):
        raise TypeError(
            'patterns are a sequence of strings, not %r' % patterns)
    return '|'.join(map(fnmatch.translate, patterns)) or '(?!)'  # never
