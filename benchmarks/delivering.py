"""Start a process that waits for files; publish to it, or leave it alone.

Prints what was measured as JSON.
"""
import claiming
import contextlib
import importlib
import json
import os
import pathlib
import random
import re
import select
import shutil
import subprocess
import sys
import time
import work


FEW = 3             # files to begin with, which do not count
SHORTEST_PAUSE = 0.05  # seconds
SETTLE = 2          # seconds, until all is quiet
LONGEST_WAIT = 60   # seconds
LONGEST = 100       # bytes of one answer
CONSUMING = pathlib.Path(__file__).with_name('consuming.py')


class Consumer:
    """Processes that wait for files."""

    def __init__(self, name, *prefix, workers=1, **task):
        reader, writer = os.pipe()
        self._answers = open(reader, 'rb', buffering=0)
        self._processes = [subprocess.Popen(
            [*prefix, sys.executable, '-E', CONSUMING, name,
             json.dumps(task)], stdout=writer) for _ in range(workers)]
        os.close(writer)
        self.pid = self._processes[0].pid

    def began(self):
        """Return the moment when work on the next file begins."""
        if not select.select([self._answers], [], [], LONGEST_WAIT)[0]:
            sys.exit('The file has not come.')
        answer = self._answers.read(LONGEST)
        if not answer:
            sys.exit('The process that waits for files has ended.')
        return float(answer)

    def close(self):
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(LONGEST_WAIT)
            finally:
                process.kill()
        self._answers.close()


def deliver(path, name, files, size, durable, seed, pause, **task):
    """Return the moments of each file: before, after, and work begins."""
    chance = random.Random(seed)
    publisher = make_publisher(name, path, durable)
    documents = work.make_documents(FEW + files, size)
    work.settle(path)
    with contextlib.closing(
            Consumer(name, path=path, durable=durable, **task)) as consumer:
        time.sleep(SETTLE)
        moments = [
            publish(publisher, consumer, document,
                    SHORTEST_PAUSE + chance.uniform(0, pause))
            for document in documents]
    return moments[FEW:]


def make_publisher(name, path, durable):
    module = importlib.import_module(f'contender.{name}')
    return module.Contender(path, durable)


def publish(publisher, consumer, document, pause=0):
    time.sleep(pause)
    before = time.monotonic()
    publisher.publish(*document)
    after = time.monotonic()
    return before, after, consumer.began()


def idle(path, waiting, seconds, **task):
    """Return what a process that waits takes per second, by kind."""
    claiming.fill(path, waiting, files=0)
    with at_rest(path, **task) as pid:
        answer = rates(seconds, processor=lambda: processor_time(pid),
                       wakes=lambda: wakes(pid))
    # With many files it would wait longer, because each look takes longer.
    if shutil.which('strace') and not waiting:
        log = f'{path}.calls'
        with at_rest(path, 'strace', '-D', '-o', log, **task):
            answer |= rates(seconds, calls=lambda: lines(log))
    return answer


@contextlib.contextmanager
def at_rest(path, *prefix, **task):
    """Start a process, see that it works, and leave it alone."""
    publisher = make_publisher('filestore', path, durable=True)
    with contextlib.closing(Consumer(
            'filestore', *prefix, path=path, durable=True,
            **task)) as consumer:
        publish(publisher, consumer, ('first.dat', b''))
        time.sleep(SETTLE)
        yield consumer.pid


def rates(seconds, **counters):
    """Return by how much each counter grows in a second."""
    began, before = time.monotonic(), count(counters)
    time.sleep(seconds)
    after, elapsed = count(counters), time.monotonic() - began
    return {name: (after[name] - before[name]) / elapsed for name in counters}


def count(counters):
    return {name: counter() for name, counter in counters.items()}


def processor_time(pid):
    """Return the seconds of user and system time, as exact as they are known.

    /proc/PID/stat has hundredths only. The clock of another process has its
    number from clock_getcpuclockid(3), which Python lacks.
    """
    return time.clock_gettime((~pid << 3) | 2)


def wakes(pid):
    """Return how often it has gone to sleep, and so was woken."""
    status = pathlib.Path(f'/proc/{pid}/status').read_text()
    return int(re.search(r'^voluntary_ctxt_switches:\s+(\d+)', status,
                         re.MULTILINE)[1])


def lines(path):
    with open(path, 'rb') as file:
        return sum(1 for line in file)


if __name__ == '__main__':
    verb = {'deliver': deliver, 'idle': idle}[sys.argv[1]]
    print(json.dumps(verb(**json.loads(sys.argv[2]))))
