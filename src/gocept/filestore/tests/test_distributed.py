"""The stories, and races between two hosts, on distributed file systems.

Each file system is a layer, which mounts a new volume twice; see `volume.py`.
Two of four workers find the store in the one mount, two in the other one. What
they own they write down on the local disk, as in `test_race.py`. Each layer
prints the figures of its races, of which there are as many as one asks for:

    $ RACES=10 bin/test --all -m test_distributed -t kept
"""

import contextlib
import gocept.filestore.disk.move
import gocept.filestore.disk.probe
import gocept.filestore.doctor.examination
import gocept.filestore.doctor.finding
import gocept.filestore.filestore
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import gocept.filestore.tests.story
import gocept.filestore.tests.test_race
import gocept.filestore.tests.test_stories
import gocept.filestore.tests.volume
import hashlib
import itertools
import os
import pathlib
import random
import re
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
RACES = int(os.environ.get('RACES', 1))  # of each kind
ROUNDS = 5  # at most, until plain renames have had double owners
NAMES = 100  # of each of the two who publish
GONE = gocept.filestore.disk.move.GONE
STORIES = (gocept.filestore.tests.test_stories.front_page()
           + gocept.filestore.tests.test_stories.stories())
NO_LEASES = 'there are leases on local file systems only'
NO_HOLDERS = 'FUSE keeps locks to itself, and nobody sees who has them'
LOCAL_CALLS = 'it lists the calls that a local disk takes'
# Why a story can not be told: on all of them, or on one.
LEFT_OUT = {
    'calls.txt': {'all': LOCAL_CALLS},
    'check.txt': {'all': NO_HOLDERS, 'NFS': None},
    'failed.txt': {'MooseFS': 'its times are whole seconds, and do not tell '
                              'which file is newer'},
    'fault.txt': {'all': LOCAL_CALLS},
    'guard.txt': {'all': NO_LEASES},
    'intake.txt': {'all': NO_LEASES},
    'move.txt': {'NFS': 'it locks files that are open for reading only'},
    'status.txt': {'all': NO_HOLDERS, 'NFS': None},
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
        self.obstacle = self.find_obstacle()
        if self.obstacle:
            print('  %s is left out: %s' % (self.__name__, self.obstacle))
            return
        for story in LEFT_OUT:
            if reason := self.reason_to_leave_out(story):
                print('  %s is left out: %s' % (story, reason))
        self.mount(self._stack)

    def tearDown(self):
        self._stack.close()

    def find_obstacle(self):
        return gocept.filestore.tests.volume.obstacle(self.__name__)

    def mount(self, stack):
        self.mounts = stack.enter_context(
            gocept.filestore.tests.volume.mounted(self.__name__))

    def reason_to_leave_out(self, story):
        reasons = LEFT_OUT.get(story, {})
        kind, *_ = self.__name__.split()
        return reasons.get(kind, reasons.get('all'))


class Figures:
    """What has come of the races of one kind; it is good without faults."""

    faults = ('doubles', 'lost', 'again', 'stuck', 'gone')

    def __init__(self):
        self.counts = dict.fromkeys(('races', 'files', 'runs', 'kills'), 0)
        self.found = {fault: [] for fault in self.faults}

    def add(self, **found):
        for title, more in found.items():
            if title in self.found:
                self.found[title].extend(more)
            else:
                self.counts[title] += more

    def __str__(self):
        counts = self.counts | {
            fault: len(names) for fault, names in self.found.items()}
        return ', '.join(
            '%s %s' % (count, title) for title, count in counts.items())


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
        time.sleep(.05)  # leaves the processor to the workers
        return self.log.read_text().count(' end ')


class Races(Case):
    """Claims have one owner, whatever the one host remembers of the other."""

    def race_often(self, title, race):
        """Have some races, tell the figures of all, and want no faults."""
        figures = Figures()
        try:
            for _ in range(RACES):
                self.begin()
                figures.add(races=1, **race())
        finally:
            print('  %s, %s: %s' % (self.layer.__name__, title, figures))
        self.assertEqual({fault: [] for fault in figures.faults},
                         figures.found)

    def begin(self):
        """Begin with an empty store, which no host remembers."""
        gocept.filestore.tests.story.begin_to_wait()
        self.stop()
        self.path = self.path.with_name('race-%s' % time.time_ns())
        self.paths = [path.with_name(self.path.name) for path in self.paths]
        self.hosts = itertools.cycle(self.paths)
        self.store = self.open_store()
        self.store.prepare()
        self.kills.clear()
        self.running.clear()
        self.log = self.log.with_name('log-%s' % self.path.name)
        self.log.touch()

    def test_kept(self):
        self.race_often('kept', self.race_of_files)

    def test_not_kept(self):
        self.keep = False
        self.race_often('not kept', self.race_of_files)

    def race_of_files(self):
        digests, log = self.race(COUNT, KILLS)
        runs = {(name, digest) for pid, name, digest in log.runs}
        return self.figures(log, COUNT, digests, set(digests.items()) - runs)

    def figures(self, log, files, last, lost):
        """Return what has come, where `last` has what was published last."""
        self.wait(lambda: not self.removed_but_open())
        left = self.files()
        kept = {name: self.digest_of_kept(name)
                for name in left.pop('cur', ())}
        return {
            'files': files, 'runs': len(log.runs), 'kills': len(self.kills),
            'doubles': log.double_owners(), 'lost': lost,
            'again': log.again(self.kills),
            'stuck': [(space, name) for space in left for name in left[space]],
            'gone': set((last if self.keep else {}).items()) ^ kept.items()}

    def removed_but_open(self):
        """Return what NFS keeps of it, until it hears of a death."""
        return [name for names in self.tree().values() for name in names
                if name.startswith('.nfs')]

    def digest_of_kept(self, name):
        path = self.path / 'cur' / name
        self.assertEqual(1, path.stat().st_nlink)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def test_published_again(self):
        self.race_often('published again', self.race_of_versions)

    def test_published_again_and_not_kept(self):
        self.keep = False
        self.race_often(
            'published again, not kept', self.race_of_versions)

    def race_of_versions(self):
        self.start_all(self.workers)
        writers = [self.writer(number) for number in range(len(self.paths))]
        for writer in writers:
            writer.send(gocept.filestore.tests.test_race.WRITER)
        self.kill_some(NAMES * len(writers))
        last = {}
        for writer in writers:
            last.update(writer.answer())
            writer.close()
        self.end()
        log = gocept.filestore.tests.test_race.Log(self.log, self.kills)
        last = {name: digest_of(version) for name, version in last.items()}
        self.check_versions(log, last)
        runs = {(name, digest) for pid, name, digest in log.runs}
        return self.figures(log, COUNT, last, set(last.items()) - runs)

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

    def check_versions(self, log, last):
        """No version overtakes another one."""
        versions = {digest_of('%08d' % number): number
                    for number in range(COUNT)}
        seen = {name: [versions[digest] for digest in digests]
                for name, digests in log.digests.items()}
        self.assertEqual(seen, {
            name: sorted(numbers) for name, numbers in seen.items()})
        # Many were worked on, so there was a race.
        self.assertGreater(len(log.runs), len(last))


class Renames(Case):
    """What others do, for comparison."""

    def test_have_two_owners(self):
        for number in range(COUNT):
            self.put('new', 'file-%s' % number)
        print('  %s: %s of %s files have had two owners with plain renames' % (
            self.layer.__name__, self.doubles_of_rename(), COUNT))

    def doubles_of_rename(self):
        """Let others do the same with rename(2), until two own a file."""
        spaces = 'new', 'done'
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


class Remembered(Case):
    """The first host knows of names that the other one has moved."""

    def setUp(self):
        super().setUp()
        self.here, self.there = map(
            gocept.filestore.filestore.FileStore, self.paths)

    def test_file_that_another_host_has_finished(self):
        for number in range(ROUNDS):
            names = 'first-%s' % number, 'then-%s' % number
            self.publish_empty(*names)
            self.remember(*('new/%s' % name for name in names))
            self.here.claim().finish()
            self.there.claim().finish()
            self.assertIsNone(self.here.claim())

    def test_file_whose_owner_has_died_when_it_had_moved(self):
        for name in map(str, range(ROUNDS)):
            self.publish_empty(name)
            self.there.claim().release()  # makes `work`
            new, work = 'new/%s' % name, 'work/%s' % name
            os.link(self.paths[1] / new, self.paths[1] / work)
            self.remember(new, work)
            os.unlink(self.paths[1] / new)
            with self.here.claim() as claim:
                self.assertEqual(name, claim.filename)

    def test_file_whose_owner_has_died_while_he_took_it(self):
        for name in self.names_of_moves_in_steps():
            self.remember('new/' + name)
            self.link(name, 'new', 'work')
            self.here.claim().finish()
            self.assert_nothing_waits()

    def test_newer_file_whose_owner_has_died_while_he_took_it(self):
        for name in self.names_of_moves_in_steps():
            self.remember('new/' + name)
            with self.there.publish(name, replace=True):
                pass
            self.link(name, 'new', 'work')
            self.here.claim().finish()
            self.assert_nothing_waits()

    def test_file_whose_owner_has_died_while_he_kept_it(self):
        for name in self.names_of_moves_in_steps():
            claim = self.there.claim()
            older = self.paths[1] / 'cur' / name
            older.touch()
            self.remember('work/' + name, 'cur/' + name)
            older.unlink()
            self.link(name, 'work', 'cur')
            claim.drop()
            self.assert_nothing_waits()
            self.assertEqual(['cur'], [
                space for space in self.tree() if name in self.tree()[space]])

    def test_file_that_somebody_has_linked(self):
        for name in map(str, range(ROUNDS)):
            self.publish_empty(name)
            # GlusterFS tells the shorter name with the end of the longer one.
            os.link(self.path / 'new' / name, self.path / ('linked-' + name))
            with self.here.claim() as claim:
                self.assertEqual(name, claim.filename)

    def names_of_moves_in_steps(self):
        """Publish a file under each name, where a move takes two steps."""
        if not gocept.filestore.disk.probe.leaves_names(
                self.store._layout['new']):
            self.skipTest('a move takes one step here')
        for name in map(str, range(ROUNDS)):
            self.publish_empty(name)
            self.there.claim().release()  # makes `work`
            yield name

    def link(self, name, *spaces):
        """Do on the second host what a move does first."""
        source, target = (self.paths[1] / space / name for space in spaces)
        os.link(source, target)

    def assert_nothing_waits(self):
        for store in (self.here, self.there):
            self.assertIsNone(store.claim())

    def publish_empty(self, *names):
        for name in names:
            with self.store.publish(name):
                pass

    def remember(self, *paths):
        """Let the first host know of files until the second is over."""
        self.wait(lambda: time.time() % 1 < .1)
        directory = os.open(self.path, os.O_RDONLY)
        try:
            for path in paths:
                gocept.filestore.disk.move.look_anew(directory, path)
                os.stat(path, dir_fd=directory)
        finally:
            os.close(directory)


class Doctor(Case):
    """What `filestore doctor STORE --other PATH` says of the two mounts."""

    def test_finds_no_problem(self):
        found = list(gocept.filestore.doctor.examination.examine(*self.paths))
        subjects = [finding.subject for finding in found]
        seen = subjects.index('mount')
        print('\n'.join('  %s, %s: %s' % (
            self.layer.__name__, finding.subject, finding.sentence)
            for finding in found[seen:]))
        self.assertEqual(
            ['mount', 'lock', 'arrival', 'departure', 'version'],
            list(dict.fromkeys(subjects[seen:])))
        self.assertEqual([], [
            (finding.subject, finding.sentence) for finding in found
            if finding.verdict == gocept.filestore.doctor.finding.PROBLEM])


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
        test.globs.update(ls=ls, tick=tick)

    return set_up


def ls(*path):
    """Print names, but for what NFS keeps of files that are open."""
    for name in sorted(os.listdir(os.path.join(*path))):
        if not re.fullmatch('[.]nfs[0-9a-f]{24}', name):
            print(name)


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
        others = () if kind in EXACT else (Renames,)
        suite.addTest(tests(Volume(kind), (
            *races(*RUN[kind]), *others, Remembered, Doctor)))
    return suite


def races(*names):
    """Return the races of some names, or all of them if somebody asks for it.

    Each one takes a minute.
    """
    if 'RACES' in os.environ:
        return [Races]
    others = {name: None for name in dir(Races)
              if name.startswith('test_') and name not in names}
    return [type('Races', (Races,), others)]


# Plain renames have one owner there, too.
EXACT = ('CephFS',)
# Without being asked: together they have all kinds.
RUN = {
    'CephFS': ('test_kept',),  # takes the processor for two minutes
    'GlusterFS': ('test_kept', 'test_published_again'),
    'JuiceFS': ('test_kept', 'test_published_again_and_not_kept'),
    'MooseFS': ('test_not_kept', 'test_published_again')}


def tests(layer, cases, stories=STORIES):
    suite = unittest.TestSuite()
    suite.layer = layer
    for case in cases:
        name = layer.__name__ + case.__name__
        case = type(name, (case,), {'layer': layer})
        suite.addTest(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    for story in stories:
        if not layer.reason_to_leave_out(os.path.basename(story)):
            suite.addTest(gocept.filestore.tests.test_stories.told(
                str(story), gocept.filestore.filestore.FileStore,
                set_up(layer)))
    return suite
