import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import gocept.filestore.retry.tests.test_attempt
import gocept.filestore.status
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import json
import os


NO_PAPER = gocept.filestore.interfaces.Reject('no paper')
NONE = {'files': 0, 'bytes': 0, 'oldest': None}


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
             'waiting': {'files': 0, 'next': None},
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
        self.assertEqual(1, sum(self.counts().values()))

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
        self.assertEqual(
            {'filename': 'a', 'attempt': 1, 'alive': True}, found)
        claim.finish()
        self.assertEqual([], self.status()['claims'])

    def test_of_others(self):
        for name in 'ab':
            self.put('new', name)
            child = self.child()
            child.run('claim = store.claim()')
            gocept.filestore.tests.story.tick(self.path)
        child.kill()
        self.assertEqual(
            [('a', True), ('b', False)],
            [(claim['filename'], claim['alive'])
             for claim in self.status()['claims']])

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
            self.assertEqual({'files': 3, 'next': due}, status['waiting'])
            self.assertEqual([], status['claims'])
            self.assertEqual(3, status['spaces']['work']['files'])

    def test_taken_over(self):
        self.put('new', 'a')
        self.store.claim().fail(gocept.filestore.interfaces.Retry(after=0))
        self.assertEqual({'files': 1, 'next': 0}, self.status()['waiting'])
        claim = self.store.claim()
        self.assertEqual({'files': 0, 'next': None}, self.status()['waiting'])
        self.assertEqual(1, len(self.status()['claims']))
        claim.finish()

    def test_given_up(self):
        self.put('new', 'a')
        self.store.claim().fail(NO_PAPER)
        self.assertEqual({'files': 0, 'next': None}, self.status()['waiting'])
        self.assertEqual({'failed': 1, 'attempts': 1}, self.counts())

    def test_time_that_is_none(self):
        self.put('new', 'a')
        self.store.claim().fail('no paper')
        self.make_due(due='soon')
        self.assertEqual({'files': 1, 'next': 0}, self.status()['waiting'])


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
