"""Writers append, two intakes take, some of which are killed, one consumes.

Each record is written in two pieces. A file that is published while somebody
still writes to it loses what comes later: the consumer has read and removed
it before.
"""

import contextlib
import gocept.filestore.filestore
import gocept.filestore.intake.tests.test_intake
import gocept.filestore.tests.case
import gocept.filestore.tests.test_race
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zope.testing.wait


RECORDS = 250  # of each writer
NAMES = 100  # of each writer: some get a second record, or a newer file
QUIET = .02  # seconds; for a writer that is just about to open a file
SLOW = 10  # each so many-th one pauses for longer than that


def write(folder, writer):
    for number in range(RECORDS):
        record = '%s %s %s\n' % (writer, number, random.randbytes(8).hex())
        path = os.path.join(folder, '%s-%s' % (writer, number % NAMES))
        with open(path, 'a', 1) as file:
            file.write(record[:10])
            file.flush()
            time.sleep(.001 if number % SLOW else 3 * QUIET)
            file.write(record[10:])
        print(record, end='')


def take(variant, path, folder):
    gocept.filestore.tests.test_race.VARIANTS[variant]()
    intake = gocept.filestore.filestore.FileStore(
        path, durable=False).intake(folder, QUIET)
    print('ready', flush=True)
    while not os.path.exists(os.path.join(path, 'tmp', 'end')):
        intake.take()
        time.sleep(.001)  # leaves the processor to those who write


@gocept.filestore.tests.case.slow
class RaceCase(gocept.filestore.tests.case.Case):

    layer = gocept.filestore.tests.case.Slow
    variant = 'plain'

    def setUp(self):
        super().setUp()
        self.folder = self.directory / 'in'
        self.folder.mkdir()
        self.found = []
        self.intakes = []

    def start(self, call):
        process = subprocess.Popen(
            [sys.executable, '-c', 'import %s as race; race.%s' % (
                __name__, call)], stdout=subprocess.PIPE, text=True,
            env=gocept.filestore.tests.case.environment())
        self.addCleanup(process.__exit__, None, None, None)
        self.addCleanup(process.kill)
        return process

    def start_intake(self):
        process = self.start('take%r' % (
            (self.variant, str(self.path), str(self.folder)),))
        self.assertEqual('ready\n', process.stdout.readline())
        self.intakes.append(process)

    def kill_one(self):
        process = self.intakes.pop(random.randrange(len(self.intakes)))
        process.kill()
        process.wait()

    def consume(self):
        for claim in self.store.claims():
            with contextlib.closing(claim.open()) as file:
                self.found += file
            claim.finish(keep=False)

    def left(self):
        return [name for directory in (
            self.folder, self.folder / '.filestore', self.path / 'new')
            for name in os.listdir(directory) if name[0] != '.']

    def race(self, kills=6):
        """Return all records that were written, and all that arrived."""
        self.start_intake()
        self.start_intake()
        writers = [self.start('write%r' % ((str(self.folder), number),))
                   for number in range(3)]
        for _ in range(kills):
            end = time.monotonic() + random.uniform(0, .1)
            while time.monotonic() < end:
                self.consume()
            self.kill_one()
            self.start_intake()
        written = [line for writer in writers
                   for line in writer.communicate(timeout=60)[0].splitlines(
                       keepends=True)]
        zope.testing.wait.Wait(timeout=60, wait=.01)(
            lambda: self.consume() or not self.left())
        self.put('tmp', 'end')
        for process in self.intakes:
            self.assertEqual(0, process.wait(60))
        return sorted(written), sorted(self.found)


class Race(RaceCase):

    def test_every_byte_arrives_once(self):
        written, found = self.race()
        self.assertEqual(3 * RECORDS, len(written))
        self.assertEqual(written, found)


class ByLink(RaceCase):

    variant = 'by_link'

    def test_nothing_is_lost(self):
        # One that was linked, done and removed at the crash comes again.
        written, found = self.race()
        self.assertEqual(written, sorted(set(found)))


@gocept.filestore.intake.tests.test_intake.needs_second_device
class AnotherDevice(RaceCase):

    def setUp(self):
        super().setUp()
        memory = gocept.filestore.intake.tests.test_intake.MEMORY
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=memory))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_nothing_is_lost(self):
        # One that was copied before the crash comes again.
        written, found = self.race()
        self.assertEqual(written, sorted(set(found)))
