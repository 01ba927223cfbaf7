import errno
import fcntl
import gc
import gocept.filestore
import gocept.filestore.disk.file_system
import gocept.filestore.disk.lock
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import json
import math
import os
import sys
import threading
import time
import unittest.mock
import warnings
import zope.interface.verify
import zope.testing.wait


class QueueCase(gocept.filestore.tests.case.Case):

    def take(self, store=None):
        """Finish all that waits; return the names."""
        names = []
        for claim in (store or self.store).claims():
            names.append(claim.filename)
            claim.finish()
        return names

    def abandon(self, content='content', name='a'):
        """Let a process die with a claim."""
        self.put('new', name, content)
        child = self.child()
        self.assertEqual(name, child.run(
            'claim = store.claim(); answer = claim.filename'))
        child.kill()


class Order(QueueCase):

    def test_none(self):
        self.assertIsNone(self.store.claim())
        self.assertEqual([], list(self.store.claims()))
        self.assertEqual({}, self.tree())

    def test_longest_in_new_comes_first(self):
        for name in ('c', 'a', 'b'):
            self.put('tmp', name)
        for name in ('b', 'c', 'a'):
            self.tick()
            self.store.move(name, 'tmp', 'new')
        self.assertEqual(['b', 'c', 'a'], self.take())

    def tick(self):
        """Wait until the clock of the file system has moved on."""
        path = self.directory / 'clock'
        path.write_text('')
        before = os.stat(path).st_ctime_ns

        def later():
            path.chmod(0o644)
            return os.stat(path).st_ctime_ns > before

        zope.testing.wait.Wait(timeout=10, wait=.0005)(later)

    def test_then_by_name(self):
        # The names of one file have one st_ctime.
        path = self.put('new', 'd')
        for name in 'bca':
            os.link(path, self.path / 'new' / name)
        self.assertEqual(['a', 'b', 'c', 'd'], self.take())

    def test_modification_time_does_not_matter(self):
        self.put('new', 'b')
        self.tick()
        os.utime(self.put('new', 'a'), (0, 0))
        self.assertEqual(['b', 'a'], self.take())

    def test_what_comes_later_is_found(self):
        claims = self.store.claims()
        self.put('new', 'b')
        next(claims).finish()
        self.put('new', 'a')
        next(claims).finish()
        self.assertEqual([], list(claims))

    def test_a_call_in_a_loop_is_as_good(self):
        for name in 'abc':
            self.put('new', name)
        names = []
        while claim := self.store.claim():
            with claim:
                names.append(claim.filename)
        self.assertEqual(['a', 'b', 'c'], sorted(names))
        self.assertEqual(['a', 'b', 'c'], self.tree()['cur'])


class Weak(QueueCase):
    """A store that lies where claims may not be exact."""

    def setUp(self):
        super().setUp()
        self.warnings = self.enterContext(
            warnings.catch_warnings(record=True))
        warnings.simplefilter('always')

    def store_on(self, kind, *options):
        """Return a store that is mounted like that, as the kernel says."""
        self.enterContext(unittest.mock.patch.object(
            gocept.filestore.disk.file_system, 'mount',
            return_value=(kind, options)))
        store = self.open_store()
        store._layout['tmp'].is_local = False
        return store

    def test_warns_once(self):
        for name in 'abc':
            self.put('new', name)
        with self.assertLogs('gocept.filestore.queue') as logs:
            for _ in range(2):
                self.take(self.store_on('nfs', 'vers=3', 'nolock'))
        self.assertEqual(['a', 'b', 'c'], self.tree()['cur'])
        (warning,), (log,) = self.warnings, logs.records
        self.assertIs(RuntimeWarning, warning.category)
        self.assertEqual(
            '%r: locks reach no other host, because of the mount option '
            'nolock: two hosts may get the same file, or lose it; mount it '
            'with vers=4.2' % str(self.path), str(warning.message))
        self.assertEqual(str(warning.message), log.getMessage())

    def test_claims_nothing(self):
        self.put('new', 'a')
        store = self.store_on('nfs', 'vers=3', 'local_lock=none')
        for _ in range(2):
            with self.assertRaises(OSError) as raised:
                store.claim()
            self.assertEqual(
                (errno.EOPNOTSUPP, str(self.path)),
                (raised.exception.errno, raised.exception.filename))
            self.assertIn('mount it with vers=4.2', str(raised.exception))
        self.assertEqual(([], {'new': ['a']}), (self.warnings, self.tree()))


