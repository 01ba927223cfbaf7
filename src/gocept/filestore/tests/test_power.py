"""The power is cut while a process works on a store, on a real file system.

The process goes through all verbs on a disk that records each write. Then we
cut the power at many points of the record: another disk gets what was written
until then, and the file system there is mounted, and recovers. From one flush
of the disk to the next it may have kept any of the writes, or all.

A promise is a string that has to be found from then on: the content of a
file, its checksum, which goes with it, or the error of an attempt. It begins
when a verb has returned, and ends when one is called that may remove it.
"""

import contextlib
import gocept.filestore.disk.file_system
import gocept.filestore.filestore
import gocept.filestore.retry.policy
import gocept.filestore.tests.case
import gocept.filestore.tests.disk
import hashlib
import itertools
import json
import math
import os
import pathlib
import random
import shutil
import tempfile
import textwrap
import unittest


SUM = 64  # characters of a checksum, with which a content begins
CUTS = 60  # for each way to move, on each file system
OPTIONS = {'retry_policy': gocept.filestore.retry.policy.RetryPolicy(first=0)}
START = """
import os
from gocept.filestore import Reject
import gocept.filestore.disk.move as move
import gocept.filestore.tests.test_race as race
race.VARIANTS[%r]()
move.FEW, move.EACH = %s
store.prepare()
"""
# How many files are synced together. The smallest disks hold next to nothing,
# but others may have written as much as they like.
AT_ONCE, ONE_BY_ONE = '1, 2 ** 62', '1, -1'
WAYS = ('plain', AT_ONCE), ('by_link', AT_ONCE), ('plain', ONE_BY_ONE)
PUBLISH = """
with store.publish(%r, replace=True, metadata={'sum': %r}) as file:
    file.write(%r)
"""
PUBLISH_BY_NAME = """
with store.publish(%r, replace=True, metadata={'sum': %r}) as file:
    with open(file.name + '~', 'w') as other:
        _ = other.write(%r)
    os.rename(other.name, file.name)
"""
CREATE = """
with store.create(%r) as file:
    file.write(%r)
store.move(%r, 'tmp', 'new')
"""

GROUP = """
with store.group(print) as group:
    for name, text in %r:
        with group.publish(name) as file:
            _ = file.write(text)
    meanwhile()
"""
INTAKE = """
folder = os.path.join(os.path.dirname(store.path), 'in')
os.makedirs(folder, exist_ok=True)
for name, text in %r:
    with open(os.path.join(folder, name), 'w') as file:
        _ = file.write(text)
meanwhile()
_ = store.intake(folder, quiet=0).take()
"""

TRANSACTION = """
import gocept.filestore.datamanager, transaction
manager = transaction.TransactionManager()
files = gocept.filestore.datamanager.TransactionalFileStore(store, manager)
for name in 'bcd':
    with files.publish(name, metadata={'is': name}) as file:
        _ = file.write(%r)
for claim in [files.claim(), files.claim()]:
    files.finish(claim)
manager.commit()
"""
BATCH = """
with store.batch() as batch:
    for name, text in %r:
        with batch.publish(name) as file:
            _ = file.write(text)
    meanwhile()
"""
ANOTHER_GROUP = """
def meanwhile():
    try:
        with store.group([].append) as group:
            _ = group.write_text('other', 'text')
    except OSError:
        pass  # it is told in the place of us
"""
NOTHING_ELSE = """
def meanwhile():
    pass
"""
BROKEN = 'this can not be written'
TELL = """
try:
%s
except OSError as error:
    answer = type(error).__name__
"""
NOTHING, ALL = (set(), set()), ({'b', 'c', 'd'}, {'a', 'x'})


class Promise:
    """A string that is found if so much of the record is on the disk."""

    def __init__(self, text, begin):
        self.text = text
        self.begin = begin
        self.end = math.inf


