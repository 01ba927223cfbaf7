import datetime
import gocept.filestore.batch.intent
import gocept.filestore.disk.layout
import gocept.filestore.disk.name
import gocept.filestore.interfaces
import gocept.filestore.retry.attempt
import gocept.filestore.retry.policy
import gocept.filestore.tests.case
import json
import os
import time
import types


NOON = 1_795_435_200  # 2026-11-23T12:00:00+00:00


def status(inode, written=NOON - 60):
    return types.SimpleNamespace(
        st_ino=inode, st_mtime=written, st_mtime_ns=int(written * 1e9))


class Unspeakable(Exception):
    def __str__(self):
        raise ValueError('no words')


class Untouchable(Exception):
    @property
    def __cause__(self):
        raise ValueError('no reason')


def endless(number):
    return again(number + 1)


def again(number):
    return endless(number)


def raised(function, *args):
    try:
        function(*args)
    except Exception as error:
        return error


def circle():
    first, second = ValueError('first'), ValueError('second')
    first.__cause__, second.__cause__ = second, first
    return first


def chain(length):
    last = None
    for number in range(length):
        error = ValueError(number)
        error.__cause__, last = last, error
    return last


class AttemptCase(gocept.filestore.tests.case.Case):
    """What the tests of attempts have in common; the clock is ours."""

    policy = gocept.filestore.retry.policy.RetryPolicy(jitter=0)
    durable = False
    file_mode = None

    def setUp(self):
        super().setUp()
        self.clock = NOON
        self.layout = gocept.filestore.disk.layout.Layout(
            str(self.path), self.durable, self.file_mode,
            clock=lambda: self.clock, now=self.now)
        self.attempts = self.attempts_with(self.policy)
        self.intents = gocept.filestore.batch.intent.Intents(self.layout)

    def now(self):
        return time.monotonic()

    def attempts_with(self, policy):
        return gocept.filestore.retry.attempt.Attempts(
            self.layout, policy)

    def events(self, name='a'):
        """Return what is written down, as it is on the disk."""
        try:
            lines = (self.path / 'attempts' / name).read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def kinds(self, name='a'):
        return [event['event'] for event in self.events(name)]

    def write(self, name, *events, inode=1):
        """Write events by hand."""
        lines = [json.dumps({'time': '', 'inode': inode, **event})
                 for event in events]
        self.put('attempts', name, '\n'.join([*lines, '']))

    def make_due(self, name='a', due='2001-01-01T00:00:00+00:00'):
        """Let the next attempt of a file be due, by hand."""
        events = self.events(name)
        events[-1]['due'] = due
        self.write(name, *events)

    def kill_worker(self):
        """Let a process die with a claim; return the name of its file."""
        child = self.child()
        name = child.run('claim = store.claim()\n'
                         'answer = claim and claim.filename')
        child.kill()
        return name

    def history(self, inode=1, name='a'):
        return self.attempts.history(name, inode)

    def resume(self, inode=1, name='a'):
        return self.attempts.resume(name, inode, self.history(inode, name))

    def due(self):
        return [event.get('due') for event in self.events()]


