import gocept.filestore
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import json
import os


class UpkeepCase(gocept.filestore.tests.command.Case):

    def fail(self, *names):
        for name in names:
            self.put('new', name)
            self.store.claim().fail(gocept.filestore.Reject('no\npaper'))


class Status(UpkeepCase):

    def test_empty(self):
        status, output, messages = self.filestore('status', 'store')
        self.assertEqual((0, []), (status, messages))
        self.assertEqual(
            [b'SPACE', b'tmp', b'new', b'work', b'failed', b'cur',
             b'attempts'], [line.split()[0] for line in output.splitlines()])

    def test_claims(self):
        self.put('new', 'alive')
        claim = self.store.claim()
        self.put('work', 'dead')
        output = self.filestore('status', 'store')[1].decode()
        lines = [line.split() for line in output.splitlines()]
        self.assertIn(['alive', '0s', '1', 'alive'], lines)
        self.assertIn(['dead', '0s', '1', 'dead'], lines)
        claim.release()

    def test_waiting(self):
        self.put('new', 'a')
        self.store.claim().fail('no paper')
        output = self.filestore('status', 'store')[1].decode()
        self.assertIn('1 file waiting for the next attempt, due in 5', output)
        self.assertNotIn('CLAIMED', output)

    def test_json(self):
        self.put('new', 'a')
        self.put('work', os.fsdecode(b'\xff'))
        found = json.loads(self.filestore('status', '--json', 'store')[1])
        self.assertEqual(1, found['spaces']['new']['files'])
        self.assertEqual('\udcff', found['claims'][0]['filename'])

    def test_not_there(self):
        status, _, messages = self.filestore('status', 'stroe')
        self.assertEqual(1, status)
        self.assertIn('filestore prepare stroe', messages[0])


class Failed(UpkeepCase):

    def test_none(self):
        self.assertEqual((0, b'', []), self.filestore('failed', 'store'))

    def test_reasons_in_one_line_each(self):
        self.fail('b', 'a\nb')
        self.put('failed', 'by hand')
        lines = self.filestore('failed', 'store')[1].decode().splitlines()
        self.assertEqual(4, len(lines))
        self.assertEqual(
            ['b', '1', '0s', repr('Reject: no\npaper')], lines[1].split(
                None, 3))
        self.assertIn("'a\\nb'", lines[2])
        self.assertEqual(['by', 'hand', '0', '0s'], lines[3].split())


class Retry(UpkeepCase):

    def test_by_name(self):
        self.fail('a', 'b')
        status, output, messages = self.filestore('retry', 'store', 'a', 'c')
        self.assertEqual((1, b''), (status, output))
        self.assertIn("'c' in the file store 'store'", messages[0])
        self.assertEqual('1 file put back, 1 failed', messages[1])
        self.assertEqual(['a'], self.tree()['new'])

    def test_all(self):
        self.fail('a', 'b')
        self.assertEqual(
            (0, b'', ['2 files put back, 0 failed']),
            self.filestore('retry', '--all', 'store'))
        self.assertEqual(['a', 'b'], self.tree()['new'])

    def test_all_but_one_whose_name_is_taken(self):
        self.fail('a', 'b')
        self.put('new', 'a')
        status, _, messages = self.filestore('retry', '--all', 'store')
        self.assertEqual(1, status)
        self.assertEqual('1 file put back, 1 failed', messages[-1])

    @gocept.filestore.tests.case.slow
    def test_all_or_names(self):
        for args in ((), ('--all', 'a')):
            status, _, messages = self.filestore('retry', 'store', *args)
            self.assertEqual(
                (2, ['filestore: name some files, or use --all']),
                (status, messages))


class Clean(UpkeepCase):

    def test_ages(self):
        for age in ('0', '0s', '0.0m', '0h', '0d'):
            self.put('cur', 'a')
            self.assertEqual(
                (0, b'', ['1 file removed']), self.filestore(
                    'clean', 'store', 'cur', '--older-than', age))
            self.assertEqual({}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_units(self):
        self.put('cur', 'a')
        for age in ('100', '100s', '2m', '1h', '1d'):
            self.filestore('clean', 'store', 'cur', '--older-than', age)
        self.assertEqual({'cur': ['a']}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_bad_ages(self):
        for age in ('', 'x', '-1', '1w', '1 h', 'inf', '1h2'):
            status, _, messages = self.filestore(
                'clean', 'store', 'cur', '--older-than', age)
            self.assertEqual(2, status)
            self.assertIn('is no duration like 90s, 15m, 36h or 30d',
                          messages[0])

    def test_drafts(self):
        self.put('tmp', 'a')
        self.assertEqual((0, b'', ['0 files removed']),
                         self.filestore('clean', 'store', 'tmp'))
        self.assertEqual({'tmp': ['a']}, self.tree())


class Settle(UpkeepCase):

    def test_usage(self):
        status, output, messages = self.filestore('settle', 'store')
        self.assertEqual(
            (2, ['filestore: say --commit or --abort']), (status, messages))

    def test_nothing_is_in_doubt(self):
        status, output, messages = self.filestore(
            'settle', '--abort', 'store')
        self.assertEqual((0, ['0 transactions aborted']), (status, messages))


class Run(UpkeepCase):

    @gocept.filestore.tests.case.slow
    def test_attempts_and_delay(self):
        self.put('new', 'a')
        for _ in range(2):
            self.filestore('run', 'store', '--attempts', '2', '--delay', '0',
                           '--', 'false', '{}')
        self.assertEqual(['a'], self.tree()['failed'])
        self.assertEqual(2, self.store.failures()[0]['attempts'])

    @gocept.filestore.tests.case.slow
    def test_long_delay(self):
        self.put('new', 'a')
        self.filestore('run', 'store', '--delay', '2h', '--', 'false', '{}')
        self.assertGreater(self.store.status()['waiting']['next'], 6000)

    @gocept.filestore.tests.case.slow
    def test_quiet(self):
        self.put('new', 'a')
        self.assertEqual((0, b'', ['0 files processed, 0 failed']),
                         self.filestore('run', 'store', '--quiet', '1h', '--',
                                        'cat', '{}'))
        self.assertEqual(['a'], self.tree()['new'])
