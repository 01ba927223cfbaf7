import gocept.filestore.disk.name
import gocept.filestore.interfaces
import gocept.filestore.queue.queue
import gocept.filestore.queue.recovery
import gocept.filestore.retry.attempt
import gocept.filestore.retry.policy
import gocept.filestore.retry.tests.test_attempt
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import os
import signal
import threading
import time
import zope.testing.wait


NOON = gocept.filestore.retry.tests.test_attempt.NOON
NO_PAPER = gocept.filestore.interfaces.Reject('no paper')
AT_ONCE = gocept.filestore.interfaces.Retry(after=0)


def is_time(recovery):
    return recovery._layout.now() >= recovery.look_at


class RecoveryCase(gocept.filestore.retry.tests.test_attempt.AttemptCase):

    def setUp(self):
        self.elapsed = 0
        super().setUp()
        self.recovery = gocept.filestore.queue.recovery.Recovery(
            self.attempts, self.intents, disk_clock=lambda: self.clock)

    def now(self):
        return self.elapsed

    def take(self, most=None):
        """Take over a file at the time of our clock."""
        return self.recovery.claim(self.fail, [], most)

    def wait_for(self, *names, attempt=1, error='no paper'):
        """Let files wait in `work`, by our clock."""
        for name in names:
            path = self.put('work', name)
            self.attempts.fail(name, os.stat(path).st_ino, attempt, error)

    def work_on(self):
        found = []
        for claim in self.store.claims():
            found.append((claim.filename, claim.attempt))
            claim.finish()
        return found


class Waiting(RecoveryCase):

    def test_not_before_it_is_due(self):
        self.wait_for('a')
        for seconds in (0, 59, 59.9):
            self.clock = NOON + seconds
            self.assertIsNone(self.take())
        self.clock = NOON + 60
        with self.take() as claim:
            self.assertEqual(('a', 2), (claim.filename, claim.attempt))
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_each_attempt(self):
        self.wait_for('a')
        for number, delay in ((2, 60), (3, 120), (4, 240), (5, 480)):
            self.clock += delay - 1
            self.assertIsNone(self.take())
            self.clock += 1
            claim = self.take()
            self.assertEqual(number, claim.attempt)
            claim.fail('still no paper')
        self.clock += 10 ** 6
        self.assertIsNone(self.take())
        self.assertEqual({'failed': ['a'], 'attempts': ['a']}, self.tree())
        self.assertEqual(
            ['failed', 'resumed'] * 4 + ['failed'], self.kinds())

    def test_clock_that_jumps_ahead(self):
        self.wait_for('a')
        self.assertIsNone(self.take())
        self.clock += 10 ** 9
        self.take().finish()

    def test_clock_that_jumps_back(self):
        # It is not to wait longer than the delay; also if its due time was
        # seen before.
        self.wait_for('a')
        self.assertIsNone(self.take())
        self.clock -= 10 ** 6
        self.take().fail('no ink')
        self.assertIsNone(self.take())
        self.clock += 120
        self.assertEqual([('a', 3)], self.work_on())

    def test_clock_of_another_host_that_is_ahead(self):
        self.wait_for('a')
        self.clock -= 5
        self.assertIsNone(self.take())

    def test_when_another_process_was_faster(self):
        # Its due time was seen before, and it has failed once more since.
        self.wait_for('a')
        self.assertIsNone(self.take())
        self.wait_for('a', attempt=2)
        self.clock += 60
        self.assertIsNone(self.take())
        self.clock += 60
        claim = self.take()
        self.assertEqual(3, claim.attempt)
        claim.finish()

    def test_oldest_first(self):
        for name in 'bca':
            self.wait_for(name)
            gocept.filestore.tests.story.tick(self.path)
        self.clock += 60
        for name in 'bca':
            with self.take() as claim:
                self.assertEqual(name, claim.filename)


