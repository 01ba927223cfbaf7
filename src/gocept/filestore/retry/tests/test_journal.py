import contextlib
import errno
import gocept.filestore.interfaces
import gocept.filestore.retry.journal
import gocept.filestore.retry.tests.test_attempt
import gocept.filestore.tests.case
import json
import os
import subprocess
import unittest
import unittest.mock


class JournalCase(gocept.filestore.retry.tests.test_attempt.AttemptCase):

    def setUp(self):
        super().setUp()
        self.journal = gocept.filestore.retry.journal.Journal(self.layout)

    def append(self, *kinds, name='a', inode=1):
        for kind in kinds:
            self.journal.append(
                name, {'event': kind, 'time': '', 'inode': inode})

    def found(self, name='a'):
        return [event['event'] for event in self.journal.read(name)]

    @property
    def file(self):
        return self.path / 'attempts' / 'a'


class Read(JournalCase):

    def test_none(self):
        self.assertEqual([], self.found())
        self.append('failed', name='b')
        self.assertEqual([], self.found())

    def test_in_order(self):
        self.append('failed', 'resumed', 'died')
        self.assertEqual(['failed', 'resumed', 'died'], self.found())

    def test_one_line_for_each_event(self):
        self.append('two\nlines', 'n\udcff\u2028\x00')
        self.assertEqual(2, self.file.read_bytes().count(b'\n'))
        self.assertTrue(self.file.read_bytes().isascii())
        self.assertEqual(['two\nlines', 'n\udcff\u2028\x00'], self.found())

    def test_odd_names(self):
        for name in ('a\nb', '\udcff', 'x' * 255, ' ', 'ä', '-', '~', '*'):
            self.append('failed', name=name)
            self.append('died', name=name)
            self.assertEqual(['failed', 'died'], self.found(name))
            self.assertIn(name, self.journal.names())
        self.assertEqual(8, len(self.tree()['attempts']))

    def test_replaced_by_another_host(self):
        # What JuiceFS and GlusterFS answer then, only once.
        self.append('failed')
        for number in (errno.EBADF, errno.ENOENT, errno.ESTALE):
            with unittest.mock.patch(
                    'gocept.filestore.retry.journal.events',
                    side_effect=[OSError(number, ''), [{'event': 'new'}]]):
                self.assertEqual(['new'], self.found())
        with self.assertRaises(OSError), unittest.mock.patch(
                'gocept.filestore.retry.journal.events',
                side_effect=[OSError(errno.EIO, '')]):
            self.found()
        self.assertEqual(['failed'], self.found())

    def test_names(self):
        self.assertEqual([], self.journal.names())


class Spoilt(JournalCase):
    """What a person, or another program, may leave in the file."""

    def test_line_without_an_end(self):
        self.append('failed')
        with open(self.file, 'ab') as file:
            file.write(b'{"event": "di')
        self.append('died')
        self.assertEqual(['failed', 'died'], self.found())
        self.assertIn(b'\n{"event": "di\n', self.file.read_bytes())

    def test_last_event_without_an_end(self):
        self.append('failed')
        self.file.write_bytes(self.file.read_bytes().rstrip())
        self.append('died')
        self.assertEqual(['failed', 'died'], self.found())

    def test_spoilt_lines_stay(self):
        self.append('failed')
        with open(self.file, 'ab') as file:
            file.write(b'\xff\xfe\nmind the paper!\n')
        self.append('died', inode=2)
        self.journal.drop('a', 1)
        self.assertEqual(['died'], self.found())
        self.assertIn(b'\nmind the paper!\n', self.file.read_bytes())

    def test_spoilt_lines_keep_the_file(self):
        self.append('failed')
        with open(self.file, 'ab') as file:
            file.write(b'mind the paper!\n')
        self.journal.drop('a', 1)
        self.assertEqual(b'mind the paper!\n', self.file.read_bytes())

    def test_empty_file(self):
        self.put('attempts', 'a', '')
        self.assertEqual([], self.found())
        self.append('failed')
        self.assertEqual(['failed'], self.found())

    def test_nothing_but_ends(self):
        self.put('attempts', 'a', '\n\r\n\n')
        self.append('failed')
        self.assertEqual(['failed'], self.found())

    @gocept.filestore.tests.case.slow
    def test_huge(self):
        self.append('failed')
        with open(self.file, 'ab') as file:
            file.write(b'{"event": "' + b'x' * 10 ** 7 + b'\n')
            file.write(b'mind the paper!\n' * 10 ** 5)
        with self.no_blocking():
            self.append('died')
            self.assertEqual(['failed', 'died'], self.found())


