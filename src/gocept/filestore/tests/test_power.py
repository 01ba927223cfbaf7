"""The power is cut while a process works on a store, on a real file system.

The file system lies in a file, behind a loop device. What it has handed over
to that file is what a disk would have when the power fails: we stop the
process, copy the file, and mount the copy, so that the file system recovers.
"""

import gocept.filestore.filestore
import gocept.filestore.tests.case
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time
import unittest


CUTS = 4  # for each file system


def program(kind):
    """Return the path of the program that makes such a file system."""
    return shutil.which('mkfs.' + kind, path='/usr/sbin:/sbin:' + os.defpath)


def reason(kind):
    """Return why there is no such file system here, or None."""
    if os.getuid():
        return 'only root can mount a file system'
    if program(kind) is None:
        return 'mkfs.%s is not installed' % kind
    with tempfile.TemporaryDirectory() as directory:
        disk = Disk(pathlib.Path(directory), 'probe', kind)
        try:
            disk.make()
            disk.mount()
        except subprocess.CalledProcessError as error:
            return 'there is no %s here: %s' % (kind, error.stderr.strip())
        finally:
            disk.umount()


class Disk:
    """A file system in a file."""

    # Little is written before it has to be, and not while we copy.
    options = {'ext4': 'commit=300', 'xfs': 'nouuid', 'btrfs': 'commit=300'}

    def __init__(self, directory, name, kind):
        self.image = directory / (name + '.image')
        self.path = directory / name
        self.kind = kind

    def make(self):
        with open(self.image, 'wb') as file:
            file.truncate(400 << 20)
        force = {'ext4': '-F', 'xfs': '-f', 'btrfs': '-f'}[self.kind]
        run(program(self.kind), '-q', force, self.image)

    def mount(self):
        self.path.mkdir()
        run('mount', '-o', 'loop,' + self.options[self.kind], self.image,
            self.path)

    def umount(self):
        if self.path.is_mount():
            run('umount', '--lazy', self.path)

    def copy(self, name):
        copy = Disk(self.image.parent, name, self.kind)
        run('cp', '--sparse=always', self.image, copy.image)
        return copy


def run(*command):
    return subprocess.run(command, check=True, timeout=60, text=True,
                          capture_output=True)


class PowerCase:

    layer = gocept.filestore.tests.case.Slow
    kind = None

    def setUp(self):
        obstacle = reason(self.kind)
        if obstacle:
            self.skipTest(obstacle)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='filestore-'))
        self.addCleanup(shutil.rmtree, self.directory)
        self.random = random.Random()

    def cut(self, number, durable):
        """Return what was reported, and the disk after the power cut."""
        disk = Disk(self.directory, 'disk%s' % number, self.kind)
        disk.make()
        disk.mount()
        self.addCleanup(disk.umount)
        child = gocept.filestore.tests.case.Child(
            disk.path / 'store', {'durable': durable})
        try:
            reports = self.reports(child)
            copy = disk.copy('copy%s' % number)
        finally:
            child.kill()
        disk.umount()
        copy.mount()
        self.addCleanup(copy.umount)
        return reports, copy

    def reports(self, child):
        """Let it work for a while, stop it, and return what it has done."""
        child.send(WORK)
        time.sleep(self.random.uniform(.2, .6))  # any moment will do
        os.kill(child.process.pid, signal.SIGSTOP)
        os.waitpid(child.process.pid, os.WUNTRACED)
        os.set_blocking(child.process.stdout.fileno(), False)
        lines = os.read(child.process.stdout.fileno(), 1 << 20)
        return lines.decode().splitlines()

    def found(self, disk):
        """Return the names that are there; see that each one is whole."""
        names = set()
        for space in ('new', 'work', 'cur', 'failed'):
            for path in (disk.path / 'store').glob(space + '/*'):
                digest, _, content = path.read_text().partition('\n')
                self.assertEqual(
                    digest, hashlib.sha256(content.encode()).hexdigest())
                names.add(path.name)
        for path in (disk.path / 'store').glob('attempts/*'):
            for line in path.read_text().splitlines():
                json.loads(line)
        return names

    def test_what_was_published_survives(self):
        total = 0
        for number in range(CUTS):
            reports, disk = self.cut(number, durable=True)
            with self.subTest(number=number):
                self.assertEqual(set(), set(reports) - self.found(disk))
                self.goes_on(disk, reports)
            disk.umount()
            total += len(reports)
        self.assertGreater(total, CUTS)

    def goes_on(self, disk, reports):
        """Somebody works on what is left; then it is done, or waits."""
        store = gocept.filestore.filestore.FileStore(
            str(disk.path / 'store'), prepare=True)
        for claim in store.claims():
            claim.finish()
        self.assertEqual([], store.status()['claims'])
        left = {os.path.basename(path) for space in ('cur', 'work', 'failed')
                for path in store.list(space)}
        self.assertEqual(set(), set(reports) - left)

    def test_without_syncing_it_does_not(self):
        # So the test can see what it is for.
        lost = 0
        for number in range(CUTS):
            reports, disk = self.cut(number, durable=False)
            lost += len(set(reports) - self.names_in(disk))
            disk.umount()
        self.assertGreater(lost, 0)

    def names_in(self, disk):
        return {path.name for path in disk.path.glob('store/*/*')
                if path.stat().st_size}


# Each name is told when it was published, and not what was done with it
# then: it is somewhere, in any case.
WORK = """
import hashlib, itertools, os, random
import gocept.filestore

store.prepare()
for number in itertools.count():
    content = 'x' * random.randint(0, 9000)
    with store.publish(str(number)) as file:
        file.write(hashlib.sha256(content.encode()).hexdigest())
        file.write('\\n' + content)
    os.write(1, b'%d\\n' % number)
    if number % 3 == 1:
        store.claim().finish()
    if number % 5 == 1:
        store.claim().fail('no paper')
    if number % 5 == 2:
        store.claim().fail(gocept.filestore.Reject('no paper'))
    if number % 10 == 9:
        store.retry(store.failures()[0]['filename'])
"""


class Ext4(PowerCase, unittest.TestCase):

    kind = 'ext4'


class Xfs(PowerCase, unittest.TestCase):

    kind = 'xfs'


class Btrfs(PowerCase, unittest.TestCase):

    kind = 'btrfs'
