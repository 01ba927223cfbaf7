import datetime
import gocept.filestore.attempt
import gocept.filestore.layout
import gocept.filestore.tests.case
import json
import os


class AttemptCase(gocept.filestore.tests.case.Case):

    durable = False
    file_mode = None

    def setUp(self):
        super().setUp()
        layout = gocept.filestore.layout.Layout(
            str(self.path), ('tmp', 'new', 'cur'), self.durable, None, False)
        self.attempts = gocept.filestore.attempt.Attempts(
            layout, self.file_mode)

    def events(self, inode=1):
        return [event['event'] for event in self.attempts.events('a', inode)]

    def append(self, data):
        with open(self.path / 'attempts' / 'a', 'ab') as file:
            file.write(data)


class Events(AttemptCase):

    def test_none(self):
        self.assertEqual([], self.events())
        self.attempts.add('b', 1, 'released')
        self.assertEqual([], self.events())

    def test_oldest_first(self):
        for event in ('died', 'released', 'resumed'):
            self.attempts.add('a', 1, event)
        self.assertEqual(['died', 'released', 'resumed'], self.events())

    def test_facts(self):
        now = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
        self.attempts.add('a', 7, 'released', 'out of paper', now)
        event, = self.attempts.events('a', 7)
        self.assertEqual({
            'event': 'released',
            'time': '2026-11-23T00:00:00+00:00',
            'host': os.uname().nodename,
            'process': os.getpid(),
            'inode': 7,
            'error': 'out of paper'}, event)

    def test_time(self):
        before = datetime.datetime.now(datetime.UTC)
        self.attempts.add('a', 7, 'released')
        event, = self.attempts.events('a', 7)
        time = datetime.datetime.fromisoformat(event['time'])
        self.assertLessEqual(before, time)
        self.assertLessEqual(time, datetime.datetime.now(datetime.UTC))
        self.assertNotIn('error', event)

    def test_exception(self):
        try:
            raise ValueError('no such\nthing \udcff')
        except ValueError as error:
            self.attempts.add('a', 7, 'released', error)
        event, = self.attempts.events('a', 7)
        self.assertEqual('ValueError: no such\nthing \udcff', event['error'])
        self.assertIn('test_attempt.py', event['traceback'])

    def test_one_line_of_json_per_event(self):
        self.attempts.add('a', 1, 'released', 'two\nlines')
        self.attempts.add('a', 1, 'died')
        lines = self.read('attempts', 'a').splitlines()
        self.assertEqual(
            ['released', 'died'],
            [json.loads(line)['event'] for line in lines])


class Mode(AttemptCase):

    file_mode = 0o664

    def test_exact(self):
        with self.umask(0o077):
            self.attempts.add('a', 1, 'died')
        self.assertMode(0o664, self.path / 'attempts' / 'a')


class Durable(Events):

    durable = True


class Torn(AttemptCase):
    """What a full disk or a power cut leaves in the file."""

    def setUp(self):
        super().setUp()
        self.attempts.add('a', 1, 'died')

    def test_torn_line_is_passed_over(self):
        self.append(b'{"event": "di')
        self.assertEqual(['died'], self.events())

    def test_next_event_begins_a_line(self):
        self.append(b'{"event": "di')
        self.attempts.add('a', 1, 'released')
        self.assertEqual(['died', 'released'], self.events())

    def test_zeros(self):
        self.append(b'\0' * 1000)
        self.attempts.add('a', 1, 'released')
        self.assertEqual(['died', 'released'], self.events())

    def test_garbage(self):
        self.append(b'\xff\xfe\x80\n')
        self.attempts.add('a', 1, 'released')
        self.assertEqual(['died', 'released'], self.events())

    def test_json_of_another_kind(self):
        for line in (b'null', b'17', b'[]', b'"event"', b'{}',
                     b'{"inode": 1}'):
            self.append(line + b'\n')
        self.attempts.add('a', 1, 'released')
        self.assertEqual(['died', 'released'], self.events())

    def test_empty_file(self):
        (self.path / 'attempts' / 'a').write_bytes(b'')
        self.attempts.add('a', 1, 'released')
        self.assertEqual(['released'], self.events())
        self.assertTrue(self.read('attempts', 'a').startswith('{'))


class Inodes(AttemptCase):
    """Events of another file of the same name do not count."""

    def test_told_apart(self):
        self.attempts.add('a', 1, 'died')
        self.attempts.add('a', 2, 'released')
        self.assertEqual(['died'], self.events(1))
        self.assertEqual(['released'], self.events(2))
        self.assertEqual([], self.events(3))

    def test_forget_drops_the_file(self):
        self.attempts.add('a', 1, 'died')
        self.attempts.forget('a', 1)
        self.assertEqual({}, self.tree())
        self.assertEqual([], self.events())

    def test_forget_keeps_the_events_of_another(self):
        self.attempts.add('a', 1, 'died')
        self.attempts.add('a', 2, 'released')
        self.attempts.forget('a', 1)
        self.assertEqual(['released'], self.events(2))

    def test_forgotten_inode_begins_anew(self):
        self.attempts.add('a', 1, 'died')
        self.attempts.add('a', 2, 'released')
        self.attempts.forget('a', 1)
        self.assertEqual([], self.events(1))
        self.assertEqual(2, self.attempts.resume('a', 1))
        self.assertEqual(['died'], self.events(1))

    def test_forget_what_somebody_has_removed(self):
        # A person, or a cleaning job; the file itself is done all the same.
        self.attempts.add('a', 1, 'died')
        os.remove(self.path / 'attempts' / 'a')
        self.attempts.forget('a', 1)
        os.rmdir(self.path / 'attempts')
        self.attempts.forget('a', 1)


class Odd(AttemptCase):

    def test_list_with_the_names_of_facts(self):
        self.attempts.add('a', 1, 'died')
        with open(self.path / 'attempts' / 'a', 'a') as file:
            file.write('["event", "inode"]\n')
        self.assertEqual(3, self.attempts.resume('a', 1))


class Resume(AttemptCase):

    def test_each_death_counts(self):
        self.assertEqual(2, self.attempts.resume('a', 1))
        self.assertEqual(3, self.attempts.resume('a', 1))
        self.assertEqual(4, self.attempts.resume('a', 1))
        self.assertEqual(['died'] * 3, self.events())

    def test_release_does_not_count(self):
        self.attempts.add('a', 1, 'released')
        self.assertEqual(1, self.attempts.resume('a', 1))
        self.assertEqual(2, self.attempts.resume('a', 1))
        self.attempts.add('a', 1, 'released')
        self.assertEqual(2, self.attempts.resume('a', 1))
        self.assertEqual(
            ['released', 'resumed', 'died', 'released', 'resumed'],
            self.events())

    def test_given_up_and_tried_again_begins_anew(self):
        # Somebody moves it from `failed` to `new`; or removes it, and a new
        # file of that name gets its inode.
        for event in ('died', 'died', 'failed'):
            self.attempts.add('a', 1, event)
        self.assertEqual(2, self.attempts.resume('a', 1))
