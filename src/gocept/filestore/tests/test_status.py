import contextlib
import fcntl
import gocept.filestore.disk.name
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import gocept.filestore.retry.tests.test_attempt
import gocept.filestore.status
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import json
import os
import subprocess
import sys


NO_PAPER = gocept.filestore.interfaces.Reject('no paper')
NO_AGES = [0] * 10
NONE = {'files': 0, 'bytes': 0, 'oldest': None, 'hour': 0, 'day': 0,
        'ages': NO_AGES}
NONE_DUE = {'files': 0, 'next': None, 'ages': NO_AGES}
ONE_DUE = {'files': 1, 'next': 0, 'ages': [1, *NO_AGES[1:]]}
UNSEEN = {'process': None, 'host': None, 'consumer': None}
READY = 'print(flush=True); input()'


class StatusCase(gocept.filestore.retry.tests.test_attempt.AttemptCase):

    def status(self, clock=None):
        """Return the status of now, or of another time."""
        if clock is None:
            return self.store.status()
        self.clock = clock
        return gocept.filestore.status.status(self.attempts, self.intents)

    def counts(self):
        return {name: space['files']
                for name, space in self.status()['spaces'].items()
                if space['files']}

    def arrival(self, space, name):
        return os.stat(self.path / space / name).st_ctime


class Spaces(StatusCase):

    def test_nothing(self):
        status = self.status()
        self.assertEqual(
            {'store': str(self.path),
             'spaces': dict.fromkeys(
                 ['tmp', 'new', 'work', 'failed', 'cur', 'attempts'], NONE),
             'claims': [],
             'waiting': NONE_DUE,
             'intents': []}, status)
        self.assertEqual({}, self.tree())
        self.assertFalse((self.path / 'work').exists())

    def test_numbers(self):
        for number, space in enumerate(
                ('tmp', 'new', 'work', 'failed', 'cur', 'attempts')):
            for name in range(number):
                self.put(space, str(name), 'x' * number)
        self.assertEqual(
            [(0, 0), (1, 1), (2, 4), (3, 9), (4, 16), (5, 25)],
            [(space['files'], space['bytes'])
             for space in self.status()['spaces'].values()])

    def test_bytes_and_not_characters(self):
        self.put('new', 'a', 'ä')
        self.assertEqual(2, self.status()['spaces']['new']['bytes'])

    def test_age_of_the_oldest(self):
        self.put('new', 'b')
        gocept.filestore.tests.story.tick(self.path)
        self.put('new', 'a')
        arrival = self.arrival('new', 'b')
        self.assertLess(arrival, self.arrival('new', 'a'))
        for age in (0, 7, 3600.5):
            status = self.status(arrival + age)
            self.assertAlmostEqual(
                age, status['spaces']['new']['oldest'], 3)

    def test_ages(self):
        self.put('new', 'a')
        arrival = self.arrival('new', 'a')
        for age, place in ((-5, 0), (299, 0), (301, 1), (599, 1), (601, 2),
                           (76799, 8), (76801, 9), (10 ** 9, 9)):
            found = self.status(arrival + age)['spaces']['new']['ages']
            self.assertEqual((10, 1), (len(found), found[place]), age)
            self.assertEqual(1, sum(found))

    def test_lately(self):
        self.put('cur', 'a')
        arrival = self.arrival('cur', 'a')
        for age, hour, day in ((-5, 1, 1), (3599, 1, 1), (3601, 0, 1),
                               (86399, 0, 1), (86401, 0, 0)):
            found = self.status(arrival + age)['spaces']['cur']
            self.assertEqual((hour, day), (found['hour'], found['day']), age)

    def test_age_in_the_space(self):
        # Whatever its mtime says, and however long it was elsewhere.
        os.utime(self.put('new', 'a'), (0, 0))
        self.store.claim().finish()
        status = self.status(self.arrival('cur', 'a') + 7)
        self.assertAlmostEqual(7, status['spaces']['cur']['oldest'], 3)

    def test_clock_behind_that_of_the_disk(self):
        self.put('new', 'a')
        self.put('new', 'b')
        self.store.claim()
        status = self.status(0)
        self.assertEqual(0, status['spaces']['new']['oldest'])
        self.assertEqual(0, status['claims'][0]['age'])

    def test_others_do_not_count(self):
        for space in ('new', 'cur'):
            path = self.path / space
            (path / 'a').mkdir()
            (path / 'b').symlink_to(self.put('tmp', 'x'))
            os.mkfifo(path / 'c')
            (path / '.nfs0001').write_text('')
        with self.no_blocking():
            self.assertEqual({'tmp': 1}, self.counts())

    def test_twins_count_once(self):
        # A crash has left a file two names, where there is no renameat2.
        os.link(self.put('new', 'a'), self.path / 'cur' / 'a')
        for space in 'new', 'cur':
            self.store._layout[space].is_local = False
        self.assertEqual(1, sum(self.counts().values()))

    def test_linked_ones_count_each(self):
        # hardlink(1) makes one of equal files.
        for space in 'new', 'work', 'failed', 'cur':
            (self.path / space).mkdir(exist_ok=True)
            for name in 'a', 'b':
                os.link(self.put('tmp', 'x'), self.path / space / name)
        os.remove(self.path / 'tmp' / 'x')
        self.assertEqual(
            {'new': 2, 'work': 2, 'failed': 2, 'cur': 2}, self.counts())
        self.assertEqual(['a', 'b'], [
            claim['filename'] for claim in self.store.status()['claims']])

    def test_store_that_is_not_there(self):
        store = gocept.filestore.filestore.FileStore('/nowhere/at/all')
        with self.assertRaises(gocept.filestore.interfaces.NotPrepared):
            store.status()

    def test_changes_nothing(self):
        self.put('new', 'a')
        self.kill_worker()
        self.put('new', 'b')
        before = self.tree()
        self.status()
        self.assertEqual(before, self.tree())
        claim = self.store.claim()
        self.assertEqual(('a', 2), (claim.filename, claim.attempt))
        claim.finish()


