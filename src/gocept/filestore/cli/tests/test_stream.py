"""Standard output and standard error that take nothing, or not all."""

import concurrent.futures
import gocept.filestore
import gocept.filestore.cli.command
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import itertools
import os
import pty
import shutil
import signal


GROUP = gocept.filestore.cli.command.filestore
SOME = [
    ['--help'],
    ['list', 'store'],
    ['publish', 'store', 'no', 'a.txt']]
# Each says something, and what it does to the files shows in the store.
ALL = [
    *SOME,
    ['--version'],
    [],
    ['nonsense'],
    ['list'],
    ['prepare', 'other'],
    ['list', 'no'],
    ['move', 'store', 'new', 'cur', 'no', 'a'],
    ['copy', 'store', 'new', 'cur', 'no', 'a'],
    ['remove', 'store', 'new', 'no', 'a'],
    ['run', 'store', '--', 'true', '{}'],
    ['run', 'store', '--attempts', '1', '--', 'false', '{}'],
    ['intake', '--quiet', '0.01', '.', 'store'],
    ['serve', 'no.zcml'],
    ['status', 'store'],
    ['check', 'store'],
    ['status', '--json', 'store'],
    ['failed', 'store'],
    ['show', 'store', 'failed'],
    ['retry', 'store', '--all'],
    ['clean', 'store', 'tmp'],
    ['settle', '--abort', 'store'],
    ['doctor', 'store'],
    ['web', 'store', '--listen', 'nowhere']]
COMMANDS = GROUP.list_commands(None)
HELP = [[name, '--help'] for name in COMMANDS]
KINDS = ('closed', 'full', 'unread')
OUTPUT, MESSAGES = '1', '2'  # as a shell calls them
EACH = (OUTPUT, MESSAGES)
FULL = 'filestore: standard output: No space left on device'


class Case(gocept.filestore.tests.command.Case):
    """There is a file that waits in the store, and one that has failed."""

    def setUp(self):
        super().setUp()
        self.put('new', 'failed')
        self.store.claim().fail(gocept.filestore.Reject('no paper'))
        self.put('new', 'a')
        reader, self.unread = os.pipe()
        os.close(reader)
        self.addCleanup(os.close, self.unread)

    def outcome(self, args, streams='', kind=None):
        """Run a command on a copy of the store, with such streams.

        Return exit status, number of lines, messages, and the files then.
        """
        name = '_'.join([*args, streams, str(kind)]).replace('/', '_')
        directory = self.directory / name
        shutil.copytree(self.path, directory / 'store')
        (directory / 'a.txt').touch()
        status, output, messages = self.filestore(
            '-c', 'cd -- "$1"; shift; exec "$@" ' + ' '.join(
                stream + self.target(kind) for stream in streams), 'bash',
            name, *gocept.filestore.tests.command.FILESTORE, *args,
            command=['bash'], pass_fds=[self.unread])
        return (status, output.count(b'\n'),
                [message.replace(name, '') for message in messages],
                names(directory / 'store'))

    def target(self, kind):
        return {'closed': '>&-', 'full': '>/dev/full',
                'unread': '>&%s' % self.unread}[kind]

    def check(self, commands, streams):
        """Compare with what is done when both streams take everything."""
        choices = list(itertools.product(commands, streams, KINDS))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            whole = dict(zip(map(str, commands),
                             pool.map(self.outcome, commands), strict=True))
            found = list(pool.map(lambda choice: self.outcome(*choice),
                                  choices))
        for args, (_status, lines, messages, _files) in whole.items():
            self.assertTrue(lines or messages, args)
        for (args, *how), outcome in zip(choices, found, strict=True):
            with self.subTest(args, how=how):
                self.assertEqual(expected(*how, *whole[str(args)]), outcome)


def names(store):
    return {path.name: sorted(os.listdir(path)) for path in store.iterdir()}


def expected(streams, kind, status, lines, messages, files):
    """Return the outcome with such streams, by the one with whole streams."""
    wanted = streams if kind != 'closed' else ''
    if OUTPUT in wanted and lines and kind == 'full':
        messages = [*messages, FULL]
    if OUTPUT in wanted and lines or MESSAGES in wanted and messages:
        status = status or 1
    return (status, 0 if OUTPUT in streams else lines,
            [] if MESSAGES in streams else messages, files)


class Some(Case):

    @gocept.filestore.tests.case.slow
    def test_some(self):
        self.check(SOME, EACH)

    def test_all_commands_are_in_the_table(self):
        self.assertEqual(
            set(COMMANDS), {args[0] for args in ALL if args
                            and args[0] in COMMANDS})


class All(Case):

    level = 2

    def test_all(self):
        self.check(ALL, [*EACH, OUTPUT + MESSAGES])

    def test_help(self):
        self.check(HELP, EACH)