class Drop(JournalCase):

    def test_events_of_one_inode(self):
        self.append('failed')
        self.append('died', inode=2)
        self.journal.drop('a', 1)
        self.assertEqual(['died'], self.found())

    def test_last_ones(self):
        self.append('failed', 'died')
        self.journal.drop('a', 1)
        self.assertFalse(self.file.exists())
        self.assertEqual([], self.store.list('tmp'))

    def test_none(self):
        self.journal.drop('a', 1)
        self.append('failed')
        self.journal.drop('a', 2)
        self.journal.drop('b', 1)
        self.assertEqual(['failed'], self.found())
        self.assertEqual({'attempts': ['a']}, self.tree())


class InTheWay(JournalCase):
    """Something else has the name of an attempts file."""

    def setUp(self):
        super().setUp()
        self.outside = self.directory / 'outside'
        self.outside.write_text('{"event": "died", "time": "", "inode": 1}')

    def check_refused(self):
        for call in (lambda: self.append('failed'), self.found,
                     lambda: self.journal.drop('a', 1)):
            with self.no_blocking(), self.assertRaises(
                    gocept.filestore.interfaces.NotRegular) as raised:
                call()
            self.assertEqual('a', raised.exception.filename)
            self.assertIn('attempts', raised.exception.reason)
        self.assertEqual([], self.store.list('tmp'))

    def test_others(self):
        self.append('failed', name='b')
        self.file.mkdir()
        self.check_refused()
        self.file.rmdir()
        os.mkfifo(self.file)
        self.check_refused()

    def test_link(self):
        self.append('failed', name='b')
        for target in (self.outside, 'nowhere', 'a', self.directory):
            self.file.symlink_to(target)
            self.check_refused()
            self.file.unlink()
        self.assertEqual('{"event": "died", "time": "", "inode": 1}',
                         self.outside.read_text())

    def test_second_name_elsewhere(self):
        # It is replaced here, and never written to.
        self.append('failed', name='b')
        os.link(self.outside, self.file)
        self.append('failed')
        self.assertEqual(['died', 'failed'], self.found())
        self.assertEqual('{"event": "died", "time": "", "inode": 1}',
                         self.outside.read_text())

    def test_space(self):
        (self.path / 'attempts').write_text('content')
        for call in (lambda: self.append('failed'), self.found,
                     lambda: self.journal.drop('a', 1)):
            with self.assertRaises(gocept.filestore.interfaces.InTheWay):
                call()


class Waiting(JournalCase):
    """Another process is changing the same file."""

    @gocept.filestore.tests.case.slow
    def test_goes_on_when_it_is_done(self):
        self.append('failed')
        child = self.child()
        child.run(HOLD)
        child.send('import time; time.sleep(.2); held.close()')
        self.append('died')
        self.assertEqual(['failed', 'died'], self.found())

    @gocept.filestore.tests.case.slow
    def test_goes_on_when_it_dies(self):
        self.append('failed')
        child = self.child()
        child.run(HOLD)
        child.send('import os, time; time.sleep(.2); os._exit(9)')
        self.append('died')
        self.assertEqual(['failed', 'died'], self.found())

    def test_reading_does_not_wait(self):
        self.append('failed')
        child = self.child()
        child.run(HOLD)
        with self.no_blocking():
            self.assertEqual(['failed'], self.found())


HOLD = """
import gocept.filestore.disk.lock as lock
held = lock.hold(store._layout['attempts'], 'a')
"""


