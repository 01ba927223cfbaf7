import gocept.filestore.disk.lock
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.retry.attempt
import gocept.filestore.retry.failed
import gocept.filestore.retry.tests.test_attempt
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import os
import pathlib
import time
import zope.testing.wait


NO_PAPER = gocept.filestore.interfaces.Reject('no paper')


class FailedCase(gocept.filestore.retry.tests.test_attempt.AttemptCase):

    def give_up(self, name='a', content='content', error=NO_PAPER):
        """Let a file end in `failed`; return its inode."""
        inode = os.stat(self.put('new', name, content)).st_ino
        for claim in self.store.claims():
            claim.fail(error)
        return inode

    def wait_for(self, name='a'):
        """Let a file wait in `work` for its next attempt."""
        self.put('new', name)
        self.store.claim().fail('no paper')

    def refuse(self, name, kind=gocept.filestore.interfaces.NoSuchFile):
        """See that it is not put back, and that nothing changes."""
        before = self.tree(), self.events(name)
        with self.assertRaises(kind) as raised:
            self.store.retry(name)
        self.assertEqual((self.tree(), self.events(name)), before)
        self.assertEqual(self.store.path, raised.exception.store)
        self.assertEqual(name, raised.exception.filename)

    def work_on(self):
        """Finish all that waits; return names and attempts."""
        found = []
        for claim in self.store.claims():
            found.append((claim.filename, claim.attempt))
            claim.finish()
        return found


class Retry(FailedCase):

    def test_name(self):
        self.give_up()
        self.assertIsNone(self.store.retry('a'))
        self.assertEqual(['a'], self.tree()['new'])
        self.assertNotIn('failed', self.tree())
        self.assertEqual([('a', 1)], self.work_on())

    def test_dry_run(self):
        self.give_up('a')
        self.wait_for('b')
        before = self.tree(), self.kinds('a'), self.kinds('b')
        for name in 'ab':
            self.assertEqual(name, self.store.retry(name, dry_run=True))
        self.assertEqual(
            before, (self.tree(), self.kinds('a'), self.kinds('b')))

    def test_dry_run_tells_what_keeps_it(self):
        self.give_up('a')
        self.wait_for('b')
        for name, kind in (
                ('a', gocept.filestore.interfaces.NameTaken),
                ('b', gocept.filestore.interfaces.NameTaken),
                ('c', gocept.filestore.interfaces.NoSuchFile)):
            self.put('new', name)
            with self.assertRaises(kind) as raised:
                self.store.retry(name, dry_run=True)
            self.assertEqual(name, raised.exception.filename)

    def test_path(self):
        self.give_up('a')
        self.give_up('b')
        path, other = self.store.list('failed')
        self.store.retry(path)
        self.store.retry(pathlib.Path('/elsewhere', 'b'))
        self.assertEqual(['a', 'b'], self.tree()['new'])

    def test_is_the_same_file(self):
        inode = self.give_up()
        self.store.retry('a')
        self.assertEqual(inode, os.stat(self.path / 'new' / 'a').st_ino)

    def test_events_stay_until_it_is_done(self):
        self.give_up()
        self.store.retry('a')
        self.assertEqual(['failed'], self.kinds())
        claim = self.store.claim()
        self.assertEqual(['failed', 'retried'], self.kinds())
        claim.finish()
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_attempts_begin_anew(self):
        self.give_up()
        self.store.retry('a')
        for number in range(1, 6):
            claim = self.store.claim()
            self.assertEqual(number, claim.attempt)
            claim.fail(gocept.filestore.interfaces.Retry(after=0))
        self.assertEqual(['a'], self.tree()['failed'])
        failure, = self.store.failures()
        self.assertEqual(5, failure['attempts'])
        self.store.retry('a')
        self.kill_worker()
        claim = self.store.claim()
        self.assertEqual(2, claim.attempt)
        claim.finish()

    def test_killer(self):
        self.put('new', 'a')
        store = self.open_store(retry_policy=gocept.filestore.tests.case.ONCE)
        self.kill_worker()
        self.assertIsNone(store.claim())
        self.assertEqual(['a'], self.tree()['failed'])
        self.store.retry('a')
        self.assertEqual([('a', 1)], self.work_on())

    def test_moved_to_failed_by_hand(self):
        self.put('failed', 'a')
        self.store.retry('a')
        self.assertEqual([('a', 1)], self.work_on())

    def test_moved_to_failed_by_hand_when_its_processes_had_died(self):
        self.put('new', 'a')
        for _ in range(2):
            self.kill_worker()
        (self.path / 'failed').mkdir()
        os.rename(self.path / 'work' / 'a', self.path / 'failed' / 'a')
        self.assertEqual(['died'], self.kinds())
        self.store.retry('a')
        self.assertEqual(['died', 'retried'], self.kinds())
        self.assertEqual([('a', 1)], self.work_on())

    def test_put_back_by_hand(self):
        self.give_up()
        os.rename(self.path / 'failed' / 'a', self.path / 'new' / 'a')
        self.assertEqual([('a', 1)], self.work_on())

    def test_put_back_with_another_verb(self):
        self.give_up()
        self.store.move('a', 'failed', 'new')
        self.assertEqual([('a', 1)], self.work_on())

    def test_odd_names(self):
        for name in ('a\nb', '\udcff', 'x' * 255, ' ', '-', '~', '~1~'):
            self.give_up(name)
            self.store.retry(name)
            self.assertEqual([(name, 1)], self.work_on())

    def test_bad_names(self):
        for name in ('', '..', '.a', 'a\0', 'x' * 256):
            with self.assertRaises(gocept.filestore.interfaces.InvalidName):
                self.store.retry(name)

    def test_durable(self):
        self.give_up()
        self.open_store(durable=True).retry('a')
        self.assertEqual(['a'], self.tree()['new'])