class Json(StatusCase):

    def check(self, status):
        self.assertEqual(status, json.loads(json.dumps(status)))

    def test_odd_names(self):
        names = ['a\nb', '\udcff', 'x' * 255, 'ä', '"', '\\']
        for name in names:
            self.put('new', name)
        claims = list(self.store.claims())
        status = self.status()
        self.check(status)
        self.assertEqual(
            sorted(names),
            sorted(claim['filename'] for claim in status['claims']))
        for claim in claims:
            claim.fail('no paper')
        self.check(self.status())

    def test_store_with_an_odd_name(self):
        path = self.directory / '\udcff\n'
        store = gocept.filestore.filestore.FileStore(path)
        store.prepare()
        status = store.status()
        self.check(status)
        self.assertEqual(str(path), status['store'])


class Claims(StatusCase):

    def test_of_this_process(self):
        self.put('new', 'a')
        claim = self.store.claim()
        arrival = self.arrival('work', 'a')
        status = self.status(arrival + 7)
        found, = status['claims']
        self.assertAlmostEqual(7, found.pop('age'), 3)
        self.assertIn('python', found.pop('consumer'))
        self.assertEqual(
            {'filename': 'a', 'attempt': 1, 'alive': True,
             'process': os.getpid(), 'host': gocept.filestore.disk.name.HOST},
            found)
        claim.finish()
        self.assertEqual([], self.status()['claims'])

    def test_of_others(self):
        for name in 'ab':
            self.put('new', name)
            child = self.child()
            child.run('claim = store.claim()')
            gocept.filestore.tests.story.tick(self.path)
        child.kill()
        living, dead = self.status()['claims']
        self.assertEqual(
            [('a', True), ('b', False)],
            [(claim['filename'], claim['alive']) for claim in (living, dead)])
        self.assertNotIn(living['process'], (None, os.getpid()))
        self.assertIn('tests.child', living['consumer'])
        self.assertLessEqual(UNSEEN.items(), dead.items())

    def test_which_process_has_which(self):
        children = {name: self.child() for name in 'ab'}
        for name in 'ab':
            self.put('new', name)
            children[name].run('claim = store.claim()')
        self.assertEqual(
            {name: child.process.pid for name, child in children.items()},
            {claim['filename']: claim['process']
             for claim in self.status()['claims']})

    def test_who_asks_whether_it_lives_has_no_claim(self):
        with open(self.put('work', 'a'), 'rb') as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            found, = self.status()['claims']
        self.assertEqual((False, None), (found['alive'], found['process']))

    def claimed(self, *claims):
        """Return claims whose locks are shown nowhere, as of other hosts."""
        return list(gocept.filestore.status.claimed(
            self.layout['work'], claims, 0, holders=lambda work: {}))

    def test_of_another_host(self):
        self.put('new', 'a')
        claim = self.store.claim()
        inode = os.stat(claim.path).st_ino
        found, = self.claimed((0, 'a', inode, 1, True))
        self.assertTrue(found['alive'])
        self.assertLessEqual(UNSEEN.items(), found.items())
        claim.finish()

    def test_settled_before_we_ask_who_has_it(self):
        inode = os.stat(self.put('work', 'a')).st_ino
        self.assertEqual([], self.claimed((0, 'a', inode, 1, True)))
        self.assertEqual([], self.claimed((0, 'gone', 1, 1, True)))

    def test_title(self):
        title = gocept.filestore.status.title
        with subprocess.Popen(
                ['python of   orders', '-c', READY, 'x' * 2000],
                executable=sys.executable, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            # The kernel closes pipes before the new program has its title.
            process.stdout.readline()
            self.assertEqual(1000, len(title(process.pid)))
            self.assertTrue(title(process.pid).startswith(
                'python of   orders -c %s xxx' % READY))
        self.assertIsNone(title(process.pid))

    def test_title_without_the_folder_of_the_program(self):
        for program, expected in (
                ('/a/long way/bin/python', 'python -c %s /x' % READY),
                ('filestore: of /x', 'filestore: of /x -c %s /x' % READY)):
            with subprocess.Popen(
                    [program, '-c', READY, '/x'], executable=sys.executable,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL) as process:
                process.stdout.readline()
                self.assertEqual(
                    expected, gocept.filestore.status.title(process.pid))

    def test_process_that_has_ended_and_has_no_title(self):
        process = subprocess.Popen(['true'])
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.assertIsNone(gocept.filestore.status.title(process.pid))
        process.wait()

    def test_attempt(self):
        self.put('new', 'a')
        self.kill_worker()
        self.assertEqual(1, self.status()['claims'][0]['attempt'])
        claim = self.store.claim()
        self.assertEqual(2, self.status()['claims'][0]['attempt'])
        claim.fail(gocept.filestore.interfaces.Retry(after=0))
        claim = self.store.claim()
        found, = self.status()['claims']
        self.assertEqual((3, True), (found['attempt'], found['alive']))
        claim.finish()

    def test_given_back_in_its_place(self):
        self.put('new', 'a')
        claim = self.store.claim()
        self.put('new', 'a', 'newer')
        claim.release()
        found, = self.status()['claims']
        self.assertEqual((1, False), (found['attempt'], found['alive']))

    def test_put_there_by_hand(self):
        self.put('work', 'a')
        found, = self.status()['claims']
        self.assertEqual((1, False), (found['attempt'], found['alive']))

    def test_another_process_can_take_it_over_afterwards(self):
        self.put('new', 'a')
        self.kill_worker()
        self.assertFalse(self.status()['claims'][0]['alive'])
        self.assertEqual('a', self.kill_worker())

    def test_leaves_no_descriptor(self):
        self.put('new', 'a')
        self.kill_worker()
        self.status()
        before = self.descriptors()
        self.status()
        self.assertEqual(before, os.listdir('/proc/self/fd'))

    def test_gone_meanwhile(self):
        self.put('new', 'a')
        claim = self.store.claim()
        work = self.layout['work']
        inode = os.stat(claim.path).st_ino
        self.assertIs(True, gocept.filestore.status.is_alive(
            work, 'a', inode))
        self.assertIsNone(gocept.filestore.status.is_alive(
            work, 'a', inode + 1))
        claim.finish()
        self.assertIsNone(gocept.filestore.status.is_alive(work, 'a', inode))
        self.assertEqual([], gocept.filestore.status.divide(
            work, self.attempts, [(0, 'a', inode)])[0])


class Waiting(StatusCase):

    def setUp(self):
        super().setUp()
        self.store = self.open_store(retry_policy=self.policy)

    def test_files_and_when_the_next_one_is_due(self):
        for name in 'abc':
            path = self.put('work', name)
            self.attempts.fail(name, os.stat(path).st_ino, 1, 'no paper')
            self.clock += 10
        noon = gocept.filestore.retry.tests.test_attempt.NOON
        for seconds, due in ((30, 30), (59, 1), (60, 0), (1000, 0)):
            status = self.status(noon + seconds)
            self.assertLessEqual(
                {'files': 3, 'next': due}.items(), status['waiting'].items())
            self.assertEqual(3, sum(status['waiting']['ages']))
            self.assertEqual([], status['claims'])
            self.assertEqual(3, status['spaces']['work']['files'])

    def test_taken_over(self):
        self.put('new', 'a')
        self.store.claim().fail(gocept.filestore.interfaces.Retry(after=0))
        self.assertEqual(ONE_DUE, self.status()['waiting'])
        claim = self.store.claim()
        self.assertEqual(NONE_DUE, self.status()['waiting'])
        self.assertEqual(1, len(self.status()['claims']))
        claim.finish()

    def test_given_up(self):
        self.put('new', 'a')
        self.store.claim().fail(NO_PAPER)
        self.assertEqual(NONE_DUE, self.status()['waiting'])
        self.assertEqual({'failed': 1, 'attempts': 1}, self.counts())

    def test_time_that_is_none(self):
        self.put('new', 'a')
        self.store.claim().fail('no paper')
        self.make_due(due='soon')
        self.assertEqual(ONE_DUE, self.status()['waiting'])


class Moving(StatusCase):
    """Counts stay right while the files move."""

    count = 300

    def check(self, source, workers=3, looks=150):
        """Look at the store while processes move the files in circles."""
        for number in range(self.count):
            self.put('new', str(number))
        workers = [self.start(CIRCLE % source) for _ in range(workers)]
        for _ in range(looks):
            counts = self.counts()
            for space in ('tmp', 'attempts'):  # they are no files of ours
                counts.pop(space, None)
            self.assertEqual(self.count, sum(counts.values()), counts)
        (self.path / 'tmp' / 'end').write_text('')
        moves = [worker.answer() for worker in workers]
        self.assertGreater(sum(moves), self.count // 10)

    def start(self, source):
        worker = self.child(
            retry_policy=gocept.filestore.retry.policy.RetryPolicy(first=0))
        self.addCleanup(worker.process.kill)
        worker.send(source)
        return worker

    @gocept.filestore.tests.case.slow
    def test_claimed_and_given_back(self):
        self.check('claim.release()')

    @gocept.filestore.tests.case.slow
    def test_done_and_put_back(self):
        self.check('claim.finish()')

    @gocept.filestore.tests.case.slow
    def test_failed_and_put_back(self):
        self.check('claim.fail(gocept.filestore.Reject("no paper"))')

    @gocept.filestore.tests.case.slow
    def test_tried_again_and_again(self):
        self.check('claim.fail("no paper") if claim.attempt < 3 '
                   'else claim.finish()')

    @gocept.filestore.tests.case.slow
    def test_on_their_way_from_new_to_cur(self):
        for number in range(3000):
            self.put('new', str(number))
        workers = [self.child(), self.child()]
        done = []
        for _ in range(5):
            for worker in workers:
                worker.send('for _ in range(300):\n'
                            '    store.claim().finish()')
            done.extend([self.done(), self.done()])
            for worker in workers:
                worker.answer()
            done.append(self.done())
        self.assertEqual(sorted(done), done)
        self.assertLessEqual({600, 1200, 1800, 2400, 3000}, set(done))

    def done(self):
        counts = self.counts()
        self.assertEqual(3000, sum(counts.values()), counts)
        return counts.get('cur', 0)

    @gocept.filestore.tests.case.slow
    def test_claims_are_those_of_live_processes(self):
        # No claim of a live process is ever told to be that of a dead one.
        for number in range(20):
            self.put('new', str(number))
        worker = self.start(CIRCLE % 'claim.finish()')
        seen = set()
        while len(seen) < 10:
            for claim in self.status()['claims']:
                self.assertTrue(claim['alive'])
                self.assertEqual(1, claim['attempt'])
                seen.add(claim['filename'])
        (self.path / 'tmp' / 'end').write_text('')
        worker.answer()


# From `failed` and `cur` they go back to `new`.
CIRCLE = """
import gocept.filestore, os
answer = 0
while not os.path.exists(os.path.join(store.path, 'tmp', 'end')):
    for claim in store.claims():
        %s
        answer += 1
        if os.path.exists(os.path.join(store.path, 'tmp', 'end')):
            break
    for space in ('failed', 'cur'):
        for path in store.list(space):
            try:
                store.move(path, space, 'new', replace=False)
            except (FileNotFoundError, FileExistsError):
                pass
"""


class History(StatusCase):

    def history(self, name='a'):
        """Return the space of each file, its facts, and its events."""
        found = self.store.history(name)
        json.dumps(found)
        return [(place['space'], place['due'], place['alive'],
                 [event['event'] for event in place['events']])
                for place in found]

    def test_where_nothing_has_happened(self):
        for space in ('new', 'tmp', 'cur'):
            self.put(space, 'a', 'ä').chmod(0o640)
            [place] = self.store.history(str(self.path / 'elsewhere' / 'a'))
            self.assertLess(place.pop('age'), 60)
            self.assertEqual(
                {'space': space, 'bytes': 2, 'mode': 0o640, 'due': None,
                 'alive': None, 'metadata': {}, 'events': []}, place)
            (self.path / space / 'a').unlink()

    def test_age(self):
        self.put('new', 'a')
        arrival = self.arrival('new', 'a')
        for clock, age in ((arrival + 17, 17), (0, 0)):
            self.clock = clock
            [place] = gocept.filestore.status.history(self.attempts, 'a')
            self.assertAlmostEqual(age, place['age'])

    def test_from_claim_to_failure(self):
        self.put('new', 'a')
        claim = self.store.claim()
        self.assertEqual([('work', None, True, [])], self.history())
        claim.fail(gocept.filestore.interfaces.Retry(after=0))
        self.assertEqual([('work', 0, None, ['failed'])], self.history())
        self.store.claim().fail(NO_PAPER)
        self.assertEqual(
            [('failed', None, None, ['failed', 'resumed', 'failed'])],
            self.history())
        self.store.retry('a')
        self.assertEqual(
            [('new', None, None, ['failed', 'resumed', 'failed'])],
            self.history())
        claim = self.store.claim()
        self.assertEqual(
            [('work', None, True, ['failed', 'resumed', 'failed', 'retried'])],
            self.history())
        claim.finish()
        self.assertEqual([('cur', None, None, [])], self.history())

    def test_due(self):
        self.put('new', 'a')
        self.store.claim().fail(gocept.filestore.interfaces.Retry(after=100))
        [place] = self.store.history('a')
        self.assertGreater(place['due'], 50)
        self.assertLessEqual(place['due'], 100)

    def test_dead(self):
        self.put('new', 'a')
        self.kill_worker()
        self.assertEqual([('work', None, False, [])], self.history())

    def test_traceback(self):
        self.put('new', 'a')
        with self.assertRaises(ZeroDivisionError), self.store.claim():
            1 / 0  # noqa: B018
        [place] = self.store.history('a')
        [event] = place['events']
        self.assertIn('in test_traceback', event['traceback'])
        self.assertEqual('ZeroDivisionError: division by zero', event['error'])
        self.assertEqual(os.getpid(), event['process'])

    def test_each_file_of_a_name_has_its_own(self):
        self.put('new', 'a')
        self.store.claim().fail(NO_PAPER)
        self.put('new', 'a', 'newer')
        self.assertEqual(
            [('new', None, None, []), ('failed', None, None, ['failed'])],
            self.history())
        self.store.claim().fail(NO_PAPER)
        for name in ('a', 'a.~1~'):
            self.assertEqual(
                [('failed', None, None, ['failed'])], self.history(name))

    def test_what_was_of_an_older_one_with_its_inode(self):
        self.put('new', 'a')
        self.store.claim().fail(NO_PAPER)
        path = self.path / 'failed' / 'a'
        os.utime(path, (4e9, 4e9))  # as a newer one would have it
        os.rename(path, self.path / 'new' / 'a')
        self.assertEqual([('new', None, None, [])], self.history())

    def test_two_names_after_a_crash_are_one_file(self):
        os.link(self.put('new', 'a'), self.put('work', 'b').with_name('a'))
        self.assertEqual([('work', None, False, [])], self.history())

    def test_none(self):
        self.put('attempts', 'a')
        for name in 'ab':
            with self.assertRaises(
                    gocept.filestore.interfaces.NoSuchFile) as raised:
                self.store.history(name)
            self.assertEqual(
                (name, 'there is none in any space'),
                (raised.exception.filename, raised.exception.reason))
        self.assertEqual({'attempts': ['a']}, self.tree())

    def test_no_file(self):
        (self.path / 'new' / 'a').symlink_to('b')
        with self.assertRaises(gocept.filestore.interfaces.NotRegular):
            self.store.history('a')

    def test_store_that_is_not_there(self):
        store = gocept.filestore.filestore.FileStore('/nowhere/at/all')
        with self.assertRaises(gocept.filestore.interfaces.NotPrepared):
            store.history('a')

    def test_that_goes_round(self):
        child = self.child()
        child.send('import os\n'
                   'while not os.path.exists(store.path + "/tmp/end"):\n'
                   '    with store.publish("a"):\n'
                   '        pass\n'
                   '    store.claim().release()\n'
                   '    store.claim().finish(keep=False)\n'
                   'answer = "done"')
        seen = set()
        while not {'new', 'work'} <= seen:
            with contextlib.suppress(gocept.filestore.interfaces.NoSuchFile):
                seen.update(place[0] for place in self.history())
        self.put('tmp', 'end')
        self.assertEqual('done', child.answer())
        self.assertLessEqual(seen, {'new', 'work'})