class Race(JournalCase):
    """Several processes change one file; readers look at it all the time."""

    def start(self, source):
        child = self.child()
        child.run(EVENTS)
        child.send(source)
        return child

    @gocept.filestore.tests.case.slow
    def test_no_event_is_lost(self):
        reader = self.start(READ % str(self.file))
        writers = [self.start(
            'for number in range(100):\n'
            '    append("a", %s, number)' % inode) for inode in range(4)]
        for writer in writers:
            writer.answer()
        self.put('cur', 'end')
        self.assertGreater(reader.answer(), 50)
        events = self.events()
        self.assertEqual(400, len(events))
        for inode in range(4):
            self.assertEqual(
                list(range(100)), [event['number'] for event in events
                                   if event['inode'] == inode])
        self.assertEqual([], self.store.list('tmp'))

    @gocept.filestore.tests.case.slow
    def test_nor_is_the_very_first(self):
        writers = [self.start(
            'for number in range(150):\n'
            '    append(str(number), %s, number)' % inode)
            for inode in range(4)]
        for writer in writers:
            writer.answer()
        for number in range(150):
            self.assertEqual([0, 1, 2, 3], sorted(
                event['inode'] for event in self.events(str(number))))

    @gocept.filestore.tests.case.slow
    def test_while_the_last_ones_are_dropped(self):
        # The file comes and goes, and reading finds all of it or nothing.
        readers = [self.start(READ % str(self.file)),
                   self.start(HISTORY)]
        writers = [self.start(
            'for number in range(100):\n'
            '    append("a", %s, number)\n'
            '    append("a", %s, number)\n'
            '    assert len(own(%s)) == 2\n'
            '    journal.drop("a", %s)\n'
            '    assert len(own(%s)) == 0\n'
            'answer = "done"' % (5 * (inode,))) for inode in (1, 2, 3)]
        self.assertEqual(
            ['done'] * 3, [writer.answer() for writer in writers])
        self.put('cur', 'end')
        for reader in readers:
            self.assertGreater(reader.answer(), 50)
        self.assertEqual([], self.store.list('attempts'))

    @gocept.filestore.tests.case.slow
    def test_killed_writers(self):
        reader = self.start(READ % str(self.file))
        counts = [self.killed(inode) for inode in range(12)]
        self.put('cur', 'end')
        reader.answer()
        for inode, count in enumerate(counts):
            numbers = [event['number'] for event in self.events()
                       if event['inode'] == inode]
            # The last one may be on the disk, and not have been told of.
            self.assertIn(numbers, (list(range(count)),
                                    list(range(count + 1))))
        with self.no_blocking():
            self.append('failed')

    def killed(self, inode):
        """Kill a writer at any moment; return how much it has written."""
        child = self.start(
            'for number in range(10 ** 6):\n'
            '    append("a", %s, number)\n'
            '    print(number, flush=True)' % inode)
        for _ in range(inode):
            child.answer()
        child.process.kill()
        told = child.process.stdout.read().splitlines()
        child.kill()
        return inode + sum(line.isdigit() for line in told)


EVENTS = """
import json, os
import gocept.filestore.retry.journal
journal = gocept.filestore.retry.journal.Journal(store._layout)

def append(name, inode, number):
    journal.append(name, {'event': 'failed', 'time': '', 'inode': inode,
                          'number': number, 'error': 'x' * 1000})

def own(inode):
    return [event for event in journal.read('a') if event['inode'] == inode]
"""

# Each line is whole, each time that somebody looks.
READ = """
answer = 0
while not os.path.exists(os.path.join(store.path, 'cur', 'end')):
    try:
        with open(%r, 'rb') as file:
            lines = file.readlines()
    except FileNotFoundError:
        continue
    assert lines
    for line in lines:
        assert line.endswith(b'\\n')
        assert len(json.loads(line)['error']) == 1000
    answer += 1
"""

HISTORY = """
answer = 0
while not os.path.exists(os.path.join(store.path, 'cur', 'end')):
    journal.read('a')
    store._attempts.history('a', 1)
    answer += 1
"""


