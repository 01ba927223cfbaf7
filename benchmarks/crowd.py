"""Be one of many processes that publish to a store, or take from it.

Prints one line when it is ready, waits for one, works, and prints as JSON when
it began and ended, and which files it has taken.
"""
import importlib
import json
import os
import sys
import time
import work


PAUSE = 0.01        # seconds until a process that found nothing looks again


def publish(contender, number, files, size, **ignored):
    for name, data in work.make_documents(files, size, number):
        contender.publish(name, data)
    return []


def take(contender, end, **ignored):
    """Take until nothing comes any more; return whom the files are from."""
    found = []
    while True:
        is_last = os.path.exists(end)
        found += map(identity, contender.take())
        if is_last:
            return found
        time.sleep(PAUSE)


def identity(data):
    """Return what is different in each file."""
    return bytes(data[:8]).hex()


VERBS = {'publish': publish, 'take': take}


def main(verb, name, path, durable, **more):
    kind = importlib.import_module(f'contender.{name}').Contender
    contender = kind(os.path.join(path, 'store'), durable)
    print('ready', flush=True)
    sys.stdin.readline()
    begin = time.monotonic()
    found = VERBS[verb](contender, end=os.path.join(path, 'end'), **more)
    print(json.dumps([begin, time.monotonic(), found]))


if __name__ == '__main__':
    main(**json.loads(sys.argv[1]))
