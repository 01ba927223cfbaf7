import gocept.filestore
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import gocept.filestore.retry.tests.test_attempt
import math
import pickle
import unittest
import zope.interface.verify


Policy = gocept.filestore.retry.policy.RetryPolicy
Reject = gocept.filestore.interfaces.Reject
Retry = gocept.filestore.interfaces.Retry


class Delays(unittest.TestCase):

    def delays(self, *numbers, random=lambda: 0, **options):
        policy = Policy(**options)
        return [policy.delay(number, 'error', random) for number in numbers]

    def test_by_default(self):
        self.assertEqual(
            [60, 120, 240, 480, None, None], self.delays(*range(1, 7)))

    def test_longest(self):
        self.assertEqual(
            [960, 1920, 3600, 3600, 3600],
            self.delays(5, 6, 7, 8, 98, attempts=99))
        self.assertEqual(
            [7, 10, 10], self.delays(1, 2, 3, first=7, longest=10))
        self.assertEqual([7200, 7200], self.delays(1, 2, first=7200))

    def test_one_attempt(self):
        self.assertEqual([None], self.delays(1, attempts=1))

    def test_no_delay(self):
        self.assertEqual([0] * 4 + [None], self.delays(*range(1, 6), first=0))

    def test_numbers_without_end(self):
        for first in (60, .5):
            self.assertEqual([3600], self.delays(
                10 ** 9, attempts=math.inf, first=first))
        self.assertEqual(
            [1e308],
            self.delays(99, attempts=100, first=1e300, longest=1e308))

    def test_jitter_shortens(self):
        for random, delay in ((0, 60), (.5, 57), (1, 54)):
            self.assertEqual(
                [delay], self.delays(1, random=lambda random=random: random))
        self.assertEqual(
            [0], self.delays(1, random=lambda: 1, jitter=1))

    def test_jitter_by_chance(self):
        delays = {Policy().delay(1, 'error') for _ in range(100)}
        self.assertGreater(len(delays), 10)
        self.assertLessEqual(max(delays), 60)
        self.assertGreaterEqual(min(delays), 54)

    def test_what_makes_no_sense(self):
        for options in (
                {'attempts': 0}, {'attempts': -1},
                {'first': -1}, {'first': 61, 'longest': 60},
                {'longest': math.inf}, {'first': math.nan},
                {'longest': math.nan}, {'jitter': -.1}, {'jitter': 1.1},
                {'jitter': math.nan}):
            with self.subTest(options), self.assertRaises(
                    ValueError) as raised:
                Policy(**options)
            value = list(options.values())[0]
            self.assertIn(repr(value), str(raised.exception))

    def test_contract(self):
        self.assertTrue(zope.interface.verify.verifyObject(
            gocept.filestore.interfaces.IRetryPolicy, Policy()))


class Exceptions(unittest.TestCase):

    def test_retry(self):
        for after in (0, .5, 300, 10 ** 6):
            self.assertEqual(after, Retry(after).after)
        self.assertEqual(
            'to be tried again after 300 seconds', str(Retry(after=300)))
        self.assertIsNone(Retry().after)
        self.assertEqual('to be tried again', str(Retry()))

    def test_delay_that_makes_no_sense(self):
        for after in (-1, -.1, math.inf, -math.inf, math.nan):
            with self.assertRaises(ValueError) as raised:
                Retry(after)
            self.assertIn(repr(after), str(raised.exception))
        with self.assertRaises(TypeError):
            Retry('soon')

    def test_reject(self):
        self.assertEqual('not an order', str(Reject('not an order')))

    def test_pickle(self):
        # As concurrent.futures does with what a worker raises.
        for error in (Retry(300), Retry(), Reject('not an order')):
            copied = pickle.loads(pickle.dumps(error))
            self.assertIs(type(error), type(copied))
            self.assertEqual(str(error), str(copied))
        self.assertEqual(300, pickle.loads(pickle.dumps(Retry(300))).after)

    def test_public(self):
        self.assertIs(Retry, gocept.filestore.Retry)
        self.assertIs(Reject, gocept.filestore.Reject)
        self.assertIs(Policy, gocept.filestore.RetryPolicy)


class Due(unittest.TestCase):

    def due(self, error, attempt=1):
        return gocept.filestore.retry.policy.due(
            Policy(attempts=3, jitter=0), attempt, error, 1000)

    def test_policy(self):
        self.assertEqual(
            [1060, 1120, None],
            [self.due('error', attempt) for attempt in (1, 2, 3)])

    def test_retry(self):
        self.assertEqual(1300, self.due(Retry(300)))
        self.assertEqual(1000, self.due(Retry(0)))
        self.assertEqual(1060, self.due(Retry()))
        self.assertIsNone(self.due(Retry(300), 3))

    def test_reject(self):
        self.assertIsNone(self.due(Reject('not an order')))

    def test_own_classes(self):
        class Later(Retry):
            def __init__(self, reason):
                Exception.__init__(self, reason)

        class Never(Reject):
            pass

        self.assertEqual(1060, self.due(Later('no paper')))
        self.assertIsNone(self.due(Never()))

    def test_another_error_with_such_an_attribute(self):
        error = ValueError('no paper')
        error.after = 300
        self.assertEqual(1060, self.due(error))

    def test_no_policy_is_asked_about_what_is_rejected(self):
        self.assertIsNone(gocept.filestore.retry.policy.due(
            None, 1, Reject('not an order'), 1000))