class Work:
    """What a process does, and promises with it."""

    def __init__(self, child, record, neighbour):
        self._child = child
        self._record = record
        self._neighbour = neighbour
        self.promises = []

    def do(self, source, gives=(), takes=()):
        for promise in takes:
            promise.end = len(self._record)
        self._child.run(source)
        made = [Promise(text, len(self._record)) for text in gives]
        self.promises.extend(made)
        if random.random() < .5:
            self.disturb()
        return made

    def disturb(self):
        """Let the journal be written, because of somebody else's file."""
        with open(self._neighbour, 'a') as file:
            file.write('neighbour')
            file.flush()
            os.fsync(file.fileno())

    def publish(self, name, *takes):
        text = content()
        program = random.choice([PUBLISH, PUBLISH_BY_NAME])
        return self.do(program % (name, text[:SUM], text),
                       [text, text[:SUM]], takes)

    def create(self, name):
        text = content()
        return self.do(CREATE % (name, text, name), [text])

    def fail_once(self, kind):
        error = 'no paper, %s' % len(self.promises)
        return self.do('store.claim().fail(%s(%r))' % (kind, error),
                       ['%s: %s' % (kind, error)])

    def finish(self, *takes, keep=True):
        self.do('store.claim().finish(%s)' % keep, takes=takes)

    def go(self):
        """Go through all verbs; only one file waits at a time."""
        older = self.publish('a')
        self.finish()
        newer = self.publish('a')
        self.finish(*older)
        self.do('store.copy("a", "cur", "failed")')
        self.do('store.remove("a", "cur")')
        self.do('store.retry("a")')
        self.do('store.claim().release()')
        self.finish(*newer, keep=False)
        self.go_wrong()
        self.publish('c')
        self.finish()
        self.do('store.move("c", "cur", "failed")')
        self.publish('d')
        self.do('claim = store.claim()')

    def go_together(self):
        """Finish two files, and publish three, in a transaction."""
        self.publish('a')
        self.publish('x')
        text = content()
        self.do(TRANSACTION % text, [text])
        self.disturb()

    def go_in_groups(self):
        """Publish many files together, and take in what others drop."""
        for count in (1, 5, 20):
            for program in (GROUP, INTAKE):
                texts = [content() for _ in range(count)]
                self.do(program % [(text[:9], text) for text in texts], texts)

    def go_wrong(self):
        older = self.publish('b')
        newer = self.publish('b', *older)
        errors = self.fail_once('ValueError') + self.fail_once('Reject')
        self.do('store.retry("b")')
        errors += self.fail_once('ValueError')
        self.finish(*errors)
        other = self.create('b')
        self.finish(*newer)
        given_up = self.publish('c')
        errors = self.fail_once('Reject')
        self.do('store.clean("cur", 0)', takes=other)
        self.do('store.clean("failed", 0)', takes=given_up + errors)


def content():
    """Return a text that tells whether it is whole."""
    text = '%x' % random.getrandbits(random.randint(1, 32000))
    return hashlib.sha256(text.encode()).hexdigest() + text


def is_whole(content):
    digest, text = content[:SUM], content[SUM:]
    return digest == hashlib.sha256(text.encode()).hexdigest()


