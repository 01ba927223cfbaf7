"""What processes ask about the files of a store, and what of it is in vain."""
import collections
import os
import re
import shutil
import tempfile


LOST = ('openat', 'flock', 'renameat2', 'newfstatat')   # and so notice it
CALLS = (*LOST, 'access', 'unlinkat', 'getdents64')
ALL, IN_VAIN = 'all', 'in vain'


def is_there():
    return shutil.which('strace')


def count(path, run):
    """Run a command with strace, and count the calls that name the store.

    Those are in vain which fail in `new` or `work`: the file was gone, or
    somebody else had it.
    """
    calls = collections.Counter()
    failed = re.compile(rf'{re.escape(path)}/(new|work)\b.* = -1 ')
    with tempfile.TemporaryDirectory() as directory:
        run(*command(directory))
        for line in read(directory):
            calls[ALL] += path in line
            if failed.search(line):
                calls[IN_VAIN] += 1
                calls[line.partition('(')[0]] += 1
    return calls


def command(directory):
    """Write one file per process; tell which path a descriptor has."""
    return ('strace', '-y', '-ff', '-qq', '-o', f'{directory}/log', '-e',
            'trace=' + ','.join(f'?{call}' for call in CALLS))


def read(directory):
    for name in os.listdir(directory):
        with open(f'{directory}/{name}', errors='replace') as lines:
            yield from lines