class Race(RecoveryCase):
    """Several processes are after the same files."""

    @gocept.filestore.tests.case.slow
    def test_no_attempt_begins_before_it_is_due(self):
        # Although it was due when another process has looked at it.
        policy = gocept.filestore.retry.policy.RetryPolicy(10 ** 6, .05, .05)
        names = [str(number) for number in range(5)]
        for name in names:
            self.put('new', name)
        workers = [self.child(retry_policy=policy) for _ in range(4)]
        for worker in workers:
            worker.send('import time\n'
                        'end = time.monotonic() + 3\n'
                        'while time.monotonic() < end:\n'
                        '    claim = store.claim()\n'
                        '    if claim is not None:\n'
                        '        claim.fail("no paper")')
        for worker in workers:
            worker.answer()
        for name in names:
            events = self.events(name)
            self.assertGreater(len(events), 2)
            for failed, resumed in zip(
                    events[::2], events[1::2], strict=False):
                self.assertEqual(['failed', 'resumed'],
                                 [failed['event'], resumed['event']])
                self.assertLess(failed['due'], resumed['time'])


class Order(RecoveryCase):
    """The same in a store, with attempts that are due by hand."""

    def test_due_one_comes_first(self):
        self.put('new', 'b')
        self.wait_for('a')
        self.make_due()
        self.assertEqual([('a', 2), ('b', 1)], self.work_on())

    def test_one_that_waits_holds_up_nobody(self):
        self.put('new', 'b')
        self.store.claim().fail('no paper')
        self.put('new', 'a')
        self.put('new', 'c')
        self.assertEqual(['a', 'c'], sorted(
            name for name, _ in self.work_on()))

    def test_newer_one_waits_behind_it(self):
        self.put('new', 'a', 'older')
        self.store.claim().fail('no paper')
        self.put('new', 'a', 'newer')
        self.assertIsNone(self.store.claim())
        self.make_due()
        self.store = self.open_store()
        for content in ('older', 'newer'):
            with self.store.claim() as claim:
                self.assertEqual(content, self.text(claim))

    def test_newer_one_is_free_to_go_when_it_is_given_up(self):
        self.put('new', 'a', 'older')
        claim = self.store.claim()
        self.put('new', 'a', 'newer')
        claim.fail(AT_ONCE)
        claim = self.store.claim()
        self.assertEqual(2, claim.attempt)
        claim.fail(NO_PAPER)
        with self.store.claim() as claim:
            self.assertEqual('newer', self.text(claim))
            self.assertEqual(1, claim.attempt)
        self.assertEqual('older', self.read('failed', 'a'))
        self.assertEqual(['failed', 'resumed', 'failed'], self.kinds())

    def test_newer_one_fails_as_well(self):
        self.put('new', 'a', 'older')
        self.store.claim().fail(NO_PAPER)
        self.put('new', 'a', 'newer')
        self.store.claim().fail('no ink')
        failed, waits = (self.history(os.stat(self.path / space / 'a').st_ino)
                         for space in ('failed', 'work'))
        self.assertTrue(failed.is_given_up)
        self.assertTrue(waits.is_waiting)
        self.assertEqual('no ink', waits.error)

    def test_no_delay(self):
        policy = gocept.filestore.retry.policy.RetryPolicy(attempts=3, first=0)
        store = self.open_store(retry_policy=policy)
        self.put('new', 'a')
        attempts = []
        for claim in store.claims():
            attempts.append(claim.attempt)
            claim.fail('no paper')
        self.assertEqual([1, 2, 3], attempts)
        self.assertEqual(['a'], self.tree()['failed'])

    def test_it_takes_real_time(self):
        policy = gocept.filestore.retry.policy.RetryPolicy(first=.2, jitter=0)
        store = self.open_store(retry_policy=policy)
        self.put('new', 'a')
        store.claim().fail('no paper')
        found = []
        zope.testing.wait.Wait(timeout=10, wait=.005)(
            lambda: found.extend(filter(None, [store.claim()])) or found)
        found[0].release()
        failed, resumed = self.events()
        times = [gocept.filestore.retry.attempt.timestamp(time)
                 for time in (failed['time'], failed['due'], resumed['time'])]
        self.assertAlmostEqual(.2, times[1] - times[0], 3)
        self.assertGreaterEqual(times[2], times[1])