class Facts(AttemptCase):

    def common(self, event):
        return {'event': event,
                'time': '2026-11-23T12:00:00+00:00',
                'host': os.uname().nodename,
                'process': os.getpid(),
                'inode': 7, 'changed': None,
                'place': self.store._layout.place()}

    def test_failed(self):
        self.attempts.fail('a', 7, 1, 'no paper')
        self.assertEqual(
            [{**self.common('failed'), 'error': 'no paper',
              'due': '2026-11-23T12:01:00+00:00'}], self.events())

    def test_given_up(self):
        self.attempts.fail('a', 7, 5, 'no paper')
        self.assertEqual(
            [{**self.common('failed'), 'error': 'no paper', 'due': None}],
            self.events())

    def test_died(self):
        self.resume(7)
        self.assertEqual(
            [{**self.common('died'),
              'error': gocept.filestore.retry.attempt.DIED,
              'due': '2026-11-23T12:00:00+00:00'}], self.events())

    def test_others(self):
        for verb, event in (('release', 'released'), ('put_back', 'retried')):
            getattr(self.attempts, verb)(event, 7)
            self.assertEqual([self.common(event)], self.events(event))

    def test_resumed(self):
        self.attempts.fail('a', 7, 1, 'no paper')
        self.resume(7)
        self.assertEqual(self.common('resumed'), self.events()[-1])

    def test_time_of_now(self):
        attempts = gocept.filestore.retry.attempt.Attempts(
            self.store._layout, self.policy)
        before = datetime.datetime.now(datetime.UTC)
        attempts.put_back('a', 7)
        time = datetime.datetime.fromisoformat(self.events()[0]['time'])
        self.assertLessEqual(before, time)
        self.assertLessEqual(time, datetime.datetime.now(datetime.UTC))

    def test_exception(self):
        try:
            raise ValueError('no such\nthing \udcff')
        except ValueError as error:
            self.attempts.fail('a', 7, 1, error)
        event, = self.events()
        self.assertEqual('ValueError: no such\nthing \udcff', event['error'])
        self.assertIn('test_attempt.py', event['traceback'])
        self.assertIn('raise ValueError', event['traceback'])

    def test_reason_of_an_exception(self):
        try:
            try:
                raise ConnectionError('no route to host')
            except ConnectionError as error:
                raise gocept.filestore.interfaces.Retry(300) from error
        except gocept.filestore.interfaces.Retry as error:
            self.attempts.fail('a', 7, 1, error)
        event, = self.events()
        self.assertEqual(
            'Retry: to be tried again after 300 seconds', event['error'])
        self.assertIn('no route to host', event['traceback'])
        self.assertEqual('2026-11-23T12:05:00+00:00', event['due'])

    def test_exception_that_was_never_raised(self):
        self.attempts.fail('a', 7, 1, ValueError('no paper'))
        event, = self.events()
        self.assertEqual('ValueError: no paper', event['error'])
        self.assertEqual('ValueError: no paper\n', event['traceback'])

    def test_that_is_too_long(self):
        self.attempts.fail('a', 1, 1, 'y' * 5001 + 'x' * 29 + 'y' * 5001)
        event, = self.events()
        self.assertEqual(
            'y' * 5000 + '... 31 characters left out ...' + 'y' * 5000,
            event['error'])

    def test_that_is_odd(self):
        group = ExceptionGroup('many', [ValueError()] * 10000)
        for error, sentence, most in [
                (ValueError('x' * 10 ** 6),
                 '... 990012 characters left out ...', 21000),
                (raised(endless, 0), 'maximum recursion depth', 21000),
                (group, 'many (10000 sub-exceptions)', 3000),
                (chain(3000), 'ValueError: 2999', 11000),
                (circle(), 'ValueError: first', 1000),
                (Unspeakable(), 'Unspeakable: <exception str() failed>', 1000),
                (Untouchable(), 'Untouchable', 1000)]:
            with self.subTest(sentence):
                self.attempts.fail('a', 1, 1, error)
                event = self.events()[-1]
                self.assertTrue(sentence in event['error'])
                self.assertLess(len(json.dumps(event)), most)

    def test_that_was_written_down_by_an_older_release(self):
        self.write('a', {'event': 'failed', 'error': 'x' * 10 ** 6})
        self.assertEqual('... 990000 characters left out ...',
                         self.history().error.strip('x'))

    def test_exception_that_can_not_say_what_it_is(self):
        class Broken(Exception):

            def __str__(self):
                raise ZeroDivisionError

        self.attempts.fail('a', 7, 1, Broken())
        self.assertIn('Broken: <', self.events()[0]['error'])

    def test_something_else(self):
        self.attempts.fail('a', 7, 1, 17)
        self.assertEqual('17', self.events()[0]['error'])


