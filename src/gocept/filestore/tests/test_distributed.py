"""The stories, and races between two hosts, on distributed file systems.

Each file system is a layer, which mounts a new volume twice; see `volume.py`.
Two of four workers find the store in the one mount, two in the other one. What
they own they write down on the local disk, as in `test_race.py`.
"""

import contextlib
import gocept.filestore.disk.move
import gocept.filestore.filestore
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import gocept.filestore.tests.test_race
import gocept.filestore.tests.test_stories
import gocept.filestore.tests.volume
import hashlib
import itertools
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock
import zope.testing.setupstack
import zope.testing.wait


COUNT = 2000
KILLS = 3
ROUNDS = 5  # at most, until plain renames have had double owners
NAMES = 100  # of each of the two who publish
GONE = gocept.filestore.disk.move.GONE
STORIES = (gocept.filestore.tests.test_stories.front_page()
           + gocept.filestore.tests.test_stories.stories())
NO_LEASES = 'there are leases on local file systems only'
NO_RENAMEAT2 = 'it shows renameat2(2), which is answered with EINVAL here'
# Why a story can not be told: on all of them, or on one.
LEFT_OUT = {
    'calls.txt': {'all': 'it lists the calls that a local disk takes'},
    'fault.txt': {'MooseFS': NO_RENAMEAT2, 'GlusterFS': NO_RENAMEAT2},
    'guard.txt': {'all': NO_LEASES},
    'intake.txt': {'all': NO_LEASES},
    'zcml.txt': {'all': 'Python goes by the time of a directory, which is old '
                        'here, and does not find the modules of the story'}}


class Volume:
    """Mounts a distributed file system twice; a layer of zope.testrunner."""

    __bases__ = ()
    obstacle = None
    mounts = ()

    def __init__(self, kind):
        self.__name__ = kind
        self._stack = contextlib.ExitStack()

    def setUp(self):
        self.obstacle = gocept.filestore.tests.volume.obstacle(self.__name__)
        if self.obstacle:
            print('  %s is left out: %s' % (self.__name__, self.obstacle))
            return
        for story in LEFT_OUT:
            if reason := self.reason_to_leave_out(story):
                print('  %s is left out: %s' % (story, reason))
        self.mounts = self._stack.enter_context(
            gocept.filestore.tests.volume.mounted(self.__name__))

    def tearDown(self):
        self._stack.close()

    def reason_to_leave_out(self, story):
        reasons = LEFT_OUT.get(story, {})
        return reasons.get(self.__name__, reasons.get('all'))


class Case(gocept.filestore.tests.test_race.RaceCase):
    """Four workers on two hosts; `path` is the store as the first one sees it.
    """

    durable = True
    wait = zope.testing.wait.Wait(timeout=300, wait=.01)

    def setUp(self):
        if self.layer.obstacle:
            self.skipTest(self.layer.obstacle)
        super().setUp()
        self.paths = [mount / self.directory.name
                      for mount in self.layer.mounts]
        self.path = self.paths[0]
        self.hosts = itertools.cycle(self.paths)
        self.store = self.open_store()
        self.store.prepare()

    def host(self):
        return next(self.hosts)

    def done(self):
        time.sleep(.005)  # leaves the processor to the workers
        return self.log.read_text().count(' end ')

    def check_once(self, log):
        """Only what a dead process has had may be worked on again."""
        again = {name: intervals for name, intervals in log.intervals.items()
                 for begin, end, pid in sorted(intervals)[:-1]
                 if int(pid) not in self.kills}
        self.assertEqual({}, again)


