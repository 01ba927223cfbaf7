"""Be one of many processes that publish to a store, or take from it.

Prints one line when it is ready, waits for one, works, and prints as JSON when
it began, when the last file was done, and which files it has taken.
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
    return time.monotonic(), []


def take(contender, end, **ignored):
    """Take until nothing comes any more."""
    last, found = time.monotonic(), []
    while True:
        is_last = os.path.exists(end)
        for data in contender.take():
            found.append(identity(data))
            last = time.monotonic()
        if is_last:
            return last, found
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
    last, found = VERBS[verb](
        contender, end=os.path.join(path, 'end'), **more)
    print(json.dumps([begin, last, found]))


if __name__ == '__main__':
    main(**json.loads(sys.argv[1]))