class Refused(FailedCase):

    def test_nothing_has_failed(self):
        self.refuse('a')
        self.put('new', 'a')
        self.refuse('a')
        self.store.claim().finish()
        self.refuse('a')

    def test_another_has_failed(self):
        self.give_up('b')
        self.put('work', 'c')
        self.refuse('a')

    def test_second_time(self):
        self.give_up()
        self.store.retry('a')
        self.refuse('a')

    def test_newer_one_waits(self):
        self.give_up()
        self.put('new', 'a', 'newer')
        self.refuse('a', gocept.filestore.interfaces.NameTaken)
        self.assertEqual('newer', self.read('new', 'a'))

    def test_refusing_changes_nothing(self):
        self.put('new', 'a')
        self.store.claim().fail('no paper')
        # Somebody has moved it by hand, before its last attempt.
        (self.path / 'failed').mkdir()
        os.rename(self.path / 'work' / 'a', self.path / 'failed' / 'a')
        self.put('new', 'a', 'newer')
        before = self.store.failures()[0]
        self.refuse('a', gocept.filestore.interfaces.NameTaken)
        after = self.store.failures()[0]
        for fact in ('attempts', 'error'):
            self.assertEqual(before[fact], after[fact])
        self.assertEqual((1, 'no paper'), (after['attempts'], after['error']))

    def test_newer_one_waits_for_one_with_a_number(self):
        self.give_up()
        self.give_up()
        self.put('new', 'a', 'newer')
        before = self.tree()
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            self.store.retry('a.~1~')
        self.assertEqual(before, self.tree())

    def test_what_is_no_file(self):
        self.give_up('b')
        failed = self.path / 'failed'
        outside = self.directory / 'outside'
        outside.write_text('outside')
        (failed / 'directory').mkdir()
        os.mkfifo(failed / 'pipe')
        (failed / 'link').symlink_to(outside)
        for name in ('directory', 'pipe', 'link'):
            with self.no_blocking():
                self.refuse(name, gocept.filestore.interfaces.NotRegular)

    def test_store_that_is_not_there(self):
        store = gocept.filestore.filestore.FileStore('/nowhere/at/all')
        with self.assertRaises(gocept.filestore.interfaces.NotPrepared):
            store.retry('a')

    def test_newer_one_waits_for_a_link(self):
        self.give_up()
        os.symlink('nowhere', self.path / 'new' / 'a')
        self.refuse('a', gocept.filestore.interfaces.NameTaken)


