import gocept.filestore.queue.guard
import gocept.filestore.queue.queue
import gocept.filestore.retry.policy
import gocept.filestore.retry.tests.test_attempt
import gocept.filestore.tests.case
import os
import pickle
import subprocess
import time
import warnings
import zope.testing.wait


class GuardCase(gocept.filestore.tests.case.Case):

    options = {'durable': False, 'quiet': 0}

    def setUp(self):
        super().setUp()
        self.warnings = self.enterContext(
            warnings.catch_warnings(record=True))
        warnings.simplefilter('always')

    def begin(self, name='a'):
        """Let another process open a file in `new` for writing."""
        child = self.child()
        child.run('file = open(store.path + "/new/%s", "w")\n'
                  'file.write("half"); file.flush()' % name)
        return child


class Claim(GuardCase):

    def test_open_for_writing(self):
        child = self.begin()
        for _ in range(3):
            self.assertIsNone(self.store.claim())
        self.assertEqual({'new': ['a']}, self.tree())
        child.run('file.write(" and half"); file.close()')
        claim = self.store.claim()
        self.assertEqual(('half and half', 1),
                         (self.text(claim), claim.attempt))
        claim.finish()

    def test_writer_dies(self):
        self.begin().kill()
        with self.store.claim() as claim:
            self.assertEqual('half', self.text(claim))

    def test_others_go_on(self):
        self.begin()
        self.put('new', 'b')
        with self.store.claim() as claim:
            self.assertEqual('b', claim.filename)
        self.assertIsNone(self.store.claim())

    def test_not_quiet(self):
        store = self.open_store(quiet=1000)
        self.put('new', 'a')
        for _ in range(3):
            self.assertIsNone(store.claim())
        self.assertEqual({'new': ['a']}, self.tree())

    def test_off_by_default(self):
        self.begin()
        with self.open_store(quiet=None).claim() as claim:
            self.assertEqual('half', self.text(claim))

    def test_pickle(self):
        store = pickle.loads(pickle.dumps(self.open_store(quiet=7)))
        self.assertEqual(7, store.quiet)

    def test_abandoned_while_it_is_written(self):
        # Its worker died between the move and the second look.
        child = self.begin()
        os.mkdir(self.path / 'work')
        os.rename(self.path / 'new' / 'a', self.path / 'work' / 'a')
        self.assertIsNone(self.store.claim())
        child.run('file.close()')
        claim = self.store.claim()
        self.assertEqual(2, claim.attempt)
        claim.finish()


class Opened(gocept.filestore.retry.tests.test_attempt.AttemptCase):

    def test_just_before_it_is_moved(self):
        self.put('new', 'a')
        queue = gocept.filestore.queue.queue.Queue(
            self.attempts, self.intents, TooLate(0, time.monotonic))
        self.assertIsNone(queue.claim(
            gocept.filestore.retry.policy.Pauses()))
        self.assertEqual({'new': ['a']}, self.tree())


class TooLate(gocept.filestore.queue.guard.Guard):
    """Sees that a file is being written when it has been moved."""

    def is_whole(self, space, filename, descriptor, status):
        return True

    def is_written(self, space, descriptor):
        return True


class Race(GuardCase):

    def test_opened_just_before_it_moves(self):
        # A writer that appends a line again and again, and says how many.
        writer = self.child()
        writer.send(WRITER)
        lines = 0
        with self.no_blocking(60):
            while not (self.path / 'cur' / 'end').exists():
                lines += self.take()
        self.assertEqual(writer.answer(), lines + self.take())

    def take(self):
        claim = self.store.claim()
        if claim is None:
            return 0
        with claim.open() as file:
            lines = file.readlines()
        self.assertEqual({'x' * 999 + '\n'}, set(lines))
        claim.finish(keep=False)
        return len(lines)


# Each line goes in two halves, while the file is open.
WRITER = """
answer = 300
for number in range(answer):
    with open(store.path + '/new/a', 'a') as file:
        file.write('x' * 500)
        file.flush()
        file.write('x' * 499 + '\\n')
open(store.path + '/cur/end', 'w').close()
"""


@gocept.filestore.tests.case.needs_mount('bindfs')
class WithoutLeases(GuardCase):

    def setUp(self):
        super().setUp()
        (self.directory / 'mount').mkdir()
        subprocess.run(
            ['bindfs', self.path, self.directory / 'mount'], check=True)
        self.addCleanup(
            subprocess.run, ['umount', '-l', self.directory / 'mount'])
        self.path = self.directory / 'mount'
        self.store = self.open_store(quiet=.05)

    def test_warns_and_takes_what_is_quiet(self):
        self.put('new', 'a')
        self.claim().finish()
        self.assertEqual(
            {gocept.filestore.queue.guard.NO_LEASES % (str(self.path), space)
             for space in ('new', 'work')},
            {str(warning.message) for warning in self.warnings
             if warning.category is RuntimeWarning})

    def claim(self):
        found = []
        zope.testing.wait.wait(
            lambda: found.append(self.store.claim()) or found[-1])
        return found[-1]
