import gocept.filestore.cli.tests.test_upkeep
import gocept.filestore.monitor.place
import gocept.filestore.monitor.reason
import gocept.filestore.tests.case
import json
import os
import signal
import unittest


class FailedCase(gocept.filestore.cli.tests.test_upkeep.UpkeepCase):

    def json(self, *args):
        status, output, messages = self.filestore(*args, '--json')
        self.assertEqual((0, []), (status, messages))
        return json.loads(output)


class Failed(FailedCase):

    def test_none(self):
        self.assertEqual((0, b'', []), self.filestore('failed', 'store'))
        self.assertEqual([], self.json('failed', 'store'))

    def test_reasons_in_one_line_each(self):
        self.reject('b', 'a\nb')
        self.put('failed', 'by hand')
        lines = self.lines('failed', 'store')
        self.assertEqual(4, len(lines))
        self.assertEqual(['by', 'hand', '0', '0s'], lines[1].split())
        self.assertIn("'a\\nb'", lines[2])
        self.assertEqual(
            ['b', '1', '0s', 'Reject: no paper'], lines[3].split(None, 3))

    def test_long_reason(self):
        self.reject('a', reason='x' * 3000)
        _, output, _ = self.filestore('failed', 'store')
        self.assertLess(len(output), 1000)
        self.assertIn(b'characters left out', output)
        [failure] = self.json('failed', 'store')
        self.assertEqual('Reject: ' + 'x' * 3000, failure['error'])

    @gocept.filestore.tests.case.slow
    def test_filters(self):
        self.reject('a.xml', 'b.xml', 'c.pdf')
        self.reject('d.xml', reason='no ink')
        self.put('failed', 'hand')
        for names, args in (
                ('c.pdf', ['--include', '*.pdf']),
                ('b.xml a.xml', ['--include', '[a-c]*', '--exclude', '*.pdf']),
                ('c.pdf a.xml', ['--include', 'a*', '--include', 'c*']),
                ('d.xml', ['--reason', 'REJECT: NO I']),
                ('c.pdf', ['--reason', 'paper', '--exclude', '*.xml']),
                ('hand d.xml c.pdf b.xml a.xml', ['--reason', '']),
                ('', ['--reason', 'toner'])):
            found = self.json('failed', 'store', *args)
            self.assertEqual(
                names, ' '.join(failure['filename'] for failure in found))

    def test_groups(self):
        self.reject('a', 'b')
        self.reject('c', 'd', 'e', reason='no route')
        groups = self.json('failed', 'store', '--group')
        self.assertEqual(
            [(3, 'Reject: no route'), (2, 'Reject: no\npaper')],
            [(group['files'], group['reason']) for group in groups])
        for group in groups:
            self.assertLessEqual(group['newest'], group['oldest'])

    def test_groups_for_people(self):
        self.reject('1.xml', reason='1.xml has 17 pages')
        self.reject('2.xml', reason='2.xml has 170 pages')
        self.assertEqual(
            ['FILES  NEWEST  OLDEST  REASON',
             '2      0s      0s      Reject: {} has # pages'],
            self.lines('failed', '--group', 'store'))


class Alike(unittest.TestCase):

    def alike(self, reason, name='a'):
        return gocept.filestore.monitor.reason.alike(
            {'filename': name, 'error': reason})

    def test_numbers(self):
        self.assertEqual('line #, <Order at #>', self.alike(
            'line 17, <Order at 0x7f10Ab>'))

    def test_its_name(self):
        for name in ('a', 'a.xml', 'a-b_1', 'a.~1~'):
            own = name.removesuffix('.~1~')
            self.assertEqual(
                "no data: 'x/{}' ({})",
                self.alike("no data: 'x/%s' (%s)" % (own, own), name))

    def test_its_odd_name(self):
        for name in ('a b (1).pdf', 'a\tb', 'it\'s "a".xml', 'a b.~1~'):
            self.assertEqual('can not read {}', self.alike(
                'can not read ' + name.removesuffix('.~1~'), name))

    def test_no_reason(self):
        self.assertEqual('', self.alike(None))