@gocept.filestore.tests.case.slow
class PowerCase:

    layer = gocept.filestore.tests.case.Slow
    kind = None

    def setUp(self):
        obstacle = gocept.filestore.tests.disk.obstacle(self.kind)
        obstacle and self.skipTest(obstacle)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='filestore-'))
        self.addCleanup(shutil.rmtree, self.directory)
        mounts = contextlib.ExitStack()
        self.addCleanup(mounts.close)
        mounts.enter_context(gocept.filestore.tests.disk.private_mounts())
        self.disk = self.directory / 'disk'
        self.image = self.directory / 'image'
        self.base = self.directory / 'base'
        self.mount = self.directory / 'mount'
        self.path = self.mount / 'store'
        self.disk.touch()
        self.mount.mkdir()
        gocept.filestore.tests.disk.make(self.base, self.kind)

    move_by_link = gocept.filestore.tests.case.Case.move_by_link

    def work(self, variant, go=Work.go, syncing=AT_ONCE, **options):
        """Return the record of the disk, and the promises."""
        if variant == 'by_link':
            self.move_by_link()
        gocept.filestore.tests.disk.copy(self.base, self.image)
        with (gocept.filestore.tests.disk.recorded(self.image, self.disk)
                as record,
              gocept.filestore.tests.disk.mounted(self.disk, self.mount)):
            child = gocept.filestore.tests.case.Child(
                self.path, {**OPTIONS, **options})
            try:
                child.run(START % (variant, syncing))
                child.run(NOTHING_ELSE)
                work = Work(child, record, self.mount / 'neighbour')
                go(work)
            finally:
                child.kill()
            return record[:], work.promises

    def cuts(self, record, promises, count):
        """Cut the power; yield which strings are to be found then."""
        for cut in sorted(random.sample(range(len(record)), count)):
            gocept.filestore.tests.disk.copy(self.base, self.image)
            gocept.filestore.tests.disk.write(self.image, record, cut)
            with (self.subTest(cut=cut, of=len(record)),
                  gocept.filestore.tests.disk.mounted(
                      self.image, self.mount)):
                yield {promise.text for promise in promises
                       if promise.begin <= cut <= promise.end}

    def contents(self, *spaces):
        return {path.read_text() for space in spaces
                for path in self.path.glob(space + '/*')}

    def errors(self):
        """Return the errors of all attempts that are written down."""
        events = [json.loads(line) for text in self.contents('attempts')
                  for line in text.splitlines()]
        return {event.get('error') for event in events}

    def metadata(self, *names):
        """Return what is found to go with files, if there is one of a name."""
        store = gocept.filestore.filestore.FileStore(self.path, **OPTIONS)
        return {name: place['metadata'] for name in names
                for place in store.history(name)}

    def sums(self):
        """Return the checksums that go with the files they belong to."""
        store = gocept.filestore.filestore.FileStore(self.path, **OPTIONS)
        paths = [path for space in ('new', 'work', 'cur', 'failed')
                 for path in self.path.glob(space + '/*')]
        return {place['metadata'].get('sum') for path in paths
                for place in store.history(path.name)
                if place['space'] == path.parent.name
                and place['metadata'].get('sum') == path.read_text()[:SUM]}

    def test_what_was_promised_holds(self):
        for variant in ('plain', 'by_link'):
            for promised in self.cuts(*self.work(variant), CUTS):
                self.see(promised)

    def test_what_was_promised_of_groups_holds(self):
        for variant, syncing in WAYS:
            for promised in self.cuts(*self.work(
                    variant, Work.go_in_groups, syncing), CUTS // 2):
                self.see(promised)

    def test_transaction_is_all_or_nothing(self):
        commits = itertools.cycle([True, False])
        seen = set()
        for variant, syncing in WAYS:
            record, promises = self.work(variant, Work.go_together, syncing)
            *published, committed = promises[:5:2]
            for promised in self.cuts(record, promises, CUTS):
                outcome, commit = self.settle(commits)
                self.assertIn(outcome, (NOTHING, ALL))
                self.assertEqual(
                    {name: {'is': name} for name in outcome[0]},
                    self.metadata(*outcome[0]))
                if commit is not None:
                    self.assertEqual(ALL if commit else NOTHING, outcome)
                if committed.text in promised:
                    self.assertEqual(ALL, outcome)
                for promise in published:
                    if promise.text in promised:
                        self.assertIn(promise.text, self.contents(
                            'new', 'work', 'cur'))
                self.assertEqual([], [
                    text for text in self.contents('new', 'work', 'cur')
                    if not is_whole(text)])
                seen.add(len(outcome[0]))
        self.assertEqual({0, 3}, seen)

    def test_transaction_without_a_sync_is_lost(self):
        # So we can see what is to be seen.
        lost = set()
        record, promises = self.work(
            'plain', Work.go_together, durable=False)
        for promised in self.cuts(record, promises, min(20, len(record))):
            lost |= promised - self.sums() - self.contents(
                'new', 'work', 'cur')
        self.assertNotEqual(set(), lost)

    def test_what_can_not_be_written_is_told(self):
        for syncing, program in itertools.product(
                (AT_ONCE, ONE_BY_ONE), (GROUP, INTAKE, BATCH)):
            with self.subTest(syncing=syncing, program=program):
                self.publish_on_a_broken_disk(syncing, program)

    def publish_on_a_broken_disk(self, syncing, program):
        def publish(names, *texts):
            return child.run(TELL % textwrap.indent(
                program % list(zip(names, texts, strict=True)), '    '))

        gocept.filestore.tests.disk.copy(self.base, self.image)
        with (gocept.filestore.tests.disk.recorded(
                self.image, self.disk, BROKEN.encode()),
              gocept.filestore.tests.disk.mounted(self.disk, self.mount)):
            child = gocept.filestore.tests.case.Child(self.path, OPTIONS)
            try:
                child.run(START % ('plain', syncing))
                child.run(ANOTHER_GROUP)
                self.tell_whose_it_was(publish)
                child.run(NOTHING_ELSE)
                self.tell_of_a_neighbour(publish, syncing == AT_ONCE)
            finally:
                child.kill()

    def tell_whose_it_was(self, publish):
        """Although another group was told of it before."""
        self.assertEqual('NotSynced', publish(
            'abc', content(), BROKEN * 1000, content()))
        self.assertLessEqual(set(self.published()), {'other'})

    def tell_of_a_neighbour(self, publish, is_told):
        """What somebody else has written may keep ours from the disk, once."""
        shutil.rmtree(self.mount / 'in', ignore_errors=True)
        (self.mount / 'neighbour').write_text(BROKEN * 1000)
        if is_told:
            self.assertEqual('NotSynced', publish(
                'wx', content(), content()))
            self.assertEqual(set(), set('wx') & set(self.published()))
        self.assertIsNone(publish('yz', content(), content()))
        self.assertLessEqual({'y', 'z'}, set(self.published()))

    def published(self):
        return sorted(os.listdir(self.path / 'new'))

    def settle(self, commits):
        """Settle what was left; return the outcome, and what was in doubt."""
        store = gocept.filestore.filestore.FileStore(
            self.path, prepare=True, **OPTIONS)
        commit = None
        if any(not intent['decided'] for intent in store.status()['intents']):
            commit = next(commits)
            store.settle(commit)
        with store.batch():
            pass
        return ({name for name in os.listdir(self.path / 'new')
                 if name in 'bcd'},
                set(os.listdir(self.path / 'cur'))), commit

    def see(self, promised):
        found = self.contents('new', 'work', 'cur', 'failed')
        self.assertEqual(
            set(), promised - found - self.errors() - self.sums())
        self.assertEqual([], [text for text in found if not is_whole(text)])
        self.assertLessEqual(
            found, self.take() | self.contents('cur', 'failed'))

    def take(self):
        """Let somebody else do what is left; return the contents."""
        store = gocept.filestore.filestore.FileStore(
            self.path, prepare=True, **OPTIONS)
        contents = self.contents('cur')  # older ones are replaced
        for claim in store.claims():
            with claim, claim.open() as file:
                contents.add(file.read())
        self.assertEqual([], store.list('new') + store.list('work'))
        return contents

    def test_without_a_sync_it_does_not(self):
        # So we can see what is to be seen.
        lost = set()
        for promised in self.cuts(*self.work('plain', durable=False), 10):
            found = self.contents('new', 'work', 'cur', 'failed')
            lost |= promised - found - self.errors()
        self.assertNotEqual(set(), lost)


class Ext4(PowerCase, unittest.TestCase):

    kind = 'ext4'

    def test_without_a_journal_it_is_one_by_one(self):
        for options, expected in (
                ((), True), (('-O', '^has_journal'), False)):
            gocept.filestore.tests.disk.make(self.image, self.kind, *options)
            with gocept.filestore.tests.disk.mounted(self.image, self.mount):
                directory = os.open(self.mount, os.O_RDONLY)
                tells = gocept.filestore.disk.file_system.tells_of_losses(
                    directory)
                os.close(directory)
            self.assertEqual(expected, tells)


class Xfs(PowerCase, unittest.TestCase):

    kind = 'xfs'


class Btrfs(PowerCase, unittest.TestCase):

    kind = 'btrfs'
