import gocept.filestore.retry.attempt
import gocept.filestore.retry.policy
import gocept.filestore.tests.case
import json
import subprocess
import sys
import unittest


FAILED = {'event': 'failed', 'due': '2026-11-23T12:01:00+00:00',
          'error': 'no paper'}
GIVEN_UP = {'event': 'failed', 'due': None, 'error': 'no ink'}
DIED = {'event': 'died', 'due': '2026-11-23T12:00:00+00:00',
        'error': 'it has died'}
DIED_AT_LAST = {'event': 'died', 'due': None, 'error': 'it has died'}
RESUMED = {'event': 'resumed'}
RELEASED = {'event': 'released'}
RETRIED = {'event': 'retried'}


def history(*events):
    return gocept.filestore.retry.attempt.History(events)


class Told(gocept.filestore.tests.case.Case):

    def told(self, *events):
        return [(event['attempt'], event['event'])
                for event in history(*events).told()]

    def test_none(self):
        self.assertEqual([], self.told())

    def test_all_with_their_attempts(self):
        self.assertEqual(
            [(1, 'released'), (1, 'resumed'), (1, 'failed'), (2, 'resumed'),
             (2, 'died'), (3, 'failed'), (4, 'retried'), (1, 'failed')],
            self.told(RELEASED, RESUMED, FAILED, RESUMED, DIED, GIVEN_UP,
                      RETRIED, FAILED))

    def test_all_that_is_known(self):
        [event] = history({**FAILED, 'inode': 17, 'host': 'db1'}).told()
        self.assertEqual({
            **FAILED, 'attempt': 1, 'host': 'db1', 'process': None,
            'time': None, 'traceback': None}, event)


class Attempts(gocept.filestore.tests.case.Case):

    def test_none(self):
        self.assertEqual(0, history().attempts)
        self.assertEqual(0, history(RELEASED, RESUMED).attempts)

    def test_failures_and_deaths_count(self):
        self.assertEqual(
            4, history(FAILED, RESUMED, DIED, DIED, RELEASED, RESUMED,
                       GIVEN_UP).attempts)

    def test_begin_anew_when_it_was_put_back(self):
        before = FAILED, RESUMED, GIVEN_UP, RETRIED
        self.assertEqual(0, history(*before).attempts)
        self.assertEqual(1, history(*before, DIED).attempts)
        self.assertEqual(
            2, history(*before, DIED, RETRIED, FAILED, RESUMED,
                       FAILED).attempts)

    def test_events_of_any_kind_of_sequence(self):
        self.assertEqual(2, gocept.filestore.retry.attempt.History(
            iter([RETRIED, FAILED, FAILED])).attempts)

    def test_cost_does_not_explode(self):
        # One that is put back each hour for years.
        events = [FAILED, RESUMED, GIVEN_UP, RETRIED] * 200_000
        with self.no_blocking():
            self.assertEqual(1, history(*events, FAILED).attempts)


class Error(unittest.TestCase):

    def test_none(self):
        for events in ((), (RELEASED,), (FAILED, RETRIED)):
            self.assertIsNone(history(*events).error)

    def test_of_the_last_attempt(self):
        self.assertEqual('no paper', history(DIED, FAILED, RESUMED).error)
        self.assertEqual('no ink', history(FAILED, GIVEN_UP).error)
        self.assertEqual('it has died', history(FAILED, DIED_AT_LAST).error)

    def test_not_told(self):
        self.assertIsNone(history(FAILED, {'event': 'died'}).error)


class State(unittest.TestCase):

    def assertState(self, state, *events):
        found = history(*events)
        states = {'running': found.is_running, 'waiting': found.is_waiting,
                  'given up': found.is_given_up}
        self.assertEqual(state, {key for key in states if states[key]})

    def test_nothing_is_written_down_when_the_first_attempt_begins(self):
        self.assertState({'running'})

    def test_after_each_event(self):
        self.assertState({'waiting'}, FAILED)
        self.assertState({'given up'}, GIVEN_UP)
        self.assertState({'running'}, FAILED, RESUMED)
        self.assertState({'running'}, FAILED, RESUMED, DIED)
        self.assertState(set(), FAILED, RESUMED, RELEASED)
        self.assertState({'running'}, GIVEN_UP, RETRIED)

    def test_after_the_last_death(self):
        self.assertTrue(history(DIED, DIED_AT_LAST).is_given_up)

    def test_unknown_event(self):
        for event in ('eaten', None, 7, [], {}):
            self.assertState({'running'}, FAILED, {'event': event})