class Waiting(FailedCase):
    """A file in `work` waits for its next attempt."""

    def test_put_back(self):
        self.wait_for()
        self.assertIsNone(self.store.claim())
        self.store.retry('a')
        self.assertEqual(['a'], self.tree()['new'])
        self.assertEqual([('a', 1)], self.work_on())

    def test_the_older_one_in_failed_comes_first(self):
        self.give_up(content='older')
        self.wait_for()
        self.store.retry('a')
        self.assertEqual('older', self.read('new', 'a'))
        self.assertEqual(['a'], self.tree()['work'])

    def test_newer_one_waits(self):
        self.wait_for()
        self.put('new', 'a', 'newer')
        self.refuse('a', gocept.filestore.interfaces.NameTaken)

    def test_worked_on(self):
        self.put('new', 'a')
        claim = self.store.claim()
        self.refuse('a')
        claim.fail(gocept.filestore.interfaces.Retry(after=0))
        claim = self.store.claim()
        self.refuse('a')
        claim.finish()

    def test_worked_on_by_another_process(self):
        self.put('new', 'a')
        child = self.child()
        child.run('claim = store.claim()')
        self.refuse('a')
        child.run('claim.finish()')

    def test_abandoned(self):
        # It does not wait; the next claim takes it over at once.
        self.put('new', 'a')
        self.kill_worker()
        self.refuse('a')
        self.assertEqual([('a', 2)], self.work_on())

    def test_abandoned_in_its_second_attempt(self):
        self.wait_for()
        self.make_due()
        self.kill_worker()
        self.assertEqual(['failed', 'resumed'], self.kinds())
        self.refuse('a')

    def test_special_file(self):
        self.wait_for('b')
        os.mkfifo(self.path / 'work' / 'a')
        with self.no_blocking():
            self.refuse('a')


class Numbers(FailedCase):

    def contents(self):
        return {name: self.read('failed', name)
                for name in self.tree().get('failed', ())}

    def test_own_name_comes_back(self):
        for content in ('1', '2', '3'):
            self.give_up(content=content)
        self.assertEqual({'a': '3', 'a.~1~': '1', 'a.~2~': '2'},
                         self.contents())
        self.store.retry('a.~2~')
        self.assertEqual('2', self.read('new', 'a'))
        self.assertEqual([('a', 1)], self.work_on())
        self.assertEqual(2, len(self.events()))

    def test_free_numbers_are_used_again(self):
        for content in ('1', '2', '3'):
            self.give_up(content=content)
        self.store.remove('a.~1~', 'failed')
        self.give_up(content='4')
        self.assertEqual({'a': '4', 'a.~1~': '3', 'a.~2~': '2'},
                         self.contents())

    def test_longest_names(self):
        for name in ('x' * 255, 'ä' * 127, '\udcff' * 253):
            for content in ('1', '2'):
                self.give_up(name, content)
            backup, = set(self.contents()) - {name}
            self.assertEqual(
                ['Reject: no paper'] * 2,
                [failure['error'] for failure in self.store.failures()])
            self.store.retry(backup)
            self.assertEqual('1', self.read('new', name))
            self.assertEqual([(name, 1)], self.work_on())
            self.store.remove(name, 'failed')
            self.assertEqual([], self.store.list('attempts'))

    def test_name_that_looks_like_a_number(self):
        self.give_up('a.~1~', 'its own')
        self.give_up(content='1')
        self.give_up(content='2')
        self.assertEqual(
            {'a': '2', 'a.~1~': 'its own', 'a.~2~': '1'}, self.contents())
        self.store.retry('a.~1~')
        self.assertEqual([('a.~1~', 1)], self.work_on())

    def test_one_that_is_being_put_back(self):
        # By links that takes two steps: the name that is removed in the
        # second one is not to be that of a newer file.
        self.give_up(content='1')
        held = gocept.filestore.disk.lock.hold(self.layout['failed'], 'a')
        self.put('new', 'a', '2')
        child = self.child()
        child.send('import gocept.filestore\n'
                   'for claim in store.claims():\n'
                   '    claim.fail(gocept.filestore.Reject("no paper"))\n'
                   'answer = True')
        zope.testing.wait.wait(lambda: len(self.kinds()) == 2)
        time.sleep(.1)
        self.assertEqual({'a': '1'}, self.contents())
        self.assertEqual(['a'], self.tree()['work'])
        held.release()
        child.answer()
        self.assertEqual({'a': '2', 'a.~1~': '1'}, self.contents())

    def test_directory_in_the_way(self):
        # It gets a number like a file, and waits for a person.
        (self.path / 'failed').mkdir()
        (self.path / 'failed' / 'a').mkdir()
        self.give_up()
        self.assertEqual(['a', 'a.~1~'], self.tree()['failed'])
        self.assertEqual('content', self.read('failed', 'a'))

    def test_link_in_the_way(self):
        outside = self.directory / 'outside'
        outside.write_text('outside')
        (self.path / 'failed').mkdir()
        (self.path / 'failed' / 'a').symlink_to(outside)
        (self.path / 'failed' / 'a.~1~').symlink_to('nowhere')
        self.give_up()
        self.assertEqual('outside', outside.read_text())
        self.assertEqual('content', self.read('failed', 'a'))
        self.assertEqual('outside', self.read('failed', 'a.~2~'))