class Cost(QueueCase):

    @gocept.filestore.tests.case.slow
    def test_one_listing_serves_many_claims(self):
        # The longest run between two looks for abandoned files counts: those
        # list `work`, which does not grow.
        child = self.child()
        for count in (100, 1000):
            for number in range(count):
                self.put('new', str(number))
            self.assertEqual([1, count], child.run(LISTINGS))


LISTINGS = """
import sys

new = store.path + '/new'
if not hasattr(sys, 'hooked'):
    def hook(event, args):
        if event == 'os.scandir' and args[0] == new:
            sys.counts.append(len(sys.taken))
    sys.addaudithook(hook)
    sys.hooked = True

sys.counts, sys.taken = [], []
while claim := store.claim():
    sys.taken.append(claim.filename)
    claim.finish()
answer = [len([count for count in sys.counts if count < len(sys.taken)]),
          len(sys.taken)]
"""


class Others(QueueCase):
    """Who work on the same files leave some of them to each other."""

    def setUp(self):
        super().setUp()
        self.names = ['%03d' % number for number in range(100)]
        for name in self.names:
            self.put('new', name)
        self.other = gocept.filestore.FileStore(str(self.path))

    def claim(self, store=None):
        claim = (store or self.store).claim()
        claim.finish()
        return claim.filename

    def take_before(self, number):
        """Let the other one take files of a list that we have, too.

        Then chance has us leave nine, as often as we are to leave some.
        """
        self.leave(9)
        self.claim()
        for _ in range(number):
            self.claim(self.other)

    def leave(self, number):
        patch = unittest.mock.patch(
            'random.randint', lambda low, high: min(number, high))
        patch.start()
        self.addCleanup(patch.stop)

    def test_one_that_has_gone_is_no_reason(self):
        self.take_before(1)
        self.assertEqual('002', self.claim())

    def test_two_are(self):
        self.take_before(10)
        self.assertEqual('012', self.claim())
        self.assertEqual('013', self.claim())

    def test_left_ones_are_looked_at_again(self):
        self.take_before(10)
        self.claim()
        self.store._layout.now = lambda: time.monotonic() + 3600
        self.assertEqual('011', self.claim())

    def test_nothing_is_left_at_the_end(self):
        self.take_before(10)
        taken = self.take()
        self.assertEqual('012', taken[0])
        self.assertEqual(self.names[11:], sorted(taken))
        self.assertIsNone(self.other.claim())

    def test_listing_is_kept_while_it_is_expensive(self):
        self.take_before(10)
        queue = self.store._queue
        queue._list_at = time.monotonic() + 3600
        queue._look_at = 0
        self.claim()
        queue._look_at = 0
        self.assertEqual('013', self.claim())

    def test_new_list_is_tried_in_part_while_others_are_faster(self):
        self.hold(self.names)
        self.leave(1000)
        queue, tried = self.store._queue, []
        queue._sleep = lambda seconds: tried.append(queue._listing.lost)
        self.assertIsNone(self.store.claim())
        # The last 16 names are tried one by one, and the last list wholly;
        # that counts nothing.
        self.assertEqual([20, 20, -math.inf], tried)

    def test_how_many_are_left_is_chance(self):
        left = set()
        for _ in range(50):
            listing = self.store._queue._list()
            listing.lose()
            self.assertFalse(listing.has_skipped)
            listing.lose()
            left.add(len(listing.names()))
        self.assertTrue(50 <= min(left) < max(left) <= 100, left)

    def test_all_of_a_new_list_have_gone(self):
        queue, listings = self.store._queue, []
        list_them = queue._list

        def others_are_faster():
            listings.append(list_them())
            self.take(self.other)
            return listings[-1]

        queue._list = others_are_faster
        self.assertIsNone(self.store.claim())
        # What was left to others might have been given back.
        self.assertEqual([True, False], [
            listing.has_skipped for listing in listings])

    def hold(self, names):
        held = [gocept.filestore.disk.lock.hold(
            self.store._layout['new'], name) for name in names]
        for each in held:
            self.addCleanup(each.release)
        return held

    def test_none_is_left_out_before_the_first_claim(self):
        held = self.hold([name for name in self.names if name != '005'])
        self.assertEqual('005', self.claim())
        self.assertIsNone(self.store.claim())
        for each in held:
            each.release()
        self.assertEqual('000', self.claim())


