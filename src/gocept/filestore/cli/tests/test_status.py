import click
import gocept.filestore.cli.status
import gocept.filestore.disk.name
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import gocept.filestore.tests.test_status
import json
import os
import prometheus_client.parser
import re
import signal
import sys
import unittest
import unittest.mock


NONE = gocept.filestore.tests.test_status.NONE


def found(store='store', **more):
    """Return the status of an empty store, or of what is given."""
    spaces = dict.fromkeys(
        ('tmp', 'new', 'work', 'failed', 'cur', 'attempts'), NONE)
    return {'store': store, 'spaces': spaces, 'claims': [], 'intents': [],
            'waiting': gocept.filestore.tests.test_status.NONE_DUE, **more}


def claim(filename, **more):
    return {'filename': filename, 'age': 1, 'attempt': 1, 'alive': True,
            **gocept.filestore.tests.test_status.UNSEEN, **more}


def intent(name, **more):
    return {'intent': name, 'age': 60, 'decided': False, 'publish': ['a'],
            'finish': [], 'remove': ['b', 'c'], **more}


class Status(gocept.filestore.tests.command.Case):

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
        host = gocept.filestore.disk.name.HOST
        self.assertRegex(output, r'(?m)^alive +[0-9]+s +1 +%s on %s: \S*python'
                         % (os.getpid(), re.escape(host)))
        self.assertRegex(output, r'(?m)^dead +[0-9]+s +1 +dead$')
        claim.release()

    def test_waiting(self):
        self.put('new', 'a')
        self.store.claim().fail('no paper')
        output = self.filestore('status', 'store')[1].decode()
        self.assertRegex(
            output, '1 file waiting for the next attempt, due in [1-5]?[0-9]s')
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

    def test_not_readable(self):
        self.forbid(self.path / 'new', 0)
        status, messages = self.filestore_as_nobody('status', 'store', 'stroe')
        self.assertEqual((1, 2), (status, len(messages)))
        self.assertIn("store/new': Permission denied", messages[0])


class Watch(gocept.filestore.tests.command.Case):

    def watch(self, *args):
        terminal = self.in_terminal('status', *args, '--watch', '0.05')
        self.shown = ''
        return terminal

    def read(self, terminal, pattern):
        """Read until it is shown, and return all that was."""
        while not re.search(pattern, self.shown):
            self.shown += terminal._read().decode()
        shown, self.shown = self.shown, ''
        return shown

    @gocept.filestore.tests.case.slow
    def test_shows_it_anew_until_it_is_interrupted(self):
        terminal = self.watch('store')
        self.read(terminal, 'new +0 ')
        self.put('new', 'a')
        self.read(terminal, 'new +1 ')
        terminal.interrupt()
        status, shown = terminal.finish()
        self.assertEqual(-signal.SIGINT, status)
        self.assertIn('filestore: interrupted', shown)

    @gocept.filestore.tests.case.slow
    def test_shows_what_has_room(self):
        for number in range(40):
            self.put('work', '%02d' % number)
        terminal = self.watch('store')
        # 24 lines: heading and 6 spaces, a blank, heading, and 14 claims
        self.read(terminal, '(?s)CLAIMED.*(\n[01][0-9] [^\n]*){14}'
                            '(?=\r\n.*SPACE)')
        terminal.interrupt()
        self.assertEqual(-signal.SIGINT, terminal.finish()[0])

    @gocept.filestore.tests.case.slow
    def test_store_that_comes_later(self):
        terminal = self.watch('later', '--ages')
        self.read(terminal, 'filestore prepare later')
        self.filestore('prepare', 'later')
        self.read(terminal, 'AGE')
        terminal.interrupt()
        self.assertEqual(-signal.SIGINT, terminal.finish()[0])

    def test_room(self):
        fitting = gocept.filestore.cli.status.fitting
        lines = ['x' * 40, '\u6f22' * 21, '', click.style('y' * 40, bold=1)]
        # What is behind the last column would clear that.
        cleared = [line + end for line, end in zip(
            lines, ['', '\x1b[K', '\x1b[K', ''], strict=True)]
        for room, shown in (1, 0), (2, 1), (3, 1), (4, 2), (5, 3), (6, 4):
            self.assertEqual(cleared[:shown], list(fitting(lines, 40, room)))

    def test_clears_once_only(self):
        # What is cleared is kept by tmux(1), and flickers.
        terminal = self.watch('store')
        shown = self.read(terminal, '(?s)(SPACE.*){3}')
        self.assertEqual(1, shown.count('\x1b[2J'))
        terminal.interrupt()
        self.assertEqual(-signal.SIGINT, terminal.finish()[0])

    def test_pause(self):
        for seconds in '0', '99999999999999d':
            status, shown = self.in_terminal(
                'status', 'store', '--watch', seconds).finish()
            self.assertEqual(2, status)
            self.assertIn('%r is no duration above 0' % seconds, shown)

    def test_json(self):
        status, shown = self.in_terminal(
            'status', 'store', '--json', '--watch').finish()
        self.assertEqual(2, status)
        self.assertIn('--watch shows text, and on a terminal only', shown)


