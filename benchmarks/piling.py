"""Make files that wait in a store, or claim some of them.

Prints the seconds and the memory as JSON.
"""
import gocept.filestore.filestore
import json
import memory
import os
import sys
import time


def prepare(path):
    gocept.filestore.filestore.FileStore(path).prepare()
    os.mkdir(f'{path}/work')    # otherwise the first claim makes it


def fill(path, first, last):
    """Make empty files in the cheapest way; none is read from here on."""
    for number in range(first, last):
        os.close(os.open(f'{path}/new/{number:09}.document.xml',
                         os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))


def measure(path, name, order, claims, durable):
    """Claim the first one, and then some more, in a process that is new."""
    before = memory.size('VmRSS')
    clock = time.perf_counter
    start = clock()
    turns = WAYS[name](path, order, durable)
    next(turns)
    first = clock()
    for _ in range(claims):
        next(turns)
    end = clock()
    growth = memory.size('VmHWM') - before
    turns.close()
    bring_back(path)
    return {'first': first - start, 'rest': end - first, 'memory': growth}


def call(path, order, durable):
    """Make the plain system calls that claiming can not do without."""
    for name in ORDERS[order](f'{path}/new'):
        os.rename(f'{path}/new/{name}', f'{path}/work/{name}')
        os.rename(f'{path}/work/{name}', f'{path}/cur/{name}')
        yield


def by_age(path):
    with os.scandir(path) as entries:
        found = [(entry.stat().st_ctime_ns, entry.name) for entry in entries]
    found.sort()
    return (name for ctime, name in found)


def in_order(path):
    with os.scandir(path) as entries:
        for entry in entries:
            yield entry.name


def claim(path, order, durable):
    store = gocept.filestore.filestore.FileStore(path, durable=durable)
    for claim in store.select(order=order).claims():
        claim.finish()
        yield


def bring_back(path):
    """Make no new files: that takes long where others were just removed."""
    for name in os.listdir(f'{path}/cur'):
        os.rename(f'{path}/cur/{name}', f'{path}/new/{name}')


ORDERS = {'age': by_age, 'directory': in_order}
WAYS = {'straight_line': call, 'filestore': claim}


if __name__ == '__main__':
    verb = {'prepare': prepare, 'fill': fill, 'measure': measure}[sys.argv[1]]
    print(json.dumps(verb(**json.loads(sys.argv[2]))))