class Show(FailedCase):

    def test_spaces(self):
        for space in ('tmp', 'new', 'failed', 'cur'):
            self.put(space, 'a').chmod(0o640)
        lines = self.lines('show', 'store', 'a')
        self.assertEqual(
            ['store/tmp/a: a draft', 'store/new/a: waits',
             'store/failed/a: given up', 'store/cur/a: done'], lines[::2])
        self.assertEqual({'  7 bytes, mode 640, there for 0s'},
                         set(lines[1::2]))

    def test_metadata(self):
        self.store.write_text('a', 'text', metadata={
            'type': 'text/plain', 'b\n\x1b': '\udcff\u202e'})
        place, size, *metadata, event = self.lines('show', 'store', 'a')
        self.assertEqual(
            ['  type: text/plain', r'  b\n\x1b: \udcff\u202e'], metadata)
        self.assertRegex(event, '  published by process [0-9]+ of ')

    def test_in_work(self):
        self.put('new', 'a')
        claim = self.store.claim()
        self.assertEqual('store/work/a: being worked on',
                         self.lines('show', 'store', 'a')[0])
        claim.fail('no paper')
        self.assertEqual(
            'store/work/a: waits for its next attempt, due in 0s',
            self.lines('show', 'store', 'a')[0])
        self.put('work', 'b')
        self.assertEqual('store/work/b: its process has died',
                         self.lines('show', 'store', 'b')[0])

    def test_on_its_way(self):
        self.assertEqual('on its way', gocept.filestore.monitor.place.state(
            {'space': 'work', 'due': None, 'alive': None}))

    def test_path(self):
        self.reject('a')
        self.assertEqual(self.lines('show', 'store', 'a'),
                         self.lines('show', 'store', 'elsewhere/a'))

    def test_events(self):
        self.write([
            {'event': 'died', 'error': 'it has died'},
            {'event': 'released'},
            {'event': 'resumed'},
            {'event': 'failed', 'error': 'no', 'traceback': 'File\n  no\x1b['},
            {'event': 'retried'},
            {'event': 'failed', 'error': 'no\tpaper'}])
        begin, end = '  2026-11-23 12:01:00 UTC  ', ' process 17 of db1'
        self.assertEqual([
            begin + 'attempt 1 died, noted by' + end,
            '      it has died',
            begin + 'attempt 2 given back by' + end,
            begin + 'attempt 2 began in' + end,
            begin + 'attempt 2 failed in' + end,
            '      File',
            '        no\\x1b[',
            begin + 'put back by' + end,
            begin + 'attempt 1 failed in' + end,
            '      no\\tpaper'], self.lines('show', 'store', 'a')[2:])

    def write(self, events):
        """Let a file in `failed` have events of another host."""
        inode = os.stat(self.put('failed', 'a')).st_ino
        self.put('attempts', 'a', ''.join(json.dumps({
            'time': '2026-11-23T12:01:00+00:00', 'host': 'db1',
            'process': 17, 'inode': inode, **event}) + '\n'
            for event in events))

    def test_what_was_changed_by_hand(self):
        self.write([{'event': '%(odd)d %s', 'time': ['\x1b'], 'host': None,
                     'process': {}, 'error': 17}])
        self.assertEqual(
            "  ['\\x1b'] UTC  %(odd)d %s process {} of \n      17".split('\n'),
            self.lines('show', 'store', 'a')[2:])

    def test_json(self):
        self.reject('a')
        (self.path / 'failed' / 'a').chmod(0o640)
        [place] = self.json('show', 'store', 'a')
        self.assertEqual(
            ('failed', 7, 0o640),
            (place['space'], place['bytes'], place['mode']))
        [event] = place['events']
        self.assertEqual(('failed', 1, 'Reject: no\npaper', os.getpid()),
                         (event['event'], event['attempt'], event['error'],
                          event['process']))

    def test_odd_name(self):
        self.put('new', 'a\x1b[\n')
        self.assertEqual(
            "'store/new/a\\x1b[\\n': waits",
            self.lines('show', 'store', 'a\x1b[\n')[0])

    def test_nowhere(self):
        self.assertEqual(
            (1, b'', ["filestore: 'a\\n' in the file store 'store': there is "
                      'none in any space']),
            self.filestore('show', 'store', 'a\n'))

    def test_no_store(self):
        status, output, messages = self.filestore('show', 'stroe', 'a')
        self.assertEqual((1, b''), (status, output))
        self.assertIn('filestore prepare stroe', messages[0])