class Text(unittest.TestCase):

    def text(self, *stores, others=()):
        return gocept.filestore.cli.status.as_text(stores, others)

    def test_of_another_host(self):
        text = self.text(found(claims=[claim('a')]))
        self.assertRegex(
            text, r'(?m)^a +1s +1 +alive, on a host that is not known$')

    def test_process_without_a_title_or_with_a_long_one(self):
        text = self.text(found(claims=[
            claim('a', process=7, host='here'),
            claim('b', process=8, host='here', consumer='y' * 61)]))
        self.assertRegex(text, r'(?m)^a +1s +1 +7 on here$')
        self.assertRegex(text, r'(?m)^b +1s +1 +8 on here: y{60}$')

    def test_many_claims(self):
        text = self.text(found(claims=[
            claim(str(number)) for number in range(100_000)]))
        self.assertEqual(30, len(text.splitlines()))
        self.assertTrue(text.rstrip().endswith('and 99980 more'))

    def test_intents(self):
        text = self.text(found(intents=[
            intent('x'), intent('y', decided=True)]))
        self.assertRegex(text, r"(?m)^x +1m +in doubt +'a' +'b', 'c'$")
        self.assertRegex(text, r"(?m)^y +1m +committed +'a' +'b', 'c'$")

    def test_several_stores(self):
        waiting = {**gocept.filestore.tests.test_status.ONE_DUE}
        text = self.text(
            found('x', claims=[claim('a')]), found('y\n', waiting=waiting),
            others=['y'])
        self.assertRegex(text, r'(?m)^x +a +1s +1 +alive, on a host')
        self.assertRegex(text, r"(?m)^'y\\n' +new +0 +0 *$")
        self.assertRegex(text, r"(?m)^'y\\n': 1 file waiting .* due in 0s$")


class Ages(unittest.TestCase):

    def ages(self, columns, many=1, **ages):
        spaces = {name: {**NONE, 'ages': ages.get(name, NONE['ages'])}
                  for name in ('new', 'failed')}
        waiting = {'ages': ages.get('waiting', NONE['ages'])}
        with unittest.mock.patch.dict(os.environ, COLUMNS=str(columns)):
            return gocept.filestore.cli.status.as_ages(
                [{'store': 's', 'spaces': spaces, 'waiting': waiting}] * many,
                range(1, many))

    def test_several_stores(self):
        one = self.ages(80, new=[1] * 10)
        self.assertEqual('s:\n%s\n\ns:\n%s' % (one, one),
                         self.ages(80, many=2, new=[1] * 10))

    def test_none(self):
        self.assertEqual(
            ['AGE', 'NEW', 'WAITING', 'FAILED', '<', '5m'],
            self.ages(80).split())

    def test_bars_of_the_width_of_the_terminal(self):
        ages = {'new': [0, 0, 100_000, 0, 1, 0, 0, 0, 0, 0],
                'waiting': [2, 1] + [0] * 8, 'failed': [0] * 9 + [3]}
        for columns in (40, 80, 120):
            lines = self.ages(columns, **ages).splitlines()
            self.assertEqual(11, len(lines))
            self.assertLessEqual(max(map(len, lines)), columns)
            self.assertGreater(max(map(len, lines)), columns - 20)
            self.assertRegex(lines[3], '^< 20m +100000 #+ *$')
            self.assertRegex(lines[5], '^< 1h 20m +1 +# *$')
            self.assertRegex(lines[10], '^> 21h 20m +3 #+$')

    def test_narrow(self):
        self.assertIn('1 #\n', self.ages(1, new=[1, 1] + [0] * 8))

    def test_half_as_many(self):
        lines = self.ages(80, waiting=[4, 2] + [0] * 8).splitlines()
        bars = [line.count('#') for line in lines[1:]]
        self.assertEqual(bars[0], 2 * bars[1] - bars[0] % 2)


class Prometheus(gocept.filestore.tests.command.Case):

    def samples(self, text):
        return {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in
            prometheus_client.parser.text_string_to_metric_families(text)
            for sample in family.samples}

    def test_of_stores(self):
        for name in 'ab':
            self.put('new', name)
        self.put('work', 'dead')
        self.filestore('prepare', 'odd "\n')
        status, output, _ = self.filestore(
            'status', '--format', 'prometheus', 'store', 'odd "\n')
        samples = self.samples(output.decode())
        self.assertEqual(0, status)
        store = 'store', 'store'
        self.assertEqual(2, samples['filestore_files', ('space', 'new'),
                                    store])
        self.assertEqual(14, samples['filestore_bytes', ('space', 'new'),
                                     store])
        self.assertLess(0, samples['filestore_oldest_seconds',
                                   ('space', 'new'), store])
        self.assertEqual(0, samples['filestore_files', ('space', 'new'),
                                    ('store', repr('odd "\n'))])

    def test_all_kinds(self):
        text = gocept.filestore.cli.status.as_metrics([found(
            claims=[claim('a', age=7, attempt=3), claim('b', alive=False)],
            waiting=gocept.filestore.tests.test_status.ONE_DUE,
            intents=[intent('x'), intent('y', decided=True), intent('z')])],
            ())
        samples = self.samples(text)
        store = 'store', 'store'
        for value, *key in (
                (1, 'filestore_claims', ('process', 'alive'), store),
                (1, 'filestore_claims', ('process', 'dead'), store),
                (7, 'filestore_oldest_claim_seconds', store),
                (3, 'filestore_attempt', store),
                (1, 'filestore_waiting', store),
                (2, 'filestore_intents', ('state', 'in doubt'), store),
                (1, 'filestore_intents', ('state', 'committed'), store)):
            self.assertEqual(value, samples[tuple(key)], key)

    def test_library_that_is_not_installed(self):
        program = ("import sys; sys.modules['prometheus_client'] = None; "
                   'import gocept.filestore.__main__; sys.exit('
                   'gocept.filestore.__main__.main(sys.argv[1:]))')
        self.assertEqual(
            (1, b'', ['filestore: prometheus_client is missing: '
                      "pip install 'gocept.filestore[metrics]'"]),
            self.filestore('-c', program, 'status', '--format', 'prometheus',
                           'store', command=[sys.executable]))