class Due(AttemptCase):

    policy = gocept.filestore.retry.policy.RetryPolicy(attempts=9, jitter=0)

    def test_follows_the_policy(self):
        for number in range(1, 10):
            due = self.attempts.fail('a', 1, number, 'no paper')
            self.assertEqual(number == 9, due is None)
        self.assertEqual(
            [60, 120, 240, 480, 960, 1920, 3600, 3600, None],
            [event['due'] and self.seconds(event) for event in self.events()])

    def seconds(self, event):
        return gocept.filestore.retry.attempt.timestamp(event['due']) - NOON

    def test_counts_from_the_end_of_the_attempt(self):
        self.attempts.fail('a', 1, 1, 'no paper')
        self.clock += 1000.5
        self.attempts.fail('a', 1, 2, 'no paper')
        self.assertEqual(['2026-11-23T12:01:00+00:00',
                          '2026-11-23T12:18:40.500000+00:00'], self.due())

    def test_retry(self):
        retry = gocept.filestore.interfaces.Retry
        for error in (retry(0), retry(0.5), retry(300), retry()):
            self.assertIsNotNone(self.attempts.fail('a', 1, 1, error))
        self.assertEqual(
            [0, 0.5, 300, 60], list(map(self.seconds, self.events())))

    def test_retry_after_the_last_attempt(self):
        error = gocept.filestore.interfaces.Retry(300)
        self.assertIsNone(self.attempts.fail('a', 1, 9, error))
        self.assertEqual([None], self.due())

    def test_reject(self):
        error = gocept.filestore.interfaces.Reject('not an order')
        self.assertIsNone(self.attempts.fail('a', 1, 1, error))
        self.assertEqual([None], self.due())
        self.assertEqual('Reject: not an order', self.events()[0]['error'])

    def test_after_the_end_of_the_calendar(self):
        for seconds in (1e12, 1e300):
            error = gocept.filestore.interfaces.Retry(seconds)
            self.attempts.fail('a', 1, 1, error)
            self.assertTrue(self.history().is_waiting)
            self.assertGreater(self.history().due, 2 * 10 ** 11)

    def test_clock_that_jumps(self):
        self.attempts.fail('a', 1, 1, 'no paper')
        self.clock -= 10 ** 9
        self.attempts.fail('a', 1, 2, 'no paper')
        self.assertEqual(self.clock + 120, self.history().due)
        self.assertEqual(2, self.history().attempts)


class Begin(AttemptCase):
    """A file of `new` is claimed."""

    def begin(self, inode=1):
        return self.attempts.begin('a', status(inode))

    def test_file_that_is_newer_than_the_events_of_its_inode(self):
        for _ in range(4):
            self.resume()
        self.assertEqual(1, self.attempts.begin('a', status(1, NOON + 1)))
        self.assertEqual([], self.events())

    def test_clock_that_was_late(self):
        # What is written down seems to be older than the file, and is not.
        path = self.put('new', 'a')
        found = os.stat(path)
        self.clock = 1
        self.resume(found.st_ino)
        self.assertEqual(2, self.attempts.begin('a', found))
        os.utime(path, (0, found.st_mtime + 1))
        self.assertEqual(1, self.attempts.begin('a', os.stat(path)))

    def test_first_one(self):
        self.assertEqual(1, self.begin())
        self.assertEqual([], self.events())

    def test_put_back_while_it_waits(self):
        self.attempts.fail('a', 1, 1, 'no paper')
        self.attempts.fail('a', 1, 2, 'no paper')
        self.assertEqual(1, self.begin())
        self.assertEqual('retried', self.kinds()[-1])
        self.assertEqual(0, self.history().attempts)

    def test_put_back_after_it_was_given_up(self):
        for error, last in (('no paper', 5), ('no ink', 5)):
            self.attempts.fail('a', 1, last, error)
            self.assertEqual(1, self.begin())
        self.assertEqual(['failed', 'retried'] * 2, self.kinds())

    def test_put_back_after_it_has_killed_its_workers(self):
        for _ in range(5):
            number = self.resume()
        self.assertIsNone(number)
        self.assertEqual(1, self.begin())

    def test_given_back_after_a_death(self):
        self.resume()
        self.assertEqual(2, self.begin())
        self.assertEqual(['died'], self.kinds())

    def test_given_back_after_another_attempt(self):
        self.attempts.fail('a', 1, 1, 'no paper')
        self.resume()
        self.assertEqual(2, self.begin())
        self.assertEqual(['failed', 'resumed'], self.kinds())

    def test_another_file_of_the_name(self):
        self.attempts.fail('a', 1, 5, 'no paper')
        self.assertEqual(1, self.begin(2))
        self.assertEqual(['failed'], self.kinds())

    def test_reused_inode(self):
        # An older file waited, or had failed, when it was removed by hand.
        self.attempts.fail('a', 1, 4, 'no paper')
        self.assertEqual(1, self.begin())
        self.attempts.fail('a', 1, 1, 'no paper')
        self.assertEqual(1, self.history().attempts)