class Retry(FailedCase):

    def test_by_name(self):
        self.reject('a', 'b')
        status, output, messages = self.filestore('retry', 'store', 'a', 'c')
        self.assertEqual((1, b''), (status, output))
        self.assertIn("'c' in the file store 'store'", messages[0])
        self.assertEqual('1 file put back, 1 failed', messages[1])
        self.assertEqual(['a'], self.tree()['new'])

    def test_all(self):
        self.reject('a', 'b')
        self.assertEqual(
            (0, b'', ['2 files put back, 0 failed']),
            self.filestore('retry', '--all', 'store'))
        self.assertEqual(['a', 'b'], self.tree()['new'])

    def test_all_but_one_whose_name_is_taken(self):
        self.reject('a', 'b')
        self.put('new', 'a')
        status, _, messages = self.filestore('retry', '--all', 'store')
        self.assertEqual(1, status)
        self.assertEqual('1 file put back, 1 failed', messages[-1])

    @gocept.filestore.tests.case.slow
    def test_all_or_names_or_filters(self):
        for args in ((), ('--all', 'a'), ('--include', '*', 'a'),
                     ('--exclude', 'b', 'a'), ('--reason', '', 'a')):
            status, _, messages = self.filestore('retry', 'store', *args)
            self.assertEqual(
                (2, ['filestore: name some files, or use --all, --include, '
                     '--exclude or --reason']), (status, messages))

    @gocept.filestore.tests.case.slow
    def test_filters(self):
        for args in (['--include', 'a'], ['--exclude', '[bc]'],
                     ['--reason', 'ink'], ['--all', '--reason', 'ink']):
            self.reject('b', 'c')
            self.reject('a', reason='no ink')
            self.assertEqual(
                (0, b'', ['1 file put back, 0 failed']),
                self.filestore('retry', 'store', *args))
            self.assertEqual(['a'], self.tree()['new'])
            for space, name in (
                    ('new', 'a'), ('failed', 'b'), ('failed', 'c')):
                self.store.remove(name, space)

    def test_dry_run(self):
        self.reject('a', 'b\n', 'c')
        self.put('new', 'c')
        before = self.tree()
        status, output, messages = self.filestore(
            'retry', 'store', '--all', '--dry-run')
        self.assertEqual((1, b"a\n'b\\n'\n"), (status, output))
        self.assertIn("'c' in the file store 'store': there is one in 'new'",
                      messages[0])
        self.assertEqual('2 files would be put back, 1 failed', messages[1])
        self.assertEqual(before, self.tree())

    def test_json(self):
        self.reject('a', 'b\n', 'c')
        self.put('new', 'c')
        for more, said in (['--dry-run'], 'would be put back'), (
                [], 'put back'):
            status, output, messages = self.filestore(
                'retry', 'store', '--all', '--json', *more)
            self.assertEqual((1, b'["a", "b\\n"]\n'), (status, output))
            self.assertEqual('2 files %s, 1 failed' % said, messages[-1])
        self.assertEqual(['a', 'b\n', 'c'], self.tree()['new'])

    def test_dry_run_of_several_that_had_one_name(self):
        for _ in range(3):
            self.reject('a')
        status, output, messages = self.filestore(
            'retry', 'store', '--all', '--dry-run')
        self.assertEqual(
            (1, b'a.~1~\n', 3), (status, output, len(messages)))
        self.assertEqual('1 file would be put back, 2 failed', messages[-1])
        self.assertEqual('1 file put back, 2 failed', self.filestore(
            'retry', 'store', '--all')[2][-1])

    def test_dry_run_of_paths(self):
        self.reject('a')
        self.assertEqual(
            (0, b'a\n', ['1 file would be put back, 0 failed']),
            self.filestore('retry', 'store', 'store/failed/a', '--dry-run'))