class PassedOver(QueueCase):

    def test_held_by_another(self):
        self.put('new', 'a')
        self.put('new', 'b')
        with open(self.path / 'new' / 'a') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.assertEqual(['b'], self.take())
        self.assertEqual(['a'], self.take())

    def test_failed_after_it_was_opened(self):
        # It is locked here when it has moved, and waits to be tried again.
        self.put('new', 'a')
        other = gocept.filestore.FileStore(str(self.path))
        flock = fcntl.flock

        def late(*args):
            patch.stop()
            other.claim().fail('no paper')
            return flock(*args)

        patch = unittest.mock.patch('fcntl.flock', late)
        patch.start()
        self.assertIsNone(self.store.claim())
        event, = self.read('attempts', 'a').splitlines()
        self.assertEqual('failed', json.loads(event)['event'])

    def test_still_open_for_writing(self):
        # Somebody moved a draft and has not closed it.
        with self.store.create('a') as file:
            file.write('content')
            os.rename(self.path / 'tmp' / 'a', self.path / 'new' / 'a')
            self.assertEqual([], self.take())
        self.assertEqual(['a'], self.take())

    def test_special_files(self):
        new = self.path / 'new'
        outside = self.directory / 'outside'
        outside.write_text('outside')
        os.symlink(outside, new / 'a')
        os.mkfifo(new / 'b')
        (new / 'c').mkdir()
        os.symlink('nowhere', new / 'd')
        self.put('new', 'e')
        with self.no_blocking():
            self.assertEqual(['e'], self.take())
        self.assertEqual(['a', 'b', 'c', 'd'], self.tree()['new'])

    def test_special_files_in_work(self):
        work = self.path / 'work'
        work.mkdir()
        os.symlink('/etc/hostname', work / 'a')
        os.mkfifo(work / 'b')
        (work / 'c').mkdir()
        for name in 'abcd':
            self.put('new', name)
        with self.no_blocking():
            self.assertEqual(['d'], self.take())
        self.assertEqual(['a', 'b', 'c'], self.tree()['new'])

    def test_names_with_a_leading_dot(self):
        self.put('new', '.nfs0001')
        self.put('work', '.nfs0002')
        self.assertEqual([], self.take())

    def test_removed_after_the_listing(self):
        for name in 'abc':
            self.put('new', name)
        claims = self.store.claims()
        next(claims).finish()
        self.store.remove('b', 'new')
        self.assertEqual(['c'], [
            claim.finish() or claim.filename for claim in claims])


class Forbidden(QueueCase):

    def setUp(self):
        super().setUp()
        for space in ('tmp', 'new', 'cur', 'work', 'attempts'):
            (self.path / space).mkdir(exist_ok=True)
            (self.path / space).chmod(0o777)
        # Of root for nobody, or of ourselves.
        self.forbidden = 0 if os.getuid() else 0o600

    def test_passed_over_and_raised_at_the_end(self):
        self.put('new', 'a').chmod(self.forbidden)
        self.put('new', 'b')
        with self.be_nobody():
            self.store.claim().finish()
            for _ in range(2):
                with self.assertRaises(PermissionError) as raised:
                    self.store.claim()
                self.assertEqual(
                    str(self.path / 'new' / 'a'), raised.exception.filename)
        self.assertEqual({'new': ['a'], 'cur': ['b']}, self.tree())

    def test_in_work(self):
        self.put('work', 'a').chmod(self.forbidden)
        self.put('new', 'b')
        with self.be_nobody():
            self.store.claim().finish()
            with self.assertRaises(PermissionError) as raised:
                self.store.claim()
        self.assertEqual(
            str(self.path / 'work' / 'a'), raised.exception.filename)

    def test_many_leave_no_descriptors_and_no_locks(self):
        for number in range(50):
            self.put('new', str(number)).chmod(0o666)
        self.forbid(self.path / 'work')
        before = len(self.descriptors())
        with self.be_nobody():
            with self.assertRaises(PermissionError) as raised:
                self.store.claim()
            now = len(os.listdir('/proc/self/fd'))
        self.assertLess(now, before + 10, raised.exception)
        (self.path / 'work').chmod(0o777)
        self.assertEqual(50, len([
            claim.finish() for claim in self.store.claims()]))

    def test_space(self):
        self.put('new', 'a')
        self.forbid(self.path / 'new')
        with self.be_nobody(), self.assertRaises(PermissionError):
            self.store.claim()
        self.assertEqual({'new': ['a']}, self.tree())


