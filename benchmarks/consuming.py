"""Wait for files, and print at which moment work on each one begins.

It is that of time.monotonic(), which is the same in all processes.
"""
import gocept.filestore
import gocept.filestore.consumer
import inotify_simple
import json
import os
import signal
import sys
import time


LONGEST_LIFE = 900  # seconds
LONGEST = 65536     # bytes of events read at once


def consume(path, durable, poll, woken):
    if not woken:
        # as without the extra
        sys.modules['inotify_simple'] = None
    store = gocept.filestore.FileStore(path, durable=durable)
    consumer = gocept.filestore.consumer.Consumer(store, handle, poll=poll)
    signal.signal(signal.SIGTERM, consumer.stop)
    # What waits is known after that. It takes a while if there is much, and
    # the first pause of `run` would be fifty times as long.
    consumer.drain()
    consumer.run()


def handle(claim):
    tell(time.monotonic())


def tell(moment):
    print(moment, flush=True)


def call(path, **options):
    """Make the plain system calls that the work can not do without."""
    new, cur = (os.path.join(path, space) for space in ('new', 'cur'))
    with inotify_simple.INotify() as notifier:
        notifier.add_watch(new, inotify_simple.flags.MOVED_TO)
        while True:
            for name in os.listdir(new):
                os.rename(f'{new}/{name}', f'{cur}/{name}')
                tell(time.monotonic())
            os.read(notifier.fileno(), LONGEST)


if __name__ == '__main__':
    # Even if whoever has started us is gone.
    signal.alarm(LONGEST_LIFE)
    verb = {'filestore': consume, 'straight_line': call}[sys.argv[1]]
    verb(**json.loads(sys.argv[2]))
