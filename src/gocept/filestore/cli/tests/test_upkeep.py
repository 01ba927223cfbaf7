import gocept.filestore
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import json
import re


class UpkeepCase(gocept.filestore.tests.command.Case):

    def lines(self, *args):
        """Return what a command prints; ages are those of a quick machine."""
        output = self.filestore(*args)[1].decode()
        return re.sub(r'\b[0-5]?[0-9]s\b', '0s', output).splitlines()

    def reject(self, *names, reason='no\npaper'):
        for name in names:
            self.put('new', name)
            self.store.claim().fail(gocept.filestore.Reject(reason))


class Clean(UpkeepCase):

    @gocept.filestore.tests.case.slow
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

    def test_names(self):
        for name in ('a.xml', 'b.xml', 'c.pdf'):
            self.put('cur', name)
        self.assertEqual(
            (0, b'', ['1 file removed']), self.filestore(
                'clean', 'store', 'cur', '--older-than', '0', '--include',
                '*.xml', '--exclude', 'a*'))
        self.assertEqual({'cur': ['a.xml', 'c.pdf']}, self.tree())

    def test_reason(self):
        self.reject('a', 'b', 'c')
        self.reject('d', reason='no ink')
        self.assertEqual(
            (0, b'', ['2 files removed']), self.filestore(
                'clean', 'store', 'failed', '--older-than', '0', '--reason',
                'PAPER', '--exclude', 'b'))
        self.assertEqual(['b', 'd'], self.tree()['failed'])

    def test_no_space(self):
        self.assertEqual(
            ["filestore: Missing argument '{tmp|cur|failed}'. Choose from: "
             'tmp, cur, failed'], self.filestore('clean', 'store')[2])

    def test_reason_of_what_has_not_failed(self):
        status, _, messages = self.filestore(
            'clean', 'store', 'tmp', '--reason', '')
        self.assertEqual(
            (2, ["filestore: --reason goes with 'failed' only"]),
            (status, messages))

    def test_dry_run(self):
        for name in ('a\n', 'b'):
            self.put('cur', name)
        self.assertEqual(
            (0, b"'a\\n'\nb\n", ['2 files would be removed']),
            self.filestore('clean', 'store', 'cur', '--older-than', '0',
                           '--dry-run'))
        self.assertEqual({'cur': ['a\n', 'b']}, self.tree())


    def test_json(self):
        for name in ('a\n', 'b'):
            self.put('cur', name)
        for more, said in (['--dry-run'], 'would be removed'), ([], 'removed'):
            self.assertEqual(
                (0, b'["a\\n", "b"]\n', ['2 files ' + said]),
                self.filestore('clean', 'store', 'cur', '--older-than', '0',
                               '--json', *more))
        self.assertEqual({}, self.tree())


class Settle(UpkeepCase):

    def test_json(self):
        child = self.child()
        child.run('batch = store.batch(two_phase=True)\n'
                  'with batch.publish("a"): pass\n'
                  'batch.vote()')
        child.kill()
        intent, = self.store.status()['intents']
        for names, said in [([intent['intent']], '1 transaction committed'),
                            ([], '0 transactions committed')]:
            status, output, messages = self.filestore(
                'settle', 'store', '--commit', '--json')
            self.assertEqual((0, names, [said]),
                             (status, json.loads(output), messages))

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