class OneBadFile(QueueCase):
    """What is wrong with one abandoned file does not keep others waiting."""

    def claim_around(self, *kinds):
        """Claim another file, and expect what is wrong afterwards."""
        self.put('new', 'b')
        with self.no_blocking():
            names = [self.finish_one() for _ in range(2 - len(kinds))]
            for kind in kinds:
                self.assertRaises(kind, self.store.claim)
        self.assertIn('b', names)

    def finish_one(self):
        with self.store.claim() as claim:
            return claim.filename

    def test_pipe_in_the_place_of_the_attempts_file(self):
        self.abandon()
        self.put('attempts', 'x')
        os.mkfifo(self.path / 'attempts' / 'a')
        self.claim_around(gocept.filestore.interfaces.NotRegular)

    def test_garbage_in_the_attempts_file(self):
        self.abandon()
        self.put('attempts', 'a').write_bytes(b'\xff\xfe\n')
        self.claim_around()

    def test_json_of_another_kind_in_the_attempts_file(self):
        self.abandon()
        self.put('attempts', 'a', 'null\n')
        self.claim_around()


class Takeover(QueueCase):

    def test_at_once(self):
        self.abandon()
        claim = self.store.claim()
        self.assertEqual(('a', 2), (claim.filename, claim.attempt))
        claim.finish()

    def test_comes_first(self):
        self.put('new', 'older')
        self.abandon(name='older')
        self.put('new', 'b')
        self.put('new', 'a')
        names = self.take()
        self.assertEqual('older', names[0])

    def test_within_a_tenth_of_a_second(self):
        # While there is always something else to do.
        for number in range(20):
            self.put('new', 'b%s' % number)
        self.store.claim().finish()
        child = self.child()
        name = child.run('claim = store.claim(); answer = claim.filename')
        child.kill()
        seen = []

        def taken():
            self.put('new', 'more-%s' % len(seen))
            claim = self.store.claim()
            seen.append(claim.filename)
            claim.finish()
            return seen[-1] == name

        zope.testing.wait.Wait(timeout=10, wait=.01)(taken)
        self.assertGreater(len(self.store.list('new')), 0)

    @gocept.filestore.tests.case.slow
    def test_before_none_is_returned(self):
        self.assertIsNone(self.store.claim())
        for number in range(20):
            self.abandon(name=str(number))
            claim = self.store.claim()
            self.assertEqual(str(number), claim.filename)
            claim.finish()

    @gocept.filestore.tests.case.slow
    def test_in_each_way_of_dying(self):
        for source in ('import os; os._exit(1)',
                       'import os; os.abort()',
                       'import os, signal; os.kill(os.getpid(), 15)',
                       'raise SystemExit',
                       'import os; os.execv("/bin/true", ["true"])'):
            self.put('new', 'a')
            child = self.child()
            child.run('import resource\n'
                      'resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n'
                      'claim = store.claim()')
            child.send('import warnings\n'
                       'warnings.simplefilter("ignore")\n' + source)
            child.close()
            claim = self.store.claim()
            self.assertEqual(2, claim.attempt)
            claim.finish()

    def test_file_that_was_put_there_by_hand(self):
        self.put('work', 'a')
        self.assertEqual(['a'], self.take())

    @gocept.filestore.tests.case.slow
    def test_by_only_one(self):
        for number in range(100):
            self.put('work', str(number))
        children = [self.child() for _ in range(4)]
        for child in children:
            child.send('claims = list(store.claims())\n'
                       'answer = [claim.filename for claim in claims]')
        names = [name for child in children for name in child.answer()]
        self.assertEqual(
            sorted(str(number) for number in range(100)), sorted(names))

    @gocept.filestore.tests.case.slow
    def test_what_another_has_finished_meanwhile(self):
        # The name leads to the file no longer when the lock is ours.
        for _ in range(300):
            self.put('new', 'a')
            child = self.finisher()
            child.send('claim = store.claim()\n'
                       'answer = claim and (claim.finish() or 1)')
            mine = len(self.take())
            self.assertEqual(1, mine + (child.answer() or 0))

    def finisher(self):
        if not hasattr(self, '_finisher'):
            self._finisher = self.child()
        return self._finisher