class Noting:
    """A policy that notes what it was asked."""

    def __init__(self, answer):
        self.asked = []
        self.answer = answer

    def delay(self, attempt, error):
        self.asked.append((attempt, error))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class PolicyOfOurs(gocept.filestore.retry.tests.test_attempt.AttemptCase):

    def setUp(self):
        super().setUp()
        self.put('new', 'a')

    def open_noting(self, answer):
        policy = Noting(answer)
        return policy, self.open_store(retry_policy=policy)

    def test_attribute(self):
        policy, store = self.open_noting(0)
        self.assertIs(policy, store.retry_policy)
        self.assertEqual(5, self.store.retry_policy.attempts)
        self.assertEqual(60, self.store.retry_policy.first)

    def test_gets_number_and_error(self):
        policy, store = self.open_noting(0)
        error = ValueError('no paper')
        store.claim().fail(error)
        store.claim().fail('no ink')
        self.assertEqual([(1, error), (2, 'no ink')], policy.asked)

    def test_gets_none_for_a_death(self):
        policy, store = self.open_noting(3600)
        self.kill_worker()
        claim = store.claim()
        self.assertEqual([(1, None)], policy.asked)
        self.assertEqual(2, claim.attempt)  # although 3600 is the delay
        claim.finish()

    def test_gives_up(self):
        policy, store = self.open_noting(None)
        store.claim().fail('no paper')
        self.assertEqual({'failed': ['a'], 'attempts': ['a']}, self.tree())

    def test_error_of_fail(self):
        policy, store = self.open_noting(ZeroDivisionError())
        claim = store.claim()
        with self.assertRaises(ZeroDivisionError):
            claim.fail('no paper')
        self.assertEqual({'work': ['a']}, self.tree())
        self.assertIsNone(self.store.claim())
        claim.finish()
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_error_of_a_claim(self):
        policy, store = self.open_noting(ZeroDivisionError())
        self.kill_worker()
        for _ in range(2):
            with self.assertRaises(ZeroDivisionError):
                store.claim()
        self.assertEqual({'work': ['a']}, self.tree())
        claim = self.store.claim()
        self.assertEqual(2, claim.attempt)
        claim.finish()

    def test_goes_with_the_store(self):
        store = self.open_store(retry_policy=Policy(attempts=7, first=1))
        copied = pickle.loads(pickle.dumps(store))
        self.assertEqual(7, copied.retry_policy.attempts)
        self.assertEqual(1, copied.retry_policy.first)


class InABlock(gocept.filestore.retry.tests.test_attempt.AttemptCase):

    def setUp(self):
        super().setUp()
        self.put('new', 'a')
        self.store = self.open_store(retry_policy=self.policy)

    def failed(self, error, cause=None):
        with self.assertRaises(type(error)), self.store.claim():
            raise error from cause
        return self.events()[-1]

    def delay(self, event):
        timestamp = gocept.filestore.retry.attempt.timestamp
        return round(timestamp(event['due']) - timestamp(event['time']), 1)

    def test_any_exception(self):
        self.assertEqual(60, self.delay(self.failed(ValueError('no paper'))))
        self.assertEqual({'work': ['a'], 'attempts': ['a']}, self.tree())

    def test_retry(self):
        event = self.failed(Retry(after=300), ConnectionError('no route'))
        self.assertEqual(300, self.delay(event))
        self.assertIn('ConnectionError: no route', event['traceback'])

    def test_retry_at_once(self):
        for _ in range(4):
            self.assertEqual(0, self.delay(self.failed(Retry(after=0))))
        self.assertIsNone(self.failed(Retry(after=0))['due'])
        self.assertEqual(['a'], self.tree()['failed'])

    def test_reject(self):
        event = self.failed(Reject('not an order'), ValueError('no root'))
        self.assertIsNone(event['due'])
        self.assertIn('ValueError: no root', event['traceback'])
        self.assertEqual({'failed': ['a'], 'attempts': ['a']}, self.tree())

    def test_reject_as_a_cause_is_none(self):
        event = self.failed(ValueError('no paper'), Reject('not an order'))
        self.assertEqual(60, self.delay(event))


class Pauses(unittest.TestCase):

    def setUp(self):
        self.time = 0
        self.pauses = gocept.filestore.retry.policy.Pauses()
        self.pauses.now = lambda: self.time

    def test_grow(self):
        ends = []
        for _ in range(9):
            self.pauses.begin('a')
            begin = self.time
            while self.pauses.is_on('a'):
                self.time += 1
            ends.append(self.time - begin)
        self.assertEqual([1, 2, 4, 8, 16, 32, 60, 60, 60], ends)
        self.assertFalse(self.pauses.is_on('b'))

    def test_begin_anew_after_an_hour(self):
        self.assertEqual(
            [1, 2], [self.pauses.begin('a') for _ in range(2)])
        self.time = 3603
        self.assertEqual(1, self.pauses.begin('a'))

    def test_what_is_forgotten_takes_no_room(self):
        for name in range(1000):
            self.pauses.begin(name)
        self.time = 3602
        for name in range(1000, 2500):
            self.pauses.begin(name)
        self.assertEqual(1500, len(self.pauses))

    def test_what_is_not_forgotten_yet_stays(self):
        for self.time, names in ((0, range(999)), (2, ['a']), (3602, ['b'])):
            for name in names:
                self.pauses.begin(name)
        self.assertEqual({'a', 'b'}, self.pauses.keys())
        self.assertEqual(2, self.pauses.begin('a'))

    def test_each_error_is_told_once(self):
        errors = [OSError('a'), OSError('a'), OSError('b')]
        for error in errors:
            self.pauses.append(error)
        self.assertEqual([errors[0], errors[2]], self.pauses.errors)
        self.pauses.tell(object())
        with self.assertRaisesRegex(OSError, 'a'):
            self.pauses.tell(None)
        self.assertFalse(self.pauses.errors)