class Failures(FailedCase):

    def test_none(self):
        self.assertEqual([], self.store.failures())
        (self.path / 'failed').mkdir()
        self.assertEqual([], self.store.failures())

    def test_facts(self):
        self.give_up(error=gocept.filestore.interfaces.Reject('no paper'))
        failure, = self.store.failures()
        self.assertEqual(
            {'filename': 'a', 'attempts': 1, 'error': 'Reject: no paper',
             'age': failure['age']}, failure)
        self.assertGreaterEqual(failure['age'], 0)
        self.assertLess(failure['age'], 60)

    def test_longest_there_first(self):
        names = ['c', 'a', 'b']
        for name in names:
            self.give_up(name)
            gocept.filestore.tests.story.tick(self.path)
        self.assertEqual(names, self.names())

    def names(self):
        return [failure['filename'] for failure in self.store.failures()]

    def test_reason_of_each(self):
        for error in ('one', 'two', 'three'):
            self.give_up(error=gocept.filestore.interfaces.Reject(error))
        self.assertEqual(
            {'a.~1~': 'Reject: one', 'a.~2~': 'Reject: two',
             'a': 'Reject: three'},
            {failure['filename']: failure['error']
             for failure in self.store.failures()})

    def test_reason_of_the_last_attempt(self):
        self.put('new', 'a')
        for error in ('one', 'two', 'three', 'four', 'five'):
            claim = self.open_store().claim()
            claim.fail(error)
            if error != 'five':
                self.make_due()
        failure, = self.store.failures()
        self.assertEqual(
            (5, 'five'), (failure['attempts'], failure['error']))

    @gocept.filestore.tests.case.slow
    def test_death(self):
        self.put('new', 'a')
        for _ in range(5):
            self.assertEqual('a', self.kill_worker())
        self.assertIsNone(self.store.claim())
        failure, = self.store.failures()
        self.assertEqual((5, gocept.filestore.retry.attempt.DIED),
                         (failure['attempts'], failure['error']))

    def test_that_are_wanted(self):
        for name in ('a', 'b', 'c'):
            self.give_up(name)
        [failure] = self.store.failures('b'.__eq__)
        self.assertEqual('b', failure['filename'])

    def test_moved_by_hand(self):
        self.put('failed', 'a')
        failure, = self.store.failures()
        self.assertEqual((0, None), (failure['attempts'], failure['error']))

    def test_moved_by_hand_while_it_waited(self):
        self.wait_for()
        (self.path / 'failed').mkdir()
        os.rename(self.path / 'work' / 'a', self.path / 'failed' / 'a')
        failure, = self.store.failures()
        self.assertEqual(
            (1, 'no paper'), (failure['attempts'], failure['error']))

    def test_only_files(self):
        self.give_up()
        failed = self.path / 'failed'
        (failed / 'b').mkdir()
        (failed / 'c').symlink_to('a')
        os.mkfifo(failed / 'd')
        (failed / '.nfs0001').write_text('')
        self.assertEqual(['a'], self.names())

    def test_clock_that_jumps(self):
        self.give_up()
        for self.clock in (0, 10 ** 11):
            failure, = gocept.filestore.retry.failed.failures(self.attempts)
            self.assertEqual(
                self.clock == 0, failure['age'] == 0, failure['age'])

    @gocept.filestore.tests.case.slow
    def test_while_they_come_and_go(self):
        child = self.child()
        child.send('import gocept.filestore, os\n'
                   'while not os.path.exists(store.path + "/tmp/end"):\n'
                   '    with store.publish("a"):\n'
                   '        pass\n'
                   '    store.claim().fail(gocept.filestore.Reject("no"))\n'
                   '    store.retry("a")\n'
                   '    store.claim().finish()\n'
                   'answer = "done"')
        errors = set()
        while 'Reject: no' not in errors:
            errors |= {failure['error'] for failure in self.store.failures()}
        self.put('tmp', 'end')
        self.assertEqual('done', child.answer())
        self.assertLessEqual(errors, {'Reject: no', None})


