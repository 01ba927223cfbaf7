import gocept.filestore.disk.process
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import importlib.metadata
import os
import re
import signal
import subprocess
import sys
import unittest


COMMANDS = {
    'prepare': ['STORE', '--mode'],
    'publish': ['STORE', 'FILE...', '--files-from LIST', '--null', '--name',
                '--replace', '--mode'],
    'list': ['STORE', '[SPACE]', '--null'],
    'move': ['STORE', 'NAME...', '--no-replace'],
    'copy': ['STORE', 'NAME...', '--no-replace'],
    'remove': ['STORE', 'NAME...'],
    'run': ['STORE', 'COMMAND ARG...', '--workers', '--remove', '--watch'],
    'failed': ['STORE', '--include PATTERN', '--reason TEXT', '--group'],
    'show': ['STORE', 'NAME', '--json'],
    'retry': ['STORE', 'NAME...', '--all', '--exclude PATTERN', '--dry-run'],
    'clean': ['STORE', '--older-than AGE', '--reason TEXT', '--yes'],
    'doctor': ['STORE', '--quiet', '--json', '--other PATH']}
# Runs a program and then tells how much memory it has needed.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""

# Runs the command line in one process with many odd arguments.
FUZZ = """
import gocept.filestore.__main__
import random
import sys
import traceback
words = [
    '', '-', '--', '-h', '--help', '-w', '-m', '-n', '-0', '--mode', '--name',
    '--replace', '--no-replace', '--workers', '--remove', '--null', '-x',
    '--name=', '--mode=-1', '--mode=99999', '--mode=1777777777777777777777',
    '--workers=0', '--workers=-1', '--workers=2', 'store', 'nostore', 'file',
    'a.txt', 'link', 'fifo', 'tmp', 'new', 'cur', 'work', 'failed',
    'attempts', 'attempts/', '.', '..', '../..', '/', '/etc/passwd', '\\n',
    'a\\nb', 'x' * 256, 'x' * 5000, '\\udcff', '{}', 'true', 'false', ' ',
    '660', '0', '*', '%s', '%(x)s', '{0}', '{0.filename}', '~', '$HOME']
verbs = sys.argv[1:]
choose = random.Random(1)
for number in range(400):
    args = [choose.choice(verbs)] if choose.random() < .95 else []
    if choose.random() < .6:
        args.append('store')
    args += [choose.choice(words) for count in range(choose.randrange(6))]
    try:
        status = gocept.filestore.__main__.main(args)
        assert status in (0, 1, 2), status
    except BaseException:
        print(args)
        traceback.print_exc(file=sys.stdout)
print('done')
"""