class Resume(AttemptCase):
    """A file of `work` is taken over."""

    def test_each_death_counts_until_the_last(self):
        self.assertEqual(
            [2, 3, 4, 5, None], [self.resume() for _ in range(5)])
        self.assertEqual(['died'] * 5, self.kinds())
        self.assertEqual([True] * 4 + [False], list(map(bool, self.due())))

    def test_the_last_one_is_written_down_once(self):
        for _ in range(8):
            number = self.resume()
        self.assertIsNone(number)
        self.assertEqual(['died'] * 5, self.kinds())

    def test_only_one_attempt(self):
        self.attempts = self.attempts_with(
            gocept.filestore.retry.policy.RetryPolicy(attempts=1))
        self.assertIsNone(self.resume())
        self.assertEqual(['died'], self.kinds())

    def test_given_up_and_not_moved(self):
        # Its process has died in between.
        self.attempts.fail('a', 1, 5, 'no paper')
        self.assertIsNone(self.resume())
        self.assertEqual(['failed'], self.kinds())

    def test_release_does_not_count(self):
        self.attempts.release('a', 1)
        self.assertEqual(1, self.resume())
        self.assertEqual(2, self.resume())
        self.attempts.release('a', 1)
        self.assertEqual(2, self.resume())
        self.assertEqual(
            ['released', 'resumed', 'died', 'released', 'resumed'],
            self.kinds())

    def test_death_after_another_attempt_counts(self):
        self.attempts.fail('a', 1, 1, 'no paper')
        self.assertEqual(2, self.resume())
        self.assertEqual(3, self.resume())
        self.assertEqual(['failed', 'resumed', 'died'], self.kinds())

    def test_mixture(self):
        self.attempts.fail('a', 1, 1, 'no paper')
        self.assertEqual(2, self.resume())
        self.assertEqual(3, self.resume())  # the second one has died
        self.attempts.release('a', 1)
        self.assertEqual(3, self.resume())
        self.attempts.fail('a', 1, 3, 'no ink')
        self.assertEqual(4, self.resume())
        self.assertEqual(5, self.resume())  # the fourth one has died
        self.assertIsNone(self.attempts.fail('a', 1, 5, 'no power'))
        history = self.history()
        self.assertEqual((5, 'no power'), (history.attempts, history.error))
        self.assertTrue(history.is_given_up)

    def test_death_of_one_that_was_put_back(self):
        self.attempts.fail('a', 1, 5, 'no paper')
        self.assertEqual(1, self.attempts.begin('a', status(1)))
        self.assertEqual(2, self.resume())

    def test_policy_that_gives_up_after_a_death(self):
        class Timid:
            def delay(self, attempt, error):
                return None if error is None else 60

        self.attempts = self.attempts_with(Timid())
        self.attempts.fail('a', 1, 1, 'no paper')
        self.assertEqual(2, self.resume())
        self.assertIsNone(self.resume())


class Inodes(AttemptCase):

    def test_told_apart(self):
        self.attempts.fail('a', 1, 5, 'no paper')
        self.attempts.fail('a', 2, 1, 'no ink')
        self.attempts.release('a', 2)
        self.assertTrue(self.history(1).is_given_up)
        self.assertEqual('no paper', self.history(1).error)
        self.assertEqual('no ink', self.history(2).error)
        self.assertEqual(0, self.history(3).attempts)

    def test_forget(self):
        self.attempts.fail('a', 1, 5, 'no paper')
        self.attempts.fail('a', 2, 1, 'no ink')
        self.attempts.forget('a', 1)
        self.assertEqual([2], [event['inode'] for event in self.events()])
        self.attempts.forget('a', 2)
        self.assertEqual({}, self.tree())

    def test_forgotten_one_begins_anew(self):
        self.attempts.fail('a', 1, 3, 'no paper')
        self.attempts.fail('a', 2, 1, 'no ink')
        self.attempts.forget('a', 1)
        self.assertEqual(2, self.resume(1))

    def test_forget_what_somebody_has_removed(self):
        # A person, or a cleaning job; the file itself is done all the same.
        self.attempts.forget('a', 1)
        self.attempts.fail('a', 1, 1, 'no paper')
        os.remove(self.path / 'attempts' / 'a')
        self.attempts.forget('a', 1)
        os.rmdir(self.path / 'attempts')
        self.attempts.forget('a', 1)