class Race(FailedCase):
    """Several processes put files back, or fail them, at once."""

    def race(self, source, count=3):
        children = [self.child() for _ in range(count)]
        for child in children:
            child.send('names = %r\n' % self.names + source)
        return [child.answer() for child in children]

    names = [str(number) for number in range(200)]

    def check_once(self, answers):
        told = [name for answer in answers for name in answer]
        self.assertEqual(sorted(self.names), sorted(told))
        self.assertEqual(sorted(self.names), self.tree()['new'])
        worked_on = self.work_on()
        self.assertEqual([(name, 1) for name in sorted(self.names)],
                         sorted(worked_on))
        self.assertEqual({'cur': sorted(self.names)}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_exactly_one_puts_it_back(self):
        for name in self.names:
            self.put('new', name)
        for claim in self.store.claims():
            claim.fail(NO_PAPER)
        self.check_once(self.race(PUT_BACK))

    @gocept.filestore.tests.case.slow
    def test_exactly_one_puts_back_what_waits(self):
        for name in self.names:
            self.put('new', name)
        for claim in self.store.claims():
            claim.fail('no paper')
        self.check_once(self.race(PUT_BACK))

    @gocept.filestore.tests.case.slow
    def test_put_back_while_it_is_worked_on(self):
        # Each file fails, is put back and is done, by different processes.
        for name in self.names:
            self.put('new', name)
        fixer = self.child()
        fixer.send('names = %r\n' % self.names + FIX)
        worker = self.child()
        worker.send(FAIL_TWICE)
        for claim_of in (worker, fixer):
            self.assertEqual(200, claim_of.answer())
        self.assertEqual({'cur': sorted(self.names)}, self.tree())


PUT_BACK = """
answer = []
for name in names:
    try:
        store.retry(name)
    except FileNotFoundError:
        continue
    answer.append(name)
"""

# Until each name was put back twice.
FIX = """
import collections, time
counts = collections.Counter()
deadline = time.monotonic() + 60
while sum(counts.values()) < 2 * len(names) and time.monotonic() < deadline:
    for path in [*store.list('failed'), *store.list('work')]:
        try:
            store.retry(path)
        except FileNotFoundError:
            continue
        counts[path.rpartition('/')[2]] += 1
answer = len([name for name in names if counts[name] == 2])
"""

# Each file is given up, then has to wait, then is done.
FAIL_TWICE = """
import collections, gocept.filestore, time
counts = collections.Counter()
answer = 0
deadline = time.monotonic() + 60
while answer < 200 and time.monotonic() < deadline:
    for claim in store.claims():
        assert claim.attempt == 1, claim
        counts[claim.filename] += 1
        if counts[claim.filename] == 1:
            claim.fail(gocept.filestore.Reject('no paper'))
        elif counts[claim.filename] == 2:
            claim.fail('no ink')
        else:
            claim.finish()
            answer += 1
"""


class HalfDone(FailedCase):
    """A crash has left a file two names; the file system has no renameat2."""

    variant = 'by_link'

    def twins(self, first, second):
        (self.path / second).mkdir(exist_ok=True)
        os.link(self.path / first / 'a', self.path / second / 'a')

    def check_done(self):
        self.assertEqual([('a', 1)], self.work_on())
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_put_back(self):
        self.give_up()
        self.twins('failed', 'new')
        self.check_done()

    def test_put_back_from_its_number(self):
        self.give_up()
        os.rename(self.path / 'failed' / 'a', self.path / 'failed' / 'a.~1~')
        os.link(self.path / 'failed' / 'a.~1~', self.path / 'new' / 'a')
        self.check_done()

    def test_put_back_while_it_waits(self):
        self.wait_for()
        self.twins('work', 'new')
        self.check_done()

    def test_put_back_while_it_waits_and_another_waits(self):
        self.wait_for('b')
        self.wait_for()
        self.twins('work', 'new')
        self.assertEqual([('a', 1)], self.work_on())
        self.assertEqual({'cur': ['a'], 'work': ['b'], 'attempts': ['b']},
                         self.tree())

    def test_second_name_elsewhere(self):
        self.put('new', 'a')
        os.link(self.path / 'new' / 'a', self.directory / 'elsewhere')
        self.put('failed', 'b')
        self.check_other()

    def check_other(self):
        self.assertEqual([('a', 1)], self.work_on())
        self.assertEqual({'cur': ['a'], 'failed': ['b']}, self.tree())


class Kept(FailedCase):
    """The lock of a file in `failed` is somebody else's for a moment."""

    @gocept.filestore.tests.case.slow
    def test_waits(self):
        self.give_up()
        child = self.child()
        child.run('import gocept.filestore.disk.lock as lock\n'
                  'held = lock.hold(store._layout["failed"], "a")')
        child.send('import time; time.sleep(.2); held.release()')
        begin = time.monotonic()
        self.store.retry('a')
        self.assertGreater(time.monotonic(), begin + .1)
        self.assertEqual(['a'], self.tree()['new'])