class OneName(QueueCase):
    """One name is one document."""

    def test_newer_one_waits(self):
        self.put('new', 'a', 'old')
        claim = self.store.claim()
        self.put('new', 'a', 'newer')
        self.put('new', 'b')
        self.assertEqual(['b'], self.take(self.open_store()))
        self.assertIsNone(self.store.claim())
        claim.finish()
        with self.store.claim() as claim:
            self.assertEqual('newer', self.text(claim))
        self.assertEqual('newer', self.read('cur', 'a'))

    def test_first_failure_of_the_store_is_seen_at_once(self):
        for name in 'ab':
            self.put('new', name)
            gocept.filestore.tests.story.tick(self.path)
        self.store.claim().finish()  # nothing has ever failed
        other = self.open_store()
        other.claim().fail(gocept.filestore.interfaces.Reject('no'))
        other.retry('b')
        with self.store.claim() as claim:
            self.assertEqual('b', claim.filename)
        self.assertEqual({'cur': ['a', 'b']}, self.tree())

    def test_held_for_a_moment(self):
        # By somebody who sees that its name is in work, and leaves it.
        self.put('new', 'a')
        store = self.store
        held = gocept.filestore.disk.lock.hold(store._layout['new'], 'a')
        store._queue._sleep = lambda seconds: held.release()
        with store.claim() as claim:
            self.assertEqual('a', claim.filename)

    def test_held_for_long(self):
        self.put('new', 'a')
        held = gocept.filestore.disk.lock.hold(self.store._layout['new'], 'a')
        self.assertIsNone(self.store.claim())
        held.release()

    def test_newer_one_does_not_wait_for_all_that_were_listed(self):
        self.put('new', 'a')
        older = self.store.claim()
        self.put('new', 'a', 'newer')
        gocept.filestore.tests.story.tick(self.path)
        for number in range(50):
            self.put('new', str(number))
        self.store.claim().finish()
        older.finish()
        queue = self.store._queue
        zope.testing.wait.wait(
            lambda: self.store._layout.now() >= queue._look_at)
        with self.store.claim() as claim:
            self.assertEqual('newer', self.text(claim))

    def test_newer_one_waits_for_a_dead_process(self):
        self.abandon('old')
        self.put('new', 'a', 'newer')
        for content in ('old', 'newer'):
            with self.store.claim() as claim:
                self.assertEqual(content, self.text(claim))
        self.assertIsNone(self.store.claim())

    def test_newer_one_goes_on_when_the_old_one_has_failed(self):
        self.put('new', 'a', 'old')
        claim = self.store.claim()
        self.put('new', 'a', 'newer')
        claim.fail(gocept.filestore.interfaces.Reject('no paper'))
        with self.store.claim() as claim:
            self.assertEqual('newer', self.text(claim))
        self.assertEqual({'cur': ['a'], 'failed': ['a'], 'attempts': ['a']},
                         self.tree())