class NameOf(AttemptCase):
    """Under which name the events of a file in `failed` are written down."""

    def test_own_name(self):
        self.attempts.fail('a', 1, 5, 'no paper')
        self.assertEqual('a', self.attempts.name_of('a', 1))

    def test_without_its_number(self):
        self.attempts.fail('a', 1, 5, 'no paper')
        for name in ('a.~1~', 'a.~12~'):
            self.assertEqual('a', self.attempts.name_of(name, 1))

    def test_name_that_looks_like_a_number(self):
        self.attempts.fail('a', 1, 5, 'no paper')
        self.attempts.fail('a.~1~', 2, 5, 'no paper')
        self.assertEqual('a.~1~', self.attempts.name_of('a.~1~', 2))
        self.assertEqual('a.~1~', self.attempts.name_of('a.~1~.~1~', 2))

    def test_moved_by_hand(self):
        for name in ('a', 'a.~1~', 'x' * 251 + '.~1~'):
            self.assertEqual(name, self.attempts.name_of(name, 1))
        self.attempts.fail('a', 1, 5, 'no paper')
        self.assertEqual('a.~1~', self.attempts.name_of('a.~1~', 2))

    def test_name_that_was_cut(self):
        for inode, name in enumerate((
                'x' * 255, 'x' * 252, 'ä' * 127, 'y' * 254 + '\n',
                '\udcff' * 255)):
            self.attempts.fail(name, inode, 5, 'no paper')
            for number in (1, 10):
                backup = gocept.filestore.disk.name.backup(name, number)
                self.assertEqual(
                    name, self.attempts.name_of(backup, inode))

    def test_two_names_that_look_the_same_when_they_are_cut(self):
        names = ['x' * 254 + 'a', 'x' * 254 + 'b', 'x' * 253]
        for inode, name in enumerate(names):
            self.attempts.fail(name, inode, 5, 'no paper')
        for inode, name in enumerate(names):
            self.assertEqual(
                name, self.attempts.name_of('x' * 251 + '.~1~', inode))

    def test_name_that_only_begins_like_it(self):
        self.attempts.fail('abc', 1, 5, 'no paper')
        self.assertEqual('a.~1~', self.attempts.name_of('a.~1~', 1))


class ByHand(AttemptCase):
    """Somebody has changed the attempts file."""

    def test_spoilt_lines_do_not_count(self):
        self.attempts.fail('a', 1, 1, 'no paper')
        for line in (b'{"event": "di', b'\0' * 1000, b'\xff\xfe\x80', b'null',
                     b'17', b'[]', b'"event"', b'{}', b'{"inode": 1}', b'',
                     b'["event", "inode", "time"]', b'9' * 5000,
                     b'[' * 200_000):
            with open(self.path / 'attempts' / 'a', 'ab') as file:
                file.write(line + b'\n')
            self.assertEqual(1, self.history().attempts)
        self.assertEqual(2, self.resume())
        self.assertEqual(3, self.resume())
        self.assertEqual(2, self.history().attempts)

    def test_facts_of_another_kind(self):
        for events in (
                [{'event': []}], [{'event': {}}], [{'event': None}],
                [{'event': 'eaten'}], [{'event': 7, 'due': 8}]):
            self.write('a', *events)
            self.assertEqual(0, self.history().attempts)
            self.assertEqual(1, self.attempts.begin('a', status(1)))
            self.assertEqual(2, self.resume())

    def test_no_reason(self):
        self.write('a', {'event': 'failed'})
        history = self.history()
        self.assertEqual((1, None), (history.attempts, history.error))
        self.assertTrue(history.is_given_up)

    def test_other_inodes(self):
        for inode in ('1', None, [1], {}, 1.5):
            self.write('a', {'event': 'failed'}, inode=inode)
            self.assertEqual(0, self.history().attempts)
            self.attempts.forget('a', 1)
            self.assertEqual(1, len(self.events()))


class Durable(Facts):

    durable = True


class Mode(AttemptCase):

    file_mode = 0o664

    def test_exact(self):
        with self.umask(0o077):
            for _ in range(2):
                self.resume()
                self.assertMode(0o664, self.path / 'attempts' / 'a')