class Ask(FailedCase):

    def ask(self, answer, *args):
        """Return the exit status, and what was shown after the question."""
        terminal = self.in_terminal(*args)
        terminal.wait_for(b'? [y/N] ')
        # A signal just before it reads would be handled after that only.
        self.wait_for_sleep(terminal.process.pid)
        terminal.type(answer)
        return terminal.finish()

    def test_yes(self):
        self.reject('a', 'b')
        status, shown = self.ask(b'y\n', 'retry', 'store', '--all')
        self.assertEqual(0, status)
        self.assertIn('2 files put back, 0 failed', shown)
        self.assertEqual(['a', 'b'], self.tree()['new'])

    @gocept.filestore.tests.case.slow
    def test_no(self):
        self.reject('a', 'b')
        before = self.tree()
        for answer in (b'n\n', b'\n', b'yesterday\n', b'\xff\n', b'\x04'):
            for args in (['retry', 'store', 'a', 'b'],
                         ['clean', 'store', 'failed', '--older-than', '0']):
                status, shown = self.ask(answer, *args)
                self.assertEqual(1, status)
                self.assertTrue(
                    shown.endswith('\r\nnothing was changed\r\n'), shown)
                self.assertEqual(before, self.tree())

    def test_interrupted(self):
        self.reject('a', 'b')
        before = self.tree()
        status, shown = self.ask(b'\x03', 'retry', 'store', '--all')
        self.assertEqual(-signal.SIGINT, status)
        self.assertIn('filestore: interrupted', shown)
        self.assertEqual(before, self.tree())

    def test_not_before_one_file(self):
        self.reject('a')
        status, shown = self.in_terminal('retry', 'store', '--all').finish()
        self.assertEqual(0, status)
        self.assertNotIn('[y/N]', shown)

    @gocept.filestore.tests.case.slow
    def test_not_who_has_said_yes(self):
        for option in ('-y', '--yes'):
            self.reject('a', 'b')
            for args in (['retry', 'store', '--all'],
                         ['clean', 'store', 'failed', '--older-than', '0']):
                status, shown = self.in_terminal(*args, option).finish()
                self.assertEqual(0, status)
                self.assertNotIn('[y/N]', shown)
            self.store.remove('a', 'new')
            self.store.remove('b', 'new')

    @gocept.filestore.tests.case.slow
    def test_not_in_a_dry_run(self):
        self.reject('a', 'b')
        for args in (['retry', 'store', '--all'],
                     ['clean', 'store', 'failed', '--older-than', '0']):
            status, shown = self.in_terminal(*args, '--dry-run').finish()
            self.assertEqual(0, status)
            self.assertNotIn('[y/N]', shown)
            self.assertIn('a\r\nb\r\n', shown)

    def test_standard_input_that_is_closed(self):
        self.reject('a', 'b')
        self.assertEqual(
            (0, b'', ['2 files put back, 0 failed']),
            self.sh('filestore retry store --all <&-'))

    def test_clean(self):
        # What comes meanwhile was not asked about.
        self.reject('a', 'b')
        terminal = self.in_terminal(
            'clean', 'store', 'failed', '--older-than', '0')
        terminal.wait_for(b'remove 2 files? [y/N] ')
        self.put('failed', 'c')
        terminal.type(b'yes\n')
        status, shown = terminal.finish()
        self.assertEqual((0, ['c']), (status, self.tree()['failed']))
        self.assertIn('2 files removed', shown)