class HalfDone(QueueCase):
    """A crash in the middle of a move has left a file with two names.

    This happens where the file system can not rename without replacing.
    """

    variant = 'by_link'

    def put_twins(self, first, second, name='a'):
        path = self.put(first, name, 'twin')
        (self.path / second).mkdir(exist_ok=True)
        os.link(path, self.path / second / name)

    def take_twin(self):
        claim = self.store.claim()
        self.assertEqual('twin', self.text(claim))
        self.assertEqual({'work': ['a']}, self.tree())
        self.assertEqual(1, os.stat(claim.path).st_nlink)
        claim.finish()
        self.assertIsNone(self.store.claim())
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_claiming(self):
        self.put_twins('new', 'work')
        self.take_twin()

    def test_releasing(self):
        self.put_twins('work', 'new')
        self.take_twin()

    def test_claiming_when_others_wait(self):
        for name in 'bcd':
            self.put('new', name)
        self.put_twins('new', 'work')
        self.assertEqual(['a', 'b', 'c', 'd'], sorted(self.take()))
        self.assertEqual({'cur': ['a', 'b', 'c', 'd']}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_claiming_by_many(self):
        for number in range(50):
            self.put_twins('new', 'work', str(number))
        children = [self.child() for _ in range(4)]
        for child in children:
            child.send('answer = []\n'
                       'import gocept.filestore.tests.test_race as race\n'
                       'race.by_link()\n'
                       'for claim in store.claims():\n'
                       '    answer.append(claim.filename)\n'
                       '    claim.finish()')
        names = [name for child in children for name in child.answer()]
        self.assertEqual(50, len(names))
        self.assertEqual(50, len(set(names)))
        self.assertEqual({'cur'}, set(self.tree()))

    def test_finishing(self):
        self.put_twins('work', 'cur')
        self.assertIsNone(self.store.claim())
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_failing(self):
        self.put_twins('work', 'failed')
        self.assertIsNone(self.store.claim())
        self.assertEqual({'failed': ['a']}, self.tree())

    def test_finishing_while_a_newer_one_waits(self):
        self.put_twins('work', 'cur')
        self.put('new', 'a', 'newer')
        with self.store.claim() as claim:
            self.assertEqual('newer', self.text(claim))
            self.assertEqual(1, claim.attempt)
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_claiming_and_replaced_afterwards(self):
        self.put_twins('new', 'work')
        os.replace(self.put('tmp', 'a', 'newer'), self.path / 'new' / 'a')
        for content in ('twin', 'newer'):
            with self.store.claim() as claim:
                self.assertEqual(content, self.text(claim))

    def test_publishing(self):
        # The draft has a name of its own; nobody takes it for a copy.
        path = self.put('tmp', 'draft', 'twin')
        os.link(path, self.path / 'new' / 'a')
        self.assertEqual(['a'], self.take())

    def test_second_name_elsewhere_is_no_half_done_move(self):
        self.abandon()
        os.link(self.path / 'work' / 'a', self.directory / 'elsewhere')
        claim = self.store.claim()
        self.assertEqual(('a', 2), (claim.filename, claim.attempt))
        claim.finish()

    def test_another_file_of_the_name_is_no_half_done_move(self):
        self.abandon()
        os.link(self.path / 'work' / 'a', self.directory / 'elsewhere')
        self.put('cur', 'a', 'older')
        self.put('failed', 'a', 'older')
        with self.store.claim() as claim:
            self.assertEqual('content', self.text(claim))


class Replaced(QueueCase):
    """Files that are replaced while they are being claimed."""

    @gocept.filestore.tests.case.slow
    def test_content_is_whole_and_the_last_one_comes_last(self):
        writer = self.child()
        writer.send('for number in range(2000):\n'
                    '    with store.publish("a", replace=True) as file:\n'
                    '        file.write("%06d" % number * 100)\n'
                    'answer = number')
        seen = []
        with self.no_blocking(60):
            while not seen or seen[-1] != '001999':
                self.take_one(seen)
        self.assertEqual(1999, writer.answer())
        self.assertEqual(seen, sorted(set(seen)))

    def take_one(self, seen):
        claim = self.store.claim()
        if claim is None:
            return
        self.assertEqual(1, claim.attempt)
        text = self.text(claim)
        self.assertEqual(text[:6] * 100, text)
        seen.append(text[:6])
        claim.finish()

    def test_moved_instead_of_the_one_that_was_locked(self):
        # A writer that goes on until the claim has once found, after its
        # move, a file that is not the one which it had locked.
        writer = self.child()
        writer.send(SWAPPER)
        swapped = []

        self.addCleanup(sys.setprofile, None)
        sys.setprofile(
            lambda frame, event, arg: event == 'call'
            and frame.f_code.co_name == 'take_over'
            and frame.f_back.f_code.co_name == '_take_held'
            and swapped.append(frame))
        with self.no_blocking(60):
            while not swapped:
                self.take_whole()
        sys.setprofile(None)
        self.put('cur', 'end')
        writer.answer()
        for _ in range(2):
            self.take_whole()
        self.assertEqual({'cur': ['end']}, self.tree())

    def take_whole(self):
        claim = self.store.claim()
        if claim is not None:
            self.assertEqual(1, claim.attempt)
            self.assertEqual('content' * 10, self.text(claim))
            claim.finish(keep=False)


SWAPPER = """
import os
tmp, new = store.path + '/tmp/b', store.path + '/new/a'
while not os.path.exists(store.path + '/cur/end'):
    with open(tmp, 'w') as file:
        file.write('content' * 10)
    os.rename(tmp, new)
"""


class Threads(QueueCase):

    @gocept.filestore.tests.case.slow
    def test_each_file_goes_to_one(self):
        for number in range(500):
            self.put('new', str(number))
        names = []

        def work():
            for claim in self.store.claims():
                claim.finish()
                names.append(claim.filename)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(500, len(names))
        self.assertEqual(500, len(set(names)))

    def test_dropped_claims_do_not_disturb(self):
        for number in range(20):
            self.put('new', str(number))
        with self.assertWarns(ResourceWarning):
            self.store.claim()
            gc.collect()
        self.assertEqual(20, len(self.take()))


class Fork(QueueCase):

    def test_child_has_a_queue_of_its_own(self):
        for number in range(100):
            self.put('new', str(number))
        child = self.child()
        names = child.run(
            'import os, json\n'
            'store.claim().finish()\n'
            'reader, writer = os.pipe()\n'
            'pid = os.fork()\n'
            'names = []\n'
            'for claim in store.claims():\n'
            '    names.append(claim.filename)\n'
            '    claim.finish()\n'
            'if not pid:\n'
            '    os.write(writer, json.dumps(names).encode() + b"\\n")\n'
            '    os._exit(0)\n'
            'with os.fdopen(reader) as file:\n'
            '    answer = names + json.loads(file.readline())\n'
            'os.wait()')
        self.assertEqual(99, len(names))
        self.assertEqual(99, len(set(names)))


class Select(gocept.filestore.tests.case.Case):

    def test_contract(self):
        selection = self.store.select()
        zope.interface.verify.verifyObject(
            gocept.filestore.interfaces.ISelection, selection)
        self.assertIs(self.store, selection.store)

    def names(self, **options):
        names = []
        for claim in self.store.select(**options).claims():
            names.append(claim.filename)
            claim.finish(keep=False)
        return names

    def test_patterns_and_order(self):
        for name in ('c', 'b', 'a', 'B'):
            self.put('new', name)
            gocept.filestore.tests.story.tick(self.path)
        self.assertEqual(['b', 'c'], self.names(
            include=['[a-z]'], exclude=['a'], order='name'))
        self.assertEqual(['a', 'B'], self.names())

    def test_work(self):
        for name in 'ab':
            self.put('work', name)
        self.assertEqual(['b'], self.names(include=['b']))
        self.assertEqual(['a'], self.tree()['work'])

    def test_policy(self):
        policy = gocept.filestore.retry.policy.RetryPolicy(attempts=1)
        self.put('new', 'a')
        self.store.select(retry_policy=policy).claim().fail('no paper')
        self.assertEqual({'failed': ['a'], 'attempts': ['a']}, self.tree())

    def test_each_has_a_quiet_period_of_its_own(self):
        store = self.open_store(quiet=.05)
        for name in 'ab':
            self.put('new', name)
        one, other = (store.select(include=[name]) for name in 'ab')
        names = set()

        def look():
            for selection in one, other:
                for claim in selection.claims():
                    names.add(claim.filename)
                    claim.finish()
            return names == {'a', 'b'}

        zope.testing.wait.wait(look)

    def test_bad_ones(self):
        with self.assertRaises(ValueError):
            self.store.select(order='size')
        for option in ('include', 'exclude'):
            with self.assertRaises(TypeError):
                self.store.select(**{option: '*.csv'})
