"""Fill a store with files that wait, or claim others beside them.

Prints the seconds as JSON.
"""
import gocept.filestore
import json
import logging
import os
import sys
import time


HOUR = 3600     # seconds
SIZE = 1024     # bytes


def fill(path, waiting, files):
    """Let some files wait for their next attempt, and others for the first.
    """
    logging.disable()  # a line for each that waits hides the tables
    policy = gocept.filestore.RetryPolicy(first=HOUR)
    store = gocept.filestore.FileStore(
        path, durable=False, prepare=True, retry_policy=policy)
    publish(store, 'waiting', waiting)
    for claim in store.claims():
        claim.fail('the server is down')
    publish(store, 'new', files)


def publish(store, kind, files):
    for number in range(files):
        with store.publish(f'{number:06}.{kind}', 'wb') as file:
            file.write(bytes(SIZE))


def measure(path, durable, files):
    """Claim with a store that has not seen yet which ones wait; and again.
    """
    store = gocept.filestore.FileStore(path, durable=durable)
    first, rest = timed(take, store, 1), timed(take, store, files - 1)
    seconds = {'first claim': first, 'at first': first + rest,
               'first None': timed(find_none, store)}
    bring_back(store)
    seconds['later'] = timed(take, store, files)
    seconds['None'] = timed(find_none, store)
    bring_back(store)
    seconds['plain moves'] = timed(move, path, os.listdir(f'{path}/new'))
    bring_back(store)
    return seconds


def timed(function, *args):
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def take(store, files):
    for _ in range(files):
        claim = store.claim()
        with claim.open('rb') as file:
            file.read()
        claim.finish()


def move(path, names):
    """Do what a claim can not do without."""
    for name in names:
        os.rename(f'{path}/new/{name}', f'{path}/work/{name}')
        os.rename(f'{path}/work/{name}', f'{path}/cur/{name}')


def find_none(store):
    if store.claim() is not None:
        sys.exit('There is one left.')


def bring_back(store):
    """Make no new files: that takes long where others were just removed."""
    for path in store.list('cur'):
        store.move(path, 'cur', 'new')


if __name__ == '__main__':
    verb = {'fill': fill, 'measure': measure}[sys.argv[1]]
    print(json.dumps(verb(**json.loads(sys.argv[2]))))