class FirstEvent(JournalCase):

    def test_of_two_processes_at_once(self):
        line = b'{"event": "failed", "time": "", "inode": 1}\n'

        def change(lines):
            if not lines:  # the other one comes between our look and move
                self.put('attempts', 'a', 'theirs\n')
            return [*lines, line]

        self.layout.made('attempts')
        self.journal._change('a', change)
        self.assertEqual(
            'theirs\n' + line.decode(), self.read('attempts', 'a'))


@gocept.filestore.tests.case.needs_mount()
class FullDisk(JournalCase):

    def setUp(self):
        super().setUp()
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs',
                        self.path], check=True)
        self.addCleanup(subprocess.run, ['umount', '-l', self.path])
        self.store.prepare()

    def fill(self):
        with open(self.path / 'filler', 'wb') as file:
            with contextlib.suppress(OSError):
                while True:
                    os.write(file.fileno(), b'x' * 4096)

    @contextlib.contextmanager
    def refused(self):
        with self.assertRaises(OSError) as raised:
            yield
        self.assertEqual(errno.ENOSPC, raised.exception.errno)
        self.assertEqual(str(self.file), raised.exception.filename)

    def test_append(self):
        self.append('failed')
        before = self.file.read_bytes()
        self.fill()
        for event in ('died', 'x' * 10 ** 6):
            with self.refused():
                self.append(event)
            self.assertEqual(before, self.file.read_bytes())
            self.assertEqual([], self.store.list('tmp'))
        os.remove(self.path / 'filler')
        self.append('died')
        self.assertEqual(['failed', 'died'], self.found())

    def test_first_one(self):
        (self.path / 'attempts').mkdir()
        self.fill()
        with self.refused():
            self.append('failed')
        self.assertEqual([], self.store.list('attempts'))
        self.assertEqual([], self.store.list('tmp'))

    def test_drop_some(self):
        self.append('failed')
        self.append('died', inode=2)
        self.fill()
        with self.refused():
            self.journal.drop('a', 1)
        self.assertEqual(['failed', 'died'], self.found())

    def test_drop_all_needs_no_room(self):
        self.append('failed')
        self.fill()
        self.journal.drop('a', 1)
        self.assertEqual([], self.store.list('attempts'))

    def test_claim_that_fails(self):
        self.put('new', 'a', 'ours')
        self.store.claim().fail('no paper')
        self.store.retry('a')
        self.store.claim().fail('no paper')
        self.make_due()
        before = self.file.read_bytes()
        claim = self.open_store().claim()
        resumed = self.file.read_bytes()
        self.assertTrue(resumed.startswith(before))
        self.fill()
        with self.refused():
            claim.fail('no ink')
        self.assertEqual(resumed, self.file.read_bytes())
        self.assertEqual('ours', self.read('work', 'a'))
        self.assertIsNone(self.store.claim())  # it is still ours
        os.remove(self.path / 'filler')
        claim.fail('no ink')
        self.assertEqual(2, self.history(os.stat(
            self.path / 'work' / 'a').st_ino).attempts)

    def test_block_that_fails(self):
        # The error is lost, but not the attempt.
        self.put('new', 'a', 'ours')
        (self.path / 'work').mkdir()
        (self.path / 'attempts').mkdir()
        claim = self.store.claim()
        self.fill()
        with self.refused(), claim:
            raise ZeroDivisionError
        self.assertEqual('ours', self.read('work', 'a'))
        os.remove(self.path / 'filler')
        claim = self.store.claim()
        self.assertEqual(2, claim.attempt)
        claim.finish()


class Kinds(unittest.TestCase):

    def test_parsed(self):
        parsed = gocept.filestore.retry.journal.parsed
        event = {'event': 'failed', 'time': '', 'inode': 1}
        self.assertEqual(event, parsed(json.dumps(event).encode() + b'\n'))
        for missing in event:
            self.assertIsNone(parsed(json.dumps(
                {key: event[key] for key in event if key != missing})))
        for line in (b'', b'\n', b'null', b'17', b'[]', b'\xff', b'{"event"',
                     b'["event", "time", "inode"]', b'"event time inode"',
                     b'9' * 5000, b'[' * 10 ** 6):
            self.assertIsNone(parsed(line), line[:20])