class Hosts(Case):

    def test_claims_have_one_owner_and_plain_renames_have_two(self):
        digests, log = self.race(COUNT, KILLS)
        self.check(digests, log)
        self.check_once(log)
        doubles = self.doubles_of_rename()
        print('  %s: %s of %s files have had two owners with plain renames, '
              'none with claims' % (self.layer.__name__, doubles, COUNT))

    def doubles_of_rename(self):
        """Let others do the same with rename(2), until two own a file."""
        spaces = 'cur', 'done'
        for _ in range(ROUNDS):
            if doubles := self.rename(*spaces):
                return len({name for name, first, second in doubles})
            spaces = spaces[::-1]
        self.fail('plain renames have had no double owners')

    def rename(self, *spaces):
        self.log.write_text('')
        for name in ('busy', 'done'):
            (self.path / name).mkdir(exist_ok=True)
        self.running = [
            subprocess.Popen(
                [sys.executable, '-c', 'import sys, %s as test; '
                 'test.rename_all(*sys.argv[1:])' % __name__,
                 str(self.host()), str(self.log), *spaces],
                env=gocept.filestore.tests.case.environment())
            for _ in range(self.workers)]
        for process in self.running:
            self.assertEqual(0, process.wait(300))
        return gocept.filestore.tests.test_race.Log(
            self.log, {}).double_owners()

    def test_last_version_of_each_name_comes_last(self):
        self.start_all(self.workers)
        writers = [self.writer(number) for number in range(len(self.paths))]
        for writer in writers:
            writer.send(gocept.filestore.tests.test_race.WRITER)
        self.kill_some(NAMES * len(writers))
        last = {}
        for writer in writers:
            last.update(writer.answer())
        self.end()
        log = gocept.filestore.tests.test_race.Log(self.log, self.kills)
        self.assertEqual([], log.double_owners())
        self.check_once_each_version(log)
        self.check_versions(last, log)

    def writer(self, number):
        """Start a process that publishes names of its own, many times each.
        """
        child = gocept.filestore.tests.case.Child(
            self.host(), {'durable': self.durable})
        self.addCleanup(child.close)
        child.run('writer, documents, rounds = %s, %s, %s' % (
            number, NAMES, COUNT // len(self.paths)))
        return child

    def kill_some(self, count):
        choose = random.Random()
        for mark in sorted(choose.uniform(0, .9) for _ in range(KILLS)):
            self.wait(lambda mark=mark: self.done() >= mark * count)
            self.kill_one(choose)

    def check_versions(self, last, log):
        """No version overtakes another one, and the last one is kept."""
        versions = {digest_of('%08d' % number): number
                    for number in range(COUNT)}
        seen = {name: [versions[digest] for digest in digests]
                for name, digests in log.digests.items()}
        self.assertEqual(seen, {
            name: sorted(numbers) for name, numbers in seen.items()})
        self.assertEqual({}, {
            name: (int(version), seen.get(name))
            for name, version in last.items()
            if seen.get(name, [None])[-1] != int(version)})
        self.assertEqual({'cur': sorted(last), 'tmp': ['end']}, self.files())
        for name, version in last.items():
            self.assertEqual(version * 100, self.read('cur', name))
        # Many were worked on, so there was a race.
        self.assertGreater(sum(map(len, seen.values())), len(last))

    def check_once_each_version(self, log):
        begun = sum(map(len, log.digests.values()))
        different = sum(len(set(digests)) for digests in log.digests.values())
        self.assertLessEqual(begun, different + len(self.kills))


def digest_of(version):
    return hashlib.sha256((version * 100).encode()).hexdigest()


def rename_all(path, log, source, target):
    """Take each file with rename(2), work on it, and move it on.

    Two who take it at the same time may both be told that it worked.
    """
    os.chdir(path)
    lines = pathlib.Path(log)
    log = os.open(log, os.O_WRONLY | os.O_APPEND)
    note = gocept.filestore.tests.test_race.note
    note(log, 'ready', '-', 0, '-')
    gocept.filestore.tests.command.Case.wait(
        lambda: lines.read_text().count(' ready ') >= Case.workers)
    for name in sorted(os.listdir(source)):
        if renamed(source, 'busy', name):
            note(log, 'begin', name, time.monotonic_ns(), '-')
            time.sleep(.0005)  # is the work
            note(log, 'end', name, time.monotonic_ns(), '-')
            renamed('busy', target, name)


def renamed(source, target, name):
    try:
        os.rename('%s/%s' % (source, name), '%s/%s' % (target, name))
    except OSError as error:
        if error.errno not in GONE:
            raise
        return False
    return True


def set_up(layer):
    """Return what sets up a story in a directory of the first mount."""
    def set_up(test):
        if layer.obstacle:
            raise unittest.SkipTest(layer.obstacle)
        zope.testing.setupstack.context_manager(test, unittest.mock.patch(
            'tempfile.tempdir', str(layer.mounts[0])))
        gocept.filestore.tests.test_stories.set_up(test)
        test.globs['tick'] = tick

    return set_up


def tick(directory):
    """Wait until the clock of the file system has gone on."""
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        begin = os.fstat(file.fileno()).st_ctime_ns
        # JuiceFS takes no notice of a mode that stays as it is.
        for mode in itertools.cycle((0o600, 0o400)):
            os.fchmod(file.fileno(), mode)
            if os.fstat(file.fileno()).st_ctime_ns > begin:
                return


def test_suite():
    suite = gocept.filestore.tests.case.slow(unittest.TestSuite())
    for kind in gocept.filestore.tests.volume.PROGRAMS:
        suite.addTest(tests(Volume(kind)))
    return suite


def tests(layer):
    suite = unittest.TestSuite()
    suite.layer = layer
    case = type(layer.__name__, (Hosts,), {'layer': layer})
    suite.addTest(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    for story in STORIES:
        if not layer.reason_to_leave_out(os.path.basename(story)):
            suite.addTest(gocept.filestore.tests.test_stories.told(
                str(story), gocept.filestore.filestore.FileStore,
                set_up(layer)))
    return suite
