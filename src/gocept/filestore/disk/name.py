"""What a file may be called, names that nobody else has, and patterns."""
import fnmatch
import gocept.filestore.disk.process
import gocept.filestore.interfaces
import itertools
import os
import re
import time


LONGEST = 255  # bytes, NAME_MAX of Linux
COUNTER = itertools.count(1)
# maildir(5) asks for these two to be replaced.
HOST = os.uname().nodename.replace('/', '\\057').replace(':', '\\072')
NUMBERED = re.compile(r'(.+)\.~([0-9]+)~', re.DOTALL)


def bare(path):
    """Strip the leading elements of a path, as documented since 0.2."""
    return os.path.basename(os.fspath(path))


def check(filename, store):
    """Return the name as a string; raise `InvalidName` for a bad one."""
    name = os.fspath(filename)
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
    process = gocept.filestore.disk.process.number
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


def everything(filename):
    return True


def wanted(include, exclude):
    """Return a function that tells by their names which files are wanted."""
    include, exclude = patterns(include), patterns(exclude)
    return lambda filename: (
        matches(filename, include) and not matches(filename, exclude))


def patterns(value):
    if isinstance(value, str):
        raise TypeError('patterns are a sequence of strings, not %r' % value)
    return tuple(value)


def matches(filename, patterns):
    return any(fnmatch.fnmatchcase(filename, pattern) for pattern in patterns)