class Due(unittest.TestCase):

    def due(self, due):
        found = history({'event': 'failed', 'due': due})
        self.assertTrue(found.is_waiting)
        return found.due

    def test_clock_that_was_ahead(self):
        # Ten seconds are what the clock of another host may be.
        noon = 1_795_435_200
        for now, due in ((noon - 11, 0), (noon - 10, noon + 60)):
            found = gocept.filestore.retry.attempt.History([{
                'event': 'failed', 'time': '2026-11-23T12:00:00+00:00',
                'due': '2026-11-23T12:01:00+00:00'}], now)
            self.assertEqual(due, found.due)

    def test_when_nothing_waits(self):
        for events in ((), (GIVEN_UP,), (FAILED, RESUMED), (FAILED, RETRIED)):
            self.assertIsNone(history(*events).due)

    def test_seconds_since_the_epoch(self):
        self.assertEqual(1_795_435_260, history(FAILED).due)

    def test_other_forms(self):
        for due in ('2026-11-23T12:01:00Z', '2026-11-23 12:01+00:00',
                    '20261123T120100Z', '2026-11-23T13:01:00+01:00'):
            self.assertEqual(1_795_435_260, self.due(due))

    def test_without_a_zone_it_is_local_time(self):
        script = ('import gocept.filestore.retry.attempt as history\n'
                  'print(history.timestamp("2026-11-23T13:01"))')
        self.assertEqual(b'1795435260.0\n', subprocess.check_output(
            [sys.executable, '-c', script],
            env=gocept.filestore.tests.case.environment(TZ='CET-1')))

    def test_what_is_no_time_does_not_wait(self):
        for due in ('', 'soon', '12:01', 0, 17, -1, 1e99, True, [], {},
                    'now', '9999-99-99', '\udcff', '+999999999-01-01'):
            self.assertEqual(0, self.due(due), due)

    def test_ends_of_the_calendar(self):
        for due in ('0001-01-01', '0001-01-01T00:00+14:00',
                    '0001-01-01T00:00-14:00'):
            self.assertLessEqual(self.due(due), 0)
        for due in ('9999-12-31T23:59', '9999-12-31T23:59-14:00'):
            self.assertIn(self.due(due) // 10 ** 10, (0, 25))


class Written(unittest.TestCase):

    def test_is_read_again(self):
        written = gocept.filestore.retry.attempt.written
        for time in (0, 1_795_435_260, 1_795_435_260.5, 2 ** 31, 2 ** 33):
            self.assertEqual(
                time, gocept.filestore.retry.attempt.timestamp(written(time)))

    def test_form(self):
        self.assertEqual('2026-11-23T12:01:00+00:00',
                         gocept.filestore.retry.attempt.written(1_795_435_260))

    def test_no_time_is_after_the_last(self):
        for time in (253402300799, 253402300800, 1e15, 1e300):
            self.assertEqual('9999-12-31T23:59:59+00:00',
                             gocept.filestore.retry.attempt.written(time))


class Zone(gocept.filestore.tests.case.Case):

    @gocept.filestore.tests.case.slow
    def test_hosts_with_different_zones(self):
        # Files are due at one moment, wherever it is looked at.
        policy = gocept.filestore.retry.policy.RetryPolicy(jitter=0)
        self.put('new', 'a')
        self.open_store(retry_policy=policy).claim().fail('no paper')
        nexts = []
        for zone in ('UTC', 'EST5EDT', 'CET-1'):
            nexts.append(json.loads(subprocess.check_output(
                [sys.executable, '-c', NEXT, str(self.path)],
                env=gocept.filestore.tests.case.environment(TZ=zone))))
        self.assertEqual(sorted(nexts, reverse=True), nexts)
        self.assertLess(nexts[0], 60)
        self.assertGreater(nexts[-1], 0)


NEXT = """
import gocept.filestore, sys
store = gocept.filestore.FileStore(sys.argv[1])
print(store.status()['waiting']['next'])
"""
