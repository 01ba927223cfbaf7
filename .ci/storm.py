"""Kill workers all the time, and see that no file is lost.

    $ PYTHONPATH=src .venv/bin/python .ci/storm.py DIRECTORY

Four workers go through the files of a durable store. One file in fifty raises
an exception, one in a thousand kills its worker, each time. Besides, every
tenth of a second one of the workers is killed. For each that has died another
one is started. In the end each file is in `cur`, or in `failed` after five
attempts.

With --break each worker believes that it has got every lock. Then two of them
own one file at once, and the log has to show that.
"""
import argparse
import gocept.filestore
import gocept.filestore.tests.case
import hashlib
import itertools
import os
import pathlib
import random
import signal
import storm_outcome
import subprocess
import sys
import time


WORKERS = 4
PAUSE = 0.1  # seconds between two kills
LONGEST = 480  # seconds; a disk may be slow
LARGEST = 20 * 1024  # bytes
PROGRAM = str(pathlib.Path(__file__).with_name('storm_worker.py'))
BREAK = ('import gocept.filestore.tests.test_race as race, runpy; '
         'race.broken(); runpy.run_path(%r, run_name="__main__")' % PROGRAM)


class Storm:
    """A store, the workers that are alive, and when others were killed."""

    def __init__(self, directory, program, stderr=None):
        self.log = directory / 'log'
        self.log.touch()
        self.store = gocept.filestore.FileStore(str(directory / 'store'))
        self.store.prepare()
        self.digests = {}
        self.kills = {}
        self.stumbled = 0
        self._program = program
        self._stderr = stderr
        self._numbers = itertools.count()
        self._workers = {}

    def publish(self, files):
        for number in range(files):
            name = name_of(number)
            content = os.urandom(random.randint(0, LARGEST))
            with self.store.publish(name, 'wb') as file:
                file.write(content)
            self.digests[name] = hashlib.sha256(content).hexdigest()

    def rage(self):
        """Kill workers until every file has come to its end."""
        self._replace_dead()
        moment = time.monotonic()
        end = moment + LONGEST
        while self._is_at_work() and time.monotonic() < end:
            moment += PAUSE
            time.sleep(max(0, moment - time.monotonic()))
            self._replace_dead()
            self._kill(random.choice(list(self._workers)))
            self._replace_dead()

    def end(self):
        for number in self._workers:
            self._kill(number)

    def _is_at_work(self):
        # In this order: files go from `new` to `work`, and never back.
        return any(has_entries(os.path.join(self.store.path, space))
                   for space in ('new', 'work'))

    def _kill(self, number):
        self.kills[number] = time.monotonic_ns()
        self._workers[number].kill()
        self._workers[number].wait()

    def _replace_dead(self):
        for number, worker in list(self._workers.items()):
            if worker.poll() is not None:
                self.stumbled += worker.returncode != -signal.SIGKILL
                del self._workers[number]
        while len(self._workers) < WORKERS:
            number = next(self._numbers)
            self._workers[number] = self._start(number)

    def _start(self, number):
        return subprocess.Popen(
            [sys.executable, *self._program, self.store.path, self.log,
             str(number)], stderr=self._stderr,
            env=gocept.filestore.tests.case.environment())


def has_entries(directory):
    if not os.path.exists(directory):
        return False
    with os.scandir(directory) as entries:
        return any(True for entry in entries)


def name_of(number):
    """Return a name that says what the file does to its worker."""
    if number % 1000 == 500:
        return f'{number:05}.kills'
    return f'{number:05}.raises' if number % 50 == 7 else f'{number:05}.works'


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('directory', type=pathlib.Path, help='is made')
    parser.add_argument('--files', type=int, default=20000)
    parser.add_argument('--break', action='store_true', dest='is_broken',
                        help='let the lock not work, and see that')
    return parser.parse_args()


def file_system(directory):
    return subprocess.run(['stat', '-f', '-c', '%T', directory], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def timed(title, function, *args):
    begin = time.monotonic()
    function(*args)
    print(f'{title:44}{time.monotonic() - begin:6.1f}', flush=True)


def main():
    options = parse_options()
    options.directory.mkdir()
    print(f'on {file_system(options.directory)}')
    if options.is_broken:
        storm = Storm(options.directory, ['-c', BREAK], subprocess.DEVNULL)
    else:
        storm = Storm(options.directory, [PROGRAM])
    timed('seconds to publish', storm.publish, options.files)
    try:
        timed('seconds to work and to be killed', storm.rage)
        killed = len(storm.kills)
    finally:
        storm.end()
    outcome = storm_outcome.Outcome(storm, killed)
    for title, figure in outcome.figures():
        print(f'{title:44}{figure:>6}')
    check([('two owners of one file are seen', outcome.double_owners)]
          if options.is_broken else list(outcome.promises()))


def check(promises):
    for sentence, holds in promises:
        print(f'{sentence}: {"yes" if holds else "NO"}')
    sys.exit(not all(holds for sentence, holds in promises))


if __name__ == '__main__':
    main()