class Many(RecoveryCase):
    """Files that wait do not slow down those that do not."""

    @gocept.filestore.tests.case.slow
    def test_claim_from_new_looks_into_some_of_them(self):
        most = gocept.filestore.queue.queue.Queue.most
        waiting = 10_000
        for number in range(waiting):
            self.wait('w%s' % number)
        for number in range(waiting // most + 10):
            self.put('new', 'n%s' % number)
        listings, looks = self.child().run(COUNT)
        self.assertEqual(most, looks[0])
        self.assertLessEqual(set(looks[:-1]), {0, most})
        self.assertEqual(1, sum(listings[:-1]))
        # In the end all are known, and none was looked into again.
        self.assertEqual(waiting, sum(looks))

    @gocept.filestore.tests.case.slow
    def test_others_have_their_turn_when_it_is_time_again(self):
        for number in range(250):
            self.wait('w%03d' % number)
        attempts = Noting(
            self.layout, self.policy)
        self.layout.now = self.passing
        recovery = gocept.filestore.queue.recovery.Recovery(
            attempts, self.intents, disk_clock=lambda: self.clock)
        for count in (100, 200, 250):
            begin = self.elapsed
            self.assertIsNone(recovery.claim(self.fail, [], 100))
            self.assertEqual(count, len(set(attempts.asked)))
            self.assertEqual(count, len(attempts.asked))
            while not is_time(recovery):
                pass
            self.assertGreaterEqual(
                self.elapsed - begin, .01 / recovery.share)

    def test_what_has_died_is_taken_over_without_a_pause(self):
        for number in range(3):
            self.put('work', 'w%s' % number)
        for _ in range(3):
            self.assertTrue(is_time(self.recovery))
            self.take(most=100).release()
        self.assertFalse(is_time(self.recovery))

    def test_what_is_known_to_wait_is_not_looked_into_again(self):
        attempts = Noting(
            self.layout, self.policy)
        recovery = gocept.filestore.queue.recovery.Recovery(
            attempts, self.intents, disk_clock=lambda: self.clock)
        for name in 'abc':
            self.wait_for(name)
            gocept.filestore.tests.story.tick(self.path)
        for self.elapsed in range(5):
            self.assertIsNone(recovery.claim(self.fail, []))
        self.assertEqual(['a', 'b', 'c'], attempts.asked)
        # One that has been in `new` meanwhile is another one.
        for source, target in ('work', 'new'), ('new', 'work'):
            os.rename(self.path / source / 'b', self.path / target / 'b')
        self.assertIsNone(recovery.claim(self.fail, []))
        self.assertEqual(['a', 'b', 'c', 'b'], attempts.asked)

    def test_read(self):
        selection = gocept.filestore.disk.name.wanted(['*'], ['*.tmp'])
        for name in ('b', 'a', 'c.tmp'):
            self.put('work', name)
        found = gocept.filestore.queue.recovery.read(
            selection, self.layout['work'])
        self.assertEqual({'a', 'b'}, {name for _, name, _ in found})
        for arrival, name, inode in found:
            status = os.stat(self.path / 'work' / name)
            self.assertEqual(
                (status.st_ctime_ns, status.st_ino), (arrival, inode))

    def test_all_wait_until_the_first_one_is_due(self):
        self.clock = time.time() + 10  # nothing has changed for some time
        self.wait_for('a', 'b')
        for _ in range(2):
            self.assertIsNone(self.take())
        due, self.recovery._due = self.recovery._due, None
        self.clock += 59
        self.assertIsNone(self.take())  # and looks at none of them
        self.recovery._due = due
        self.clock += 2
        with self.take() as claim:
            self.assertEqual('a', claim.filename)

    def test_one_comes_while_all_wait(self):
        self.clock = time.time() + 10
        self.wait_for('a', 'b')
        for _ in range(3):
            self.assertIsNone(self.take())
        gocept.filestore.tests.story.tick(self.path)
        self.wait_for('c', error=AT_ONCE)
        self.clock += 1
        with self.take() as claim:
            self.assertEqual('c', claim.filename)

    def test_ctime_of_whole_seconds(self):
        # One that was put back at once, and has failed again, has the same.
        recovery = gocept.filestore.queue.recovery.Recovery(
            self.attempts, self.intents)
        self.layout.made('work').is_local = False
        self.wait('a')
        self.assertIsNone(recovery.claim(self.fail, []))
        self.assertEqual({}, recovery._due)
        recovery.coarse = -1
        self.assertIsNone(recovery.claim(self.fail, []))
        self.assertEqual(1, len(recovery._due))

    def test_sync_that_has_failed_is_told_at_once(self):
        for name in 'ab':
            self.put('work', name)
        attempts = Failing(self.layout, self.policy)
        recovery = gocept.filestore.queue.recovery.Recovery(
            attempts, self.intents)
        with self.assertRaises(gocept.filestore.interfaces.NotSynced):
            recovery.claim(self.fail, [])

    def wait(self, name):
        """The same as `wait_for`, a little faster."""
        inode = os.stat(self.put('work', name)).st_ino
        self.write(name, {'event': 'failed', 'inode': inode,
                          'due': '9999-01-01T00:00:00+00:00'})

    def passing(self):
        self.elapsed += .01  # is what each look at the clock takes
        return self.elapsed

    @gocept.filestore.tests.case.slow
    def test_last_one_of_many_is_due(self):
        for number in range(350):
            self.wait('w%s' % number)
        gocept.filestore.tests.story.tick(self.path)
        self.wait_for('z')
        self.clock = NOON + 60
        for _ in range(3):
            self.assertIsNone(self.take(most=100))
        with self.take(most=100) as claim:
            self.assertEqual('z', claim.filename)

    @gocept.filestore.tests.case.slow
    def test_last_one_of_many_is_due_and_nothing_else(self):
        for number in range(350):
            self.wait('w%s' % number)
        self.wait_for('z')
        self.make_due('z')
        self.assertEqual([('z', 2)], self.work_on())

    def test_how_often_they_are_listed(self):
        recovery = self.recovery
        self.assertTrue(is_time(recovery))
        self.take()
        self.assertFalse(is_time(recovery))
        self.elapsed += self.layout.interval
        self.assertTrue(is_time(recovery))

    def test_listing_takes_a_small_share_of_the_time(self):
        self.wait('a')
        self.layout.now = self.passing
        recovery = gocept.filestore.queue.recovery.Recovery(
            self.attempts, self.intents, disk_clock=lambda: self.clock)
        begin = self.elapsed
        recovery.claim(self.fail, [])
        while not is_time(recovery):
            pass
        self.assertGreaterEqual(
            self.elapsed - begin,
            .01 / gocept.filestore.queue.recovery.Recovery.share)

    def test_what_was_found_is_looked_into_without_another_listing(self):
        for number in range(3):
            self.wait('w%s' % number)
        for _ in range(3):
            self.assertIsNone(self.take(most=1))
            self.elapsed = 0  # it is never time for another listing
        self.assertFalse(is_time(self.recovery))

    def test_a_pause_is_not_paid_back(self):
        # The process was stopped, or the disk hung, in the middle of a look.
        self.elapsed, recovery = 0, self.recovery
        pauses = iter([0, 60])
        self.layout.now = lambda: self.elapsed + next(pauses, 60)
        recovery.claim(self.fail, [])
        self.elapsed = recovery.longest
        self.assertTrue(is_time(recovery))

    def test_older_listing_of_another_thread(self):
        # It comes while ours is looked through, and is empty.
        self.put('work', 'a')
        recovery = self.recovery
        history = self.attempts.history

        def late(*args):
            recovery._found.clear()
            return history(*args)

        self.attempts.history = late
        with recovery.claim(self.fail, []) as claim:
            self.assertEqual('a', claim.filename)

    @gocept.filestore.tests.case.slow
    def test_threads(self):
        for number in range(200):
            self.put('work', 'w%s' % number)
            self.put('new', 'n%s' % number)
        names = []

        def work():
            for claim in self.store.claims():
                names.append(claim.filename)
                claim.finish()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(400, len(names))
        self.assertEqual(400, len(set(names)))


class Noting(gocept.filestore.retry.attempt.Attempts):
    """Notes which files were looked into."""

    def __init__(self, *args):
        super().__init__(*args)
        self.asked = []

    def history(self, filename, inode):
        self.asked.append(filename)
        return super().history(filename, inode)


class Failing(gocept.filestore.retry.attempt.Attempts):
    """Has a disk that keeps nothing."""

    def history(self, filename, inode):
        raise gocept.filestore.interfaces.NotSynced(5, 'failing')


# How often `work` is listed, and attempts files are opened, by each claim.
COUNT = """
import sys
listings, opens = [0], [0]
work = store.path + '/work'

def hook(event, args):
    if event == 'open' and isinstance(args[0], str) and args[0][:1] == 'w':
        opens[-1] += 1
    elif event == 'os.scandir' and args[0] == work:
        listings[-1] += 1

sys.addaudithook(hook)
while claim := store.claim():
    claim.finish()
    listings.append(0)
    opens.append(0)
answer = listings, opens
"""


class Deaths(RecoveryCase):

    def test_facts(self):
        inode = os.stat(self.put('new', 'a')).st_ino
        self.kill_worker()
        claim = self.store.claim()
        event, = self.events()
        self.assertEqual(
            ('died', gocept.filestore.retry.attempt.DIED, inode, os.getpid()),
            tuple(event[key] for key in (
                'event', 'error', 'inode', 'process')))
        self.assertLessEqual(event['due'], event['time'])
        claim.finish()

    @gocept.filestore.tests.case.slow
    def test_file_that_kills_every_worker(self):
        self.put('new', 'a', 'deadly')
        self.assertEqual(
            ['a'] * 5 + [None], [self.kill_worker() for _ in range(6)])
        self.assertEqual('deadly', self.read('failed', 'a'))
        self.assertNotIn('work', self.tree())
        self.assertEqual(['died'] * 5, self.kinds())
        self.assertIsNone(self.events()[-1]['due'])
        self.assertIsNone(self.store.claim())

    @gocept.filestore.tests.case.slow
    def test_newer_one_is_free_to_go(self):
        self.put('new', 'a', 'deadly')
        for _ in range(5):
            self.kill_worker()
            self.put('new', 'a', 'newer')
        # What moves the older one to `failed` goes on with the newer one.
        with self.store.claim() as claim:
            self.assertEqual('newer', self.text(claim))
            self.assertEqual(1, claim.attempt)
        self.assertEqual('deadly', self.read('failed', 'a'))

    def test_of_an_attempt_after_a_failure(self):
        self.put('new', 'a')
        self.store.claim().fail('no paper')
        self.make_due()
        self.assertEqual('a', self.kill_worker())
        self.assertEqual(['failed', 'resumed'], self.kinds())
        self.assertEqual('a', self.kill_worker())
        claim = self.store.claim()
        self.assertEqual(4, claim.attempt)
        self.assertEqual(['failed', 'resumed', 'died', 'died'], self.kinds())
        claim.finish()

    def test_of_the_last_attempt(self):
        self.put('new', 'a')
        for number in range(1, 5):
            claim = self.store.claim()
            self.assertEqual(number, claim.attempt)
            claim.fail(AT_ONCE)
        self.assertEqual('a', self.kill_worker())
        self.assertIsNone(self.store.claim())
        self.assertEqual(['a'], self.tree()['failed'])
        self.assertEqual('died', self.kinds()[-1])
        self.assertEqual(5, self.store.failures()[0]['attempts'])

    def test_mixture(self):
        self.put('new', 'a')
        self.store.claim().release()
        self.kill_worker()
        claim = self.store.claim()
        self.assertEqual(2, claim.attempt)
        claim.fail(AT_ONCE)
        claim = self.store.claim()
        self.assertEqual(3, claim.attempt)
        self.put('new', 'a', 'newer')
        claim.release()  # has to stay in `work`
        claim = self.store.claim()
        self.assertEqual(3, claim.attempt)
        os.remove(self.path / 'new' / 'a')
        claim.release()
        self.kill_worker()
        claim = self.store.claim()
        self.assertEqual(4, claim.attempt)
        claim.fail(AT_ONCE)
        claim = self.store.claim()
        self.assertEqual(5, claim.attempt)
        claim.fail(AT_ONCE)
        self.assertEqual(['a'], self.tree()['failed'])
        self.assertEqual(
            ['died', 'failed', 'resumed', 'released', 'resumed', 'died',
             'failed', 'resumed', 'failed'], self.kinds())
        self.assertEqual(5, self.store.failures()[0]['attempts'])

    def test_between_the_event_and_the_move(self):
        # The next claim by anybody moves it to `failed`, and nothing counts.
        inode = os.stat(self.put('work', 'a')).st_ino
        self.attempts.fail('a', inode, 5, 'no paper')
        self.assertIsNone(self.store.claim())
        self.assertEqual({'failed': ['a'], 'attempts': ['a']}, self.tree())
        self.assertEqual(['failed'], self.kinds())

    def test_between_putting_back_and_the_claim(self):
        inode = os.stat(self.put('new', 'a')).st_ino
        self.attempts.fail('a', inode, 5, 'no paper')
        self.attempts.put_back('a', inode)
        self.assertEqual([('a', 1)], self.work_on())

    @gocept.filestore.tests.case.slow
    def test_of_many_workers(self):
        # Each file that kills does so three times, whoever works on it.
        names = {kind: [kind + str(number) for number in range(10)]
                 for kind in ('bomb', 'good', 'poor')}
        for number in range(10):
            for kind in names:
                self.put('new', names[kind][number])
        workers = [self.start_worker() for _ in range(3)]
        deaths = 0
        while workers:
            worker = workers.pop(0)
            if worker.process.wait() == -signal.SIGKILL:
                deaths += 1
                workers.append(self.start_worker())
        self.assertEqual(30, deaths)
        self.assertEqual(names['good'], self.tree()['cur'])
        self.assertEqual(names['bomb'] + names['poor'],
                         self.tree()['failed'])
        self.assertNotIn('work', self.tree())
        for name in names['bomb']:
            self.assertEqual(['died'] * 3, self.kinds(name))
        for name in names['poor']:
            self.assertEqual(3, self.kinds(name).count('failed'))
            self.assertNotIn('died', self.kinds(name))

    def start_worker(self):
        worker = self.child(
            retry_policy=gocept.filestore.retry.policy.RetryPolicy(3, first=0))
        worker.send(WORK)
        return worker


WORK = """
import os, signal
for claim in store.claims():
    if claim.filename[:4] == 'bomb':
        os.kill(os.getpid(), signal.SIGKILL)
    elif claim.filename[:4] == 'poor':
        claim.fail('no paper')
    else:
        claim.finish()
os._exit(0)
"""


class Anew(RecoveryCase):
    """When attempts begin anew, and when they do not."""

    def fail_twice(self):
        self.put('new', 'a')
        for error in (AT_ONCE, 'no paper'):
            self.store.claim().fail(error)

    def check_attempt(self, attempt):
        claim = self.open_store().claim()
        self.assertEqual(attempt, claim.attempt)
        claim.finish()
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_moved_from_work_by_hand(self):
        self.fail_twice()
        os.rename(self.path / 'work' / 'a', self.path / 'new' / 'a')
        self.check_attempt(1)

    def test_moved_from_failed_by_hand(self):
        self.fail_twice()
        self.make_due()
        self.open_store().claim().fail(NO_PAPER)
        os.rename(self.path / 'failed' / 'a', self.path / 'new' / 'a')
        self.check_attempt(1)

    def test_put_back(self):
        self.fail_twice()
        self.store.retry('a')
        self.check_attempt(1)

    def test_not_after_a_release(self):
        self.fail_twice()
        self.make_due()
        for _ in range(3):
            claim = self.open_store().claim()
            self.assertEqual(3, claim.attempt)
            claim.release()
        self.check_attempt(3)

    def test_newer_file_of_the_name(self):
        self.fail_twice()
        os.rename(self.path / 'work' / 'a', self.directory / 'away')
        self.put('new', 'a')
        claim = self.store.claim()
        self.assertEqual(1, claim.attempt)
        claim.finish()

    def test_inode_of_a_file_that_was_removed(self):
        self.fail_twice()
        path = self.path / 'work' / 'a'
        inode = os.stat(path).st_ino
        path.unlink()
        paths = [self.put('new', str(number)) for number in range(100)]
        same = [path for path in paths if os.stat(path).st_ino == inode]
        os.rename((same or paths)[0], self.path / 'new' / 'a')
        for path in paths:
            path.unlink(missing_ok=True)
        self.check_attempt(1)
        same or self.skipTest('this file system has not used the inode again')

    def test_attempts_were_removed_by_hand(self):
        self.fail_twice()
        os.remove(self.path / 'attempts' / 'a')
        # Nothing says that it waits, so its process seems to have died.
        self.check_attempt(2)

    def test_put_back_while_others_have_an_old_listing(self):
        # It was made before the space of the attempts was.
        self.put('new', 'a')
        gocept.filestore.tests.story.tick(self.path)
        self.put('new', 'b')
        child = self.child()
        child.run('store.claim().finish(keep=False)')
        self.store.claim().fail(NO_PAPER)
        self.store.retry('b')
        child.run('import time\n'
                  'while time.monotonic() < store._queue._look_at:\n'
                  '    pass')  # within a tenth of a second
        self.assertEqual(
            1, child.run('claim = store.claim(); answer = claim.attempt'))
        self.assertEqual(['failed', 'retried'], self.kinds('b'))
        child.kill()
        claim = self.store.claim()
        self.assertEqual(2, claim.attempt)
        claim.finish()


class OneBadFile(RecoveryCase):
    """What is spoilt about one file does not keep others waiting."""

    def check_goes_on(self, attempt):
        self.put('new', 'b')
        with self.no_blocking():
            found = dict(self.work_on())
        self.assertEqual({'a': attempt, 'b': 1}, found)

    @gocept.filestore.tests.case.slow
    def test_garbage(self):
        for garbage in (b'', b'\n', b'\0' * 10 ** 6, b'[' * 10 ** 6, b'\xff',
                        b'9' * 10 ** 6, b'{"event":\n' * 10 ** 5):
            self.put('work', 'a')
            self.put('attempts', 'a').write_bytes(garbage)
            self.check_goes_on(2)
            (self.path / 'attempts' / 'a').unlink(missing_ok=True)

    def test_wrong_types(self):
        inode = os.stat(self.put('work', 'a')).st_ino
        for event in ({'event': []}, {'event': {}}, {'event': None},
                      {'event': 'failed', 'due': [1]},
                      {'event': 'failed', 'due': 17},
                      {'event': 'failed', 'due': 'soon'}):
            self.write('a', event, inode=inode)
            self.check_goes_on(2)
            os.rename(self.path / 'cur' / 'a', self.path / 'work' / 'a')

    def test_due_in_the_past_or_never(self):
        for due in ('', 'now', '2001-01-01', '2001-01-01T00:00:00Z', 0, []):
            self.wait_for('a')
            self.make_due(due=due)
            self.assertEqual([('a', 2)], self.work_on())

    def test_directory_in_the_place_of_the_attempts(self):
        self.put('work', 'a')
        self.put('new', 'b')
        (self.path / 'attempts').mkdir()
        (self.path / 'attempts' / 'a').mkdir()
        self.store.claim().finish()
        with self.assertRaises(gocept.filestore.interfaces.NotRegular):
            self.store.claim()
        (self.path / 'attempts' / 'a').rmdir()
        self.assertEqual([('a', 2)], self.work_on())

    def test_space_of_the_attempts_is_a_link(self):
        outside = self.directory / 'outside'
        outside.mkdir()
        (self.path / 'attempts').symlink_to(outside)
        self.put('work', 'a')
        with self.assertRaises(gocept.filestore.interfaces.InTheWay):
            self.store.claim()
        self.assertEqual([], os.listdir(outside))


class OddNames(RecoveryCase):

    @gocept.filestore.tests.case.slow
    def test_fail_and_die_and_give_up(self):
        policy = gocept.filestore.retry.policy.RetryPolicy(attempts=3, first=0)
        self.store = self.open_store(retry_policy=policy)
        for name in ('a\nb', '\udcff', 'x' * 255, 'ä' * 127, ' ', '-', '~',
                     'a.~1~', '*', '\x01\x7f'):
            self.put('new', name)
            self.store.claim().fail('no paper')
            child = self.child(retry_policy=policy)
            child.run('claim = store.claim()')
            child.kill()
            claim = self.store.claim()
            self.assertEqual((name, 3), (claim.filename, claim.attempt))
            claim.fail('no ink')
            self.assertEqual(['failed', 'resumed', 'died', 'failed'],
                             self.kinds(name))
            failure, = self.store.failures()
            self.assertEqual((name, 3, 'no ink'), (
                failure['filename'], failure['attempts'], failure['error']))
            self.store.remove(name, 'failed')
            self.assertEqual({}, self.tree())