class Publish(gocept.filestore.tests.command.Case):

    def setUp(self):
        super().setUp()
        self.make('a.txt', 'a')
        self.make('b.txt', 'b')

    def make(self, name, content=''):
        path = self.directory / name
        path.write_text(content)
        return path

    def assertPublishes(self, names, *args, **kw):
        status, output, messages = self.filestore(
            'publish', 'store', *args, **kw)
        self.assertEqual((0, b''), (status, output))
        self.assertEqual([summary(len(names))], messages)
        self.assertEqual({'new': names} if names else {}, self.tree())

    def assertRefuses(self, message, *args, status=1, **kw):
        end = [summary(0, 1)] if status == 1 else []
        self.assertEqual(
            (status, b'', ['filestore: ' + message] + end),
            self.filestore('publish', 'store', *args, **kw))
        self.assertEqual({}, self.tree())

    def test_files(self):
        self.assertPublishes(['a.txt', 'b.txt'], 'b.txt', './a.txt')
        self.assertEqual('a', self.read('new', 'a.txt'))

    def test_makes_the_store(self):
        self.assertEqual(
            (0, b'', ["made the file store 'x/a store'", summary(1)]),
            self.filestore('publish', 'x/a store', 'a.txt'))

    def test_standard_input(self):
        data = bytes(range(256)) * 1000
        status, output, messages = self.filestore(
            'publish', 'store', '-', input=data)
        self.assertEqual((0, [summary(1)]), (status, messages))
        path, = (self.path / 'new').iterdir()
        self.assertRegex(path.name, r'^\d+\.M\d{6}P\d+Q\d+\.')
        self.assertEqual(data, path.read_bytes())

    def test_standard_input_between_files(self):
        self.assertEqual(
            (0, b'', [summary(3)]), self.filestore(
                'publish', 'store', 'a.txt', '-', 'b.txt', input=b''))
        self.assertEqual(3, len(self.tree()['new']))

    def test_name(self):
        self.assertPublishes(['x'], '--name', 'x', 'a.txt')
        self.assertEqual('a', self.read('new', 'x'))

    def test_name_of_standard_input(self):
        self.assertPublishes(['-'], '--name', '-', '-', input=b'')

    def test_metadata(self):
        self.assertEqual(0, self.filestore(
            'publish', 'store', 'a.txt', 'b.txt', '--metadata', 'a=b=c',
            '--metadata', 'ä b=', '--metadata', 'a=d')[0])
        for name in ('a.txt', 'b.txt'):
            [place] = self.store.history(name)
            self.assertEqual({'a': 'd', 'ä b': ''}, place['metadata'])

    def test_bad_metadata(self):
        for given in ('a', '=a', '=', ''):
            status, output, messages = self.filestore(
                'publish', 'store', 'a.txt', '--metadata', given)
            self.assertEqual((2, b''), (status, output))
            self.assertIn('%r is not like KEY=VALUE' % given, messages[-1])
        status, output, messages = self.filestore(
            'publish', 'store', 'a.txt', '--metadata', 'a=' + 'b' * 4000)
        self.assertEqual((2, b''), (status, output))
        self.assertIn('4000 characters at most, not 4001', messages[-1])
        self.assertEqual({}, self.tree())

    def test_name_for_several(self):
        self.assertRefuses('--name goes with a single FILE',
                           '--name', 'x', 'a.txt', 'b.txt', status=2)

    def test_bad_names(self):
        for name, reason in [('', 'it is empty'),
                             ('.x', 'it begins with a dot'),
                             ('../x', 'it contains a separator'),
                             ('x' * 256, 'it is longer than 255 bytes')]:
            self.assertEqual(
                (1, ["filestore: %r can not be the name of a file in the file "
                     "store 'store': %s" % (name, reason), summary(0, 1)]),
                self.forked('publish', 'store', '--name', name, 'a.txt'))
        self.assertEqual({}, self.tree())

    def test_hidden_file(self):
        self.make('.a')
        self.assertRefuses(
            "'.a' can not be the name of a file in the file store 'store': it "
            "begins with a dot", '.a')

    def test_odd_names(self):
        names = sorted(['-', ' ', 'a\nb', os.fsdecode(b'\xff'), '{}', '--'])
        self.assertPublishes(names, '--', *map(self.make, names))

    @gocept.filestore.tests.case.slow
    def test_taken(self):
        self.filestore('publish', 'store', 'a.txt')
        self.make('a.txt', 'newer')
        self.assertEqual(
            (1, b'', ["filestore: 'a.txt' in the file store 'store': there is "
                      "one in 'new'", summary(1, 1)]),
            self.filestore('publish', 'store', 'a.txt', 'b.txt'))
        self.assertEqual('a', self.read('new', 'a.txt'))
        self.assertEqual({'new': ['a.txt', 'b.txt']}, self.tree())

    def test_replace(self):
        self.put('new', 'a.txt', 'older')
        self.assertPublishes(['a.txt'], '--replace', 'a.txt')
        self.assertEqual('a', self.read('new', 'a.txt'))

    def test_one_name_twice(self):
        (self.directory / 'sub').mkdir()
        self.make('sub/a.txt', 'other')
        self.assertEqual(
            (1, b'', ["filestore: 'a.txt' in the file store 'store': there is "
                      "one in 'new'", summary(1, 1)]),
            self.filestore('publish', 'store', 'a.txt', 'sub/a.txt'))
        self.assertEqual('a', self.read('new', 'a.txt'))

    def test_no_files(self):
        self.assertRefuses("Missing argument 'FILE...'.", status=2)

    def test_nothing(self):
        self.assertRefuses("'': No such file or directory", '')

    def test_not_there(self):
        self.assertRefuses("'no\\n': No such file or directory", 'no\n')

    @gocept.filestore.tests.case.slow
    def test_directory(self):
        self.assertRefuses("'.': not a regular file", '.')
        self.assertRefuses("'store/': not a regular file", 'store/')

    @gocept.filestore.tests.case.slow
    def test_special_files(self):
        for name in ['gate', '/dev/zero', '/dev/tty0', '/dev/stdin']:
            status, output, messages = self.filestore(
                'publish', 'store', name, input=b'x')
            self.assertEqual((1, summary(0, 1)), (status, messages[-1]), name)
            self.assertEqual(2, len(messages))
        self.assertEqual({}, self.tree())

    def test_link_is_followed(self):
        (self.directory / 'link').symlink_to('a.txt')
        self.assertPublishes(['link'], 'link')
        self.assertFalse((self.path / 'new' / 'link').is_symlink())
        self.assertEqual('a', self.read('new', 'link'))

    def test_link_to_nowhere(self):
        (self.directory / 'link').symlink_to('link')
        self.assertRefuses(
            "'link': Too many levels of symbolic links", 'link')

    def test_holes_stay_holes(self):
        os.truncate(self.make('disk.img'), 1 << 30)
        self.assertPublishes(['disk.img'], 'disk.img')
        status = os.stat(self.path / 'new' / 'disk.img')
        self.assertEqual((1 << 30, 0), (status.st_size, status.st_blocks))

    def test_unreadable(self):
        self.make('secret').chmod(0)
        for space in ('tmp', 'new'):
            (self.path / space).chmod(0o777)
        self.assertEqual(
            (1, ["filestore: 'secret': Permission denied", summary(1, 1)]),
            self.filestore_as_nobody('publish', 'store', 'secret', 'a.txt'))
        self.assertEqual({'new': ['a.txt']}, self.tree())

    def test_forbidden_store(self):
        self.path.chmod(0o755)
        (self.path / 'tmp').chmod(0o555)
        self.addCleanup((self.path / 'tmp').chmod, 0o755)
        status, messages = self.filestore_as_nobody(
            'publish', 'store', 'a.txt')
        self.assertEqual((1, summary(0, 1)), (status, messages[-1]))
        self.assertRegex(
            messages[0], "^filestore: 'store/tmp/[^']+': Permission denied$")

    def test_store_is_a_file(self):
        status, output, messages = self.filestore(
            'publish', 'a.txt', 'b.txt')
        self.assertEqual((1, 1), (status, len(messages)))
        self.assertIn('it is in the way', messages[0])

    def test_standard_input_is_closed(self):
        status, output, messages = self.sh('filestore publish store - <&-')
        self.assertEqual((1, summary(0, 1)), (status, messages[-1]))
        self.assertEqual({}, self.tree())

    def test_standard_input_that_does_not_block_is_read_to_its_end(self):
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        process = self.start(
            'publish', 'store', '--name', 'x', '-', stdin=reader)
        os.write(writer, b'one')
        self.wait(lambda: os.listdir(self.path / 'tmp'))
        self.wait_for_sleep(process.pid)
        os.write(writer, b'two')
        os.close(writer)
        os.close(reader)
        self.assertEqual(0, self.finish(process)[0])
        self.assertEqual('onetwo', self.read('new', 'x'))

    def test_full_disk(self):
        self.make('big', 'x' * 100000)
        self.assertEqual(
            (1, ["filestore: 'store/new/big': File too large",
                 summary(1, 1)]),
            self.forked('publish', 'store', 'big', 'a.txt', size=8192))
        self.assertEqual({'new': ['a.txt']}, self.tree())

    def check_stopped(self, number):
        # A shell has tests in the background ignore it, and their children;
        # and so has nohup(1).
        with gocept.filestore.disk.process.handled(
                number, signal.default_int_handler):
            self.publish_until_stopped(number)

    def test_interrupted(self):
        self.check_stopped(signal.SIGINT)

    @gocept.filestore.tests.case.slow
    def test_terminated(self):
        self.check_stopped(signal.SIGTERM)

    @gocept.filestore.tests.case.slow
    def test_terminal_closed(self):
        self.check_stopped(signal.SIGHUP)

    def publish_until_stopped(self, number):
        process = self.start('publish', 'store', '-', stdin=subprocess.PIPE)
        self.wait(lambda: os.listdir(self.path / 'tmp'))
        self.wait_for_sleep(process.pid)
        process.send_signal(number)
        process.wait(60)  # or it would see the end of its input
        status, output, messages = self.finish(process)
        self.assertEqual((-number, 'filestore: interrupted'),
                         (status, messages[-1]))
        self.assertEqual({}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_memory_does_not_grow(self):
        self.make('big').write_bytes(b'x' * 2 ** 20 * 64)
        sizes = []
        for name in ('a.txt', 'big'):
            output = self.filestore(
                '-c', MEASURE, *gocept.filestore.tests.command.FILESTORE,
                'publish', 'store', name, command=[sys.executable])[1]
            sizes.append(int(output))
        self.assertLess(sizes[1] - sizes[0], 8 * 1024)
        self.assertEqual(2 ** 20 * 64, os.stat(
            self.path / 'new' / 'big').st_size)


class Listed(gocept.filestore.tests.command.Case):
    """The names of what is to be published are read from somewhere."""

    def setUp(self):
        super().setUp()
        self.names = sorted(['a', '-', ' ', '-0', os.fsdecode(b'\xff')])
        for name in self.names:
            (self.directory / name).write_text(name, errors='replace')

    def listed(self, end):
        return b''.join(os.fsencode(name) + end for name in self.names)

    def assertPublishes(self, *args, **kw):
        self.assertEqual(
            (0, b'', [summary(len(self.names))]),
            self.filestore('publish', 'store', *args, **kw))
        self.assertEqual({'new': self.names}, self.tree())

    def assertRefuses(self, status, messages, *args, **kw):
        self.assertEqual(
            (status, b'', messages),
            self.filestore('publish', 'store', *args, **kw))

    def test_lines(self):
        self.assertPublishes('--files-from', '-', input=self.listed(b'\n'))
        self.assertEqual('-', self.read('new', '-'))

    def test_last_line_has_no_end(self):
        self.assertPublishes('-T-', input=self.listed(b'\n')[:-1])

    def test_null(self):
        self.names.insert(3, '0\n0')
        (self.directory / '0\n0').touch()
        self.assertPublishes('-0', '-T', '-', input=self.listed(b'\0'))

    def test_null_that_is_not_told_of(self):
        status, _, messages = self.filestore(
            'publish', 'store', '-T-', input=b'0\0a\0')
        self.assertEqual((1, [
            "filestore: '0\\x00a\\x00': names that end with NUL want --null",
            summary(0, 1)]), (status, messages))

    def test_from_a_file(self):
        (self.directory / 'list').write_bytes(self.listed(b'\n'))
        self.assertPublishes('--files-from', 'list')

    def test_nothing(self):
        self.names = []
        self.assertEqual(
            (0, b'', [summary(0)]),
            self.filestore('publish', 'store', '-T-', input=b''))

    @gocept.filestore.tests.case.slow
    def test_longer_than_a_command_line(self):
        paths = [b'.' + b'/' * 4000 + b'a' for _ in range(600)]
        status, _, messages = self.filestore(
            'publish', '--replace', 'store', '-T-', input=b'\n'.join(paths))
        self.assertEqual((0, [summary(600)]), (status, messages))

    def test_each_as_soon_as_its_name_comes(self):
        process = self.start(
            'publish', 'store', '-T', '-', stdin=subprocess.PIPE)
        for name in ('a', ' '):
            process.stdin.write(name.encode() + b'\n')
            process.stdin.flush()
            self.wait(lambda name=name: (self.path / 'new' / name).exists())
        self.assertEqual((0, b'', [summary(2)]), self.finish(process))

    def test_what_is_wrong_with_one_does_not_keep_others(self):
        self.put('new', 'a', 'theirs')
        status, _, messages = self.filestore(
            'publish', 'store', '-T-', input=b'a\n\nno\n \n')
        self.assertEqual((1, [
            "filestore: '': No such file or directory",
            "filestore: 'no': No such file or directory",
            "filestore: 'a' in the file store 'store': there is one in 'new'",
            summary(1, 3)]), (status, messages))
        self.assertEqual({'new': [' ', 'a']}, self.tree())

    def test_list_that_is_not_there(self):
        self.assertRefuses(
            1, ["filestore: 'no': No such file or directory"],
            '-T', 'no')

    @gocept.filestore.tests.case.slow
    def test_wrong_usage(self):
        for args, message in (
                (['-T', 'list', 'a'],
                 '--files-from takes the place of FILE...'),
                (['-T', 'list', '--name', 'x'],
                 '--name goes with a single FILE')):
            self.assertRefuses(2, ['filestore: ' + message], *args)

    def test_standard_input_is_closed(self):
        status, _, messages = self.sh(
            'filestore publish store --files-from - <&-')
        self.assertEqual((1, {}), (status, self.tree()))
        self.assertEqual(
            ["filestore: '-': standard input is closed"], messages)


class Closed(gocept.filestore.tests.command.Case):

    @gocept.filestore.tests.case.slow
    def test_standard_input(self):
        self.assertEqual(
            (1, b'', ["filestore: '-': standard input is closed",
                      '0 files published, 1 failed']),
            self.sh('filestore prepare store 2>&-; '
                    'filestore publish store - <&-'))


class Mode(gocept.filestore.tests.command.Case):

    def publish(self, mode, *args, umask=0o022):
        path = self.directory / 'a'
        path.unlink(missing_ok=True)
        path.write_text('a')
        path.chmod(mode)
        with self.umask(umask):
            self.forked('publish', '--replace', 'store', 'a', *args)
        return self.path / 'new' / 'a'

    def test_no_more_readable_than_the_source(self):
        for mode, expected in [(0o644, 0o644), (0o600, 0o600), (0o666, 0o644),
                               (0o444, 0o444), (0o4755, 0o644)]:
            self.assertMode(expected, self.publish(mode))

    @gocept.filestore.tests.case.needs_root('read what nobody may read')
    def test_no_more_readable_than_a_source_without_rights(self):
        self.assertMode(0o0, self.publish(0o0))

    def test_umask(self):
        self.assertMode(0o600, self.publish(0o666, umask=0o077))

    def test_redirected(self):
        (self.directory / 'a').touch(0o600)
        self.sh('filestore publish store --name a - < a')
        self.assertMode(0o600, self.path / 'new' / 'a')

    def test_given(self):
        self.assertMode(0o660, self.publish(0o600, '--mode', '660'))
        self.assertMode(0o604, self.publish(0o600, '-m0604', umask=0o077))

    @gocept.filestore.tests.case.needs_root('give files to other groups')
    def test_other_group(self):
        os.chown(self.path / 'tmp', -1, 12345)
        (self.path / 'tmp').chmod(0o2755)
        for mode, expected in [(0o640, 0o600), (0o644, 0o644),
                               (0o604, 0o600), (0o664, 0o644)]:
            path = self.publish(mode)
            self.assertMode(expected, path)
            self.assertEqual(12345, path.stat().st_gid)

    def test_directories(self):
        self.assertEqual(
            (0, b'', ["prepared 'x/y'"]),
            self.filestore('prepare', '--mode', '2770', 'x/y'))
        self.assertMode(0o2770, self.directory / 'x' / 'y' / 'cur')

    def test_bad(self):
        for mode in ['', 'x', '8', 'u+x', '-1', '10000', '7' * 50]:
            for command in (['prepare', 'x'], ['publish', 'x', 'a']):
                with self.subTest(mode=mode, command=command):
                    self.assertEqual(
                        (2, ["filestore: Invalid value for '-m' / '--mode': "
                             "%r is no octal number like 660" % mode]),
                        self.forked(*command, '--mode', mode))
        self.assertFalse((self.directory / 'x').exists())


class Look(gocept.filestore.tests.command.Case):

    @gocept.filestore.tests.case.slow
    def test_spaces(self):
        self.assertEqual((0, b'', []), self.filestore('list', 'store'))
        for space in ('tmp', 'new', 'cur', 'work', 'failed', 'attempts'):
            self.put(space, 'in ' + space)
            self.assertEqual(
                (0, b'store/%(s)s/in %(s)s\n' % {b's': space.encode()}, []),
                self.filestore('list', 'store', space))

    def test_json(self):
        names = [os.fsdecode(b'\xff'), 'a\nb', '\xe4']
        for name in names:
            self.put('cur', name)
        status, output, messages = self.filestore(
            'list', '--json', 'store', 'cur')
        self.assertEqual((0, []), (status, messages))
        self.assertEqual(b'["store/cur/a\\nb", "store/cur/\\u00e4", '
                         b'"store/cur/\\udcff"]\n', output)
        self.assertEqual(
            (0, b'[]\n', []), self.filestore('list', '--json', 'store'))

    def test_json_has_no_nul(self):
        status, output, messages = self.filestore(
            'list', '--json', '--null', 'store')
        self.assertEqual(
            (2, b'', ['filestore: --json and --null exclude each other']),
            (status, output, messages))

    def test_unknown_space(self):
        status, output, messages = self.filestore('list', 'store', '../new')
        self.assertEqual((2, b'', 1), (status, output, len(messages)))

    @gocept.filestore.tests.case.slow
    def test_odd_names(self):
        for name in ['a\nb', '-', os.fsdecode(b'\xff')]:
            self.put('new', name)
        self.assertEqual(
            b'store/new/-\0store/new/a\nb\0store/new/\xff\0',
            self.filestore('list', '--null', 'store')[1])
        self.assertEqual(
            b'store/new/-\nstore/new/a\nb\nstore/new/\xff\n',
            self.filestore('list', 'store')[1])
        self.assertEqual(
            b'store/new/\xff\n', self.sh(
                'unset PYTHONUTF8; LC_ALL=C; filestore list store | tail -1'
            )[1])

    def test_odd_names_on_a_terminal(self):
        for name in ['\x1b[31m', os.fsdecode(b'\xff'), ' ', '\u6f22']:
            self.put('new', name)
        status, shown = self.in_terminal('list', 'store').finish()
        self.assertEqual(
            (0, ["'store/new/\\x1b[31m'", "'store/new/ '",
                 'store/new/\u6f22', "'store/new/\\udcff'"]),
            (status, shown.splitlines()))
        self.assertIn(
            '\x1b[31m\0', self.in_terminal('list', 'store', '-0').finish()[1])

    @gocept.filestore.tests.case.slow
    def test_reader_has_seen_enough(self):
        for number in range(2000):
            (self.path / 'new' / ('%0250d' % number)).touch()
        self.assertEqual(
            (0, b'0', []), self.sh('filestore list store | head -c 11 | '
                                   'tail -c 1'))
        self.assertEqual(
            (1, b'', []), self.sh('filestore list store | true; '
                                  'exit ${PIPESTATUS[0]}'))

    @gocept.filestore.tests.case.slow
    def test_streams_that_take_nothing(self):
        self.put('new', 'a')
        self.assertEqual(
            (1, b'', ['filestore: standard output: No space left on device']),
            self.sh('filestore list store > /dev/full'))
        self.assertEqual((0, b'', []), self.sh('filestore list store >&-'))
        self.assertEqual((1, b'', []), self.sh('filestore list no 2>&-'))
        self.assertEqual(
            (1, b'', []), self.sh('filestore publish store no 2>&-'))

    def test_what_is_no_file(self):
        (self.path / 'new' / 'link').symlink_to('/etc/passwd')
        (self.path / 'new' / 'directory').mkdir()
        os.mkfifo(self.path / 'new' / 'fifo')
        (self.path / 'new' / '.hidden').touch()
        self.assertEqual((0, b'', []), self.filestore('list', 'store'))


class ByHand(gocept.filestore.tests.command.Case):

    def check(self, status, messages, *args):
        self.assertEqual((status, b'', messages), self.filestore(*args))

    def missing(self, name, space='new'):
        return ("filestore: %r in the file store 'store': there is none in %r"
                % (name, space))

    def test_move(self):
        for name in 'abc':
            self.put('new', name)
        self.check(1, [self.missing('no'), '2 files moved, 1 failed'],
                   'move', 'store', 'new', 'cur', 'a', 'no', 'store/new/b')
        self.assertEqual({'new': ['c'], 'cur': ['a', 'b']}, self.tree())

    def test_copy(self):
        self.put('new', '-a')
        self.check(1, [self.missing('no'), '1 file copied, 1 failed'],
                   'copy', 'store', 'new', 'cur', 'no', '--', '-a')
        self.assertEqual({'new': ['-a'], 'cur': ['-a']}, self.tree())

    def test_remove(self):
        for name in 'abc':
            self.put('cur', name)
        self.check(1, [self.missing('no', 'cur'), '2 files removed, 1 failed'],
                   'remove', 'store', 'cur', 'no', 'a', 'x/y/b')
        self.assertEqual({'cur': ['c']}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_no_replace(self):
        self.put('new', 'a', 'newer')
        self.put('cur', 'a', 'older')
        for verb, done in [('move', 'moved'), ('copy', 'copied')]:
            self.check(1, ["filestore: 'a' in the file store 'store': there "
                           "is one in 'cur'", '0 files %s, 1 failed' % done],
                       verb, '-n', 'store', 'new', 'cur', 'a')
        self.assertEqual('older', self.read('cur', 'a'))
        self.check(0, ['1 file moved, 0 failed'],
                   'move', 'store', 'new', 'cur', 'a')
        self.assertEqual('newer', self.read('cur', 'a'))

    def test_bad_names(self):
        for args in (['remove', 'store', 'new'],
                     ['move', 'store', 'new', 'cur']):
            for name in ('', '..', 'x/', '.hidden', 'x' * 256):
                status, messages = self.forked(*args, name)
                self.assertEqual((1, 2), (status, len(messages)))
                self.assertIn('can not be the name', messages[0])

    @gocept.filestore.tests.case.slow
    def test_special_files(self):
        os.mkfifo(self.path / 'new' / 'fifo')
        (self.path / 'new' / 'link').symlink_to('/etc/passwd')
        for verb in ('move', 'copy'):
            status, output, messages = self.filestore(
                verb, 'store', 'new', 'cur', 'fifo', 'link')
            self.assertEqual((1, 3), (status, len(messages)))
        self.assertEqual({'new': ['fifo', 'link']}, self.tree())

    def test_work_is_not_touched(self):
        self.put('work', 'a')
        self.assertEqual(
            2, self.filestore('remove', 'store', 'work', 'a')[0])
        self.assertEqual({'work': ['a']}, self.tree())


class Usage(gocept.filestore.tests.command.Case):

    @gocept.filestore.tests.case.slow
    def test_store_is_not_there(self):
        for command in (['list'], ['move', 'new', 'cur', 'a'],
                        ['copy', 'new', 'cur', 'a'], ['remove', 'new', 'a']):
            command.insert(1, 'a store')
            self.assertEqual(
                (1, b'', ["filestore: there is no file store in 'a store', "
                          "make it with: filestore prepare 'a store'"]),
                self.filestore(*command))
        self.assertFalse((self.directory / 'a store').exists())

    @gocept.filestore.tests.case.slow
    def test_what_is_to_be_typed_works(self):
        for store in ["it's", '-dash', '$HOME', '{}', 'a b', 'a\nb']:
            message, = self.filestore('list', '--', store)[2]
            line = message.partition('make it with: ')[2]
            self.assertEqual(0, self.sh(line)[0])
            self.assertTrue((self.directory / store / 'cur').is_dir())

    @gocept.filestore.tests.case.slow
    def test_prepare(self):
        for _again in range(2):
            self.assertEqual((0, b'', ["prepared 'x'"]),
                             self.filestore('prepare', 'x'))
        (self.directory / 'y').touch()
        status, output, messages = self.filestore('prepare', 'y')
        self.assertEqual((1, 1), (status, len(messages)))
        self.assertIn("'y'", messages[0])

    def test_empty_store(self):
        for command in COMMANDS:
            self.assertEqual(
                (2, ["filestore: Invalid value for 'STORE': the path of a "
                     "file store can not be empty"]),
                self.forked(command, '', 'new', 'cur', '{}'))

    @gocept.filestore.tests.case.slow
    def test_help(self):
        status, output, messages = self.filestore('--help')
        self.assertEqual((0, []), (status, messages))
        for command, words in COMMANDS.items():
            self.assertIn(b'\n  %s ' % command.encode(), output)
            status, text, messages = self.filestore(command, '--help')
            self.assertEqual((0, []), (status, messages))
            for word in words:
                self.assertIn(word, text.decode())

    def test_no_command(self):
        status, output, messages = self.filestore()
        self.assertEqual((2, b''), (status, output))
        for command in COMMANDS:
            self.assertIn(command, '\n'.join(messages).split())
        status, output, messages = self.filestore('nonsense')
        self.assertEqual((2, 1), (status, len(messages)))

    @unittest.skipUnless(
        list(importlib.metadata.distributions(name='gocept.filestore')),
        'the distribution is not installed')
    def test_version(self):
        version = importlib.metadata.version('gocept.filestore')
        self.assertEqual(
            (0, b'gocept.filestore %s\n' % version.encode(), []),
            self.filestore('--version'))

    @gocept.filestore.tests.case.slow
    def test_odd_arguments(self):
        self.put('new', 'a.txt')
        (self.directory / 'a.txt').touch()
        (self.directory / 'file').touch()
        (self.directory / 'link').symlink_to('nowhere')
        os.mkfifo(self.directory / 'fifo')
        status, output, messages = self.filestore(
            '-c', FUZZ, *COMMANDS, command=[sys.executable])
        self.assertEqual(
            b'done', output.splitlines()[-1], output[-1000:])
        self.assertNotIn(b'Traceback', output, output[-5000:])


class OnTerminal(gocept.filestore.tests.command.Case):

    def test_progress(self):
        names = ['file-%d' % number for number in range(3)]
        for name in names:
            (self.directory / name).touch()
        status, shown = self.in_terminal(
            'publish', 'store', *names, 'missing').finish()
        self.assertEqual(1, status)
        self.assertIn('0/4 [', shown)
        self.assertIn(
            "\rfilestore: 'missing': No such file or directory\r\n", shown)
        self.assertTrue(shown.endswith(summary(3, 1) + '\r\n'), shown)

    def test_bar_leaves_room_for_an_interrupt(self):
        # Which the terminal shows, and which would begin another line.
        names = ['%s' % number for number in range(9)]
        for name in names:
            (self.directory / name).touch()
        status, shown = self.in_terminal(
            'publish', 'store', *names, columns=40).finish()
        self.assertEqual(0, status)
        self.assertEqual(38, max(map(len, re.split('[\r\n]', shown))))

    def test_what_is_typed(self):
        # There is no bar behind which one would type, and one end is enough.
        (self.directory / 'a').touch()
        for args, typed in (
                (['-', 'a'], b'six\n\x04'), (['-T-'], b'a\n\x04')):
            terminal = self.in_terminal(
                'publish', 'store', '--replace', *args)
            terminal.type(typed)
            status, shown = terminal.finish()
            self.assertEqual(0, status)
            self.assertNotIn('[00:', shown)

    def test_output_of_commands_is_not_eaten(self):
        for name in 'abc':
            self.put('new', name)
        status, shown = self.in_terminal(
            'run', 'store', '--', 'sh', '-c', 'printf "%s;" "${1##*/}"; '
            '[ "${1##*/}" != b ]', 'sh', '{}').finish()
        self.assertEqual(1, status)
        self.assertEqual(
            "a;b;filestore: 'b': the command exited with status 1; will be "
            'tried again\r\nc;2 files processed, 1 failed\r\n', shown)


def summary(published, failed=0):
    return '%s %s published, %s failed' % (
        published, 'file' if published == 1 else 'files', failed)