class Output(Case):

    def fill(self):
        """Make more names than a pipe holds."""
        for number in range(500):
            self.put('new', '%0250d' % number, '')

    @gocept.filestore.tests.case.slow
    def test_reader_has_seen_enough(self):
        self.fill()
        for environment in ('', 'PYTHONUNBUFFERED=1'):
            with self.subTest(environment):
                self.assertEqual((0, b's', []), self.sh(
                    environment + ' filestore list store | head -c 1; '
                    'exit ${PIPESTATUS[0]}'))

    @gocept.filestore.tests.case.slow
    def test_reader_is_slow_and_the_pipe_does_not_wait(self):
        self.fill()
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        process = self.start('list', 'store', stdout=writer)
        os.close(writer)
        with open(reader, 'rb') as lines:
            self.assertTrue(lines.readline())
            self.wait_for_sleep(process.pid)
            self.assertEqual(500, len(lines.readlines()))
        self.assertEqual((0, None, []), self.finish(process))

    @gocept.filestore.tests.case.slow
    def test_disk_that_fills_up(self):
        self.fill()
        # Python itself, and who looks what it does, write files as well.
        alone = 'export PYTHONDONTWRITEBYTECODE=1; unset ${!COVERAGE*}; '
        for environment in ('', 'PYTHONUNBUFFERED=1'):
            with self.subTest(environment):
                self.assertEqual(
                    (1, b'8192\n',
                     ['filestore: standard output: File too large']),
                    self.sh('(%s ulimit -f 8; %s filestore list store > out); '
                            'status=$?; wc -c < out; exit $status'
                            % (alone, environment)))

    def test_completion(self):
        self.assertEqual((1, b'', [FULL]), self.sh(
            '_FILESTORE_COMPLETE=bash_source filestore > /dev/full'))

    def give_up(self):
        """Give up files whose names and reasons fit into no encoding."""
        for name in ('\u20ac', os.fsdecode(b'\xff')):
            self.put('new', name)
            self.store.claim().fail(
                gocept.filestore.interfaces.Reject('5 \u20ac'))

    def test_what_an_encoding_does_not_have_is_escaped(self):
        self.give_up()
        status, output, messages = self.sh(
            'PYTHONIOENCODING=latin-1 filestore failed store')
        self.assertEqual((0, []), (status, messages))
        self.assertEqual(2, output.count(b'Reject: 5 \\u20ac\n'))

    @gocept.filestore.tests.case.slow
    def test_of_any_encoding_and_command(self):
        self.give_up()
        for encoding in ('latin-1', 'ascii', 'ascii:strict', 'cp1252'):
            for command in ('failed store', 'status store', 'doctor store',
                            'list store failed', 'retry store \u20ac n\u20ac'):
                status, output, messages = self.sh(
                    'PYTHONIOENCODING=%s LC_ALL=C PYTHONUTF8=0 '
                    'PYTHONCOERCECLOCALE=0 filestore %s' % (encoding, command))
                self.assertIn(status, (0, 1))
                self.assertNotIn('codec', ''.join(messages))
                if encoding == 'ascii' and 'list' not in command:
                    self.assertTrue(output.isascii())

    @gocept.filestore.tests.case.slow
    def test_encoding(self):
        (self.path / 'failed' / 'failed').rename(self.path / 'failed' / 'ü')
        for environment, name in (
                ('PYTHONIOENCODING=latin-1', b'\xfc'),
                ('PYTHONUTF8=1', b'\xc3\xbc')):
            with self.subTest(environment):
                status, output, messages = self.sh(
                    environment + ' filestore failed store')
                self.assertEqual((0, []), (status, messages))
                self.assertEqual(name, output.splitlines()[1].split()[0])


class Messages(Case):

    def watch(self, messages):
        return self.start('run', 'store', '--attempts', '1', '--watch', '--',
                          'false', '{}', stderr=messages)

    def end(self, process):
        process.terminate()
        return process.wait(60)

    def test_work_goes_on(self):
        with open('/dev/full', 'w') as messages:
            process = self.watch(messages)
        self.put('new', 'b')
        self.wait(lambda: names(self.path)['failed'] == ['a', 'b', 'failed'])
        self.assertEqual(-signal.SIGTERM, self.end(process))

    @gocept.filestore.tests.case.slow
    def test_they_are_told_again_as_soon_as_there_is_room(self):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        size = os.write(writer, bytes(2 ** 20))
        process = self.watch(writer)
        os.close(writer)
        self.wait(lambda: 'a' in names(self.path)['failed'])
        self.wait_for_sleep(process.pid)
        with open(reader, 'rb') as lines:
            lines.read(size)
            self.put('new', 'b')
            self.assertEqual(
                b"filestore: 'b': the command exited with status 1; "
                b'given up\n',
                lines.readline())
            self.assertEqual(-signal.SIGTERM, self.end(process))
            self.assertEqual(b'0 files processed, 2 failed\n', lines.read())

    def test_terminal_is_gone(self):
        terminal, slave = pty.openpty()
        process = self.start(
            'run', 'store', '--', 'sh', '-c',
            'echo > started; read x < gate', '-', '{}', stderr=slave)
        os.close(slave)
        self.wait((self.directory / 'started').exists)
        os.close(terminal)
        self.release()
        self.assertEqual(1, process.wait(60))
        self.assertEqual(['a'], names(self.path)['cur'])
