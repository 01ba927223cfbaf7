import contextlib
import errno
import fcntl
import gocept.filestore.cli.run
import gocept.filestore.cli.worker
import gocept.filestore.disk.process
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import os
import shutil
import signal
import sys
import time


# The command tells that it runs, then waits at the gate.
WAIT = ('sh', '-c', 'echo $$ >> started; read x < gate', '-', '{}')
BLOCKED = (
    sys.executable, '-c', 'import os, signal, sys\n'
    'signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n'
    'os.execv(sys.argv[1], sys.argv[1:])',
    *gocept.filestore.tests.command.FILESTORE)
LOG = ('sh', '-c', 'basename "$1" >> log', '-', '{}')


class RunCase(gocept.filestore.tests.command.Case):

    def publish(self, *names):
        for name in names:
            with self.store.publish(name, 'wb') as file:
                file.write(os.fsencode(name))

    def run_store(self, *args, **kw):
        """Run a command for what is in the store.

        Return the exit status and the messages.
        """
        status, output, messages = self.filestore('run', 'store', *args, **kw)
        self.assertEqual(b'', output)
        return status, messages

    def run_once(self, *args, **kw):
        """Do the same, and give up what has failed."""
        return self.run_store('--attempts', '1', *args, **kw)

    def start_waiting(self, number, *args):
        """Start a runner; return when so many of its commands run."""
        process = self.start('run', 'store', *args, '--', *WAIT)
        self.wait_for_commands(number)
        return process

    def wait_for_commands(self, number):
        self.wait(lambda: len(self.lines('started')) == number)

    def commands(self):
        """Return the process ids of the commands that were started."""
        return [int(line) for line in self.lines('started')]

    def assertFinished(self, process, status, *messages):
        self.assertEqual(
            (status, list(messages)), self.finish(process)[::2])


class Run(RunCase):

    def test_workers_run_at_the_same_time(self):
        self.publish(*'abcdef')
        process = self.start_waiting(4, '--workers', '4')
        self.assertEqual(
            {'new': ['e', 'f'], 'work': ['a', 'b', 'c', 'd']}, self.tree())
        self.release(6)
        self.assertFinished(process, 0, '6 files processed, 0 failed')
        self.assertEqual({'cur': [*'abcdef']}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_two_runners_process_200_files_once(self):
        names = ['file-%03d' % number for number in range(200)]
        self.publish(*names)
        processes = [
            self.start('run', 'store', '-w', '3', '--', *LOG)
            for number in range(2)]
        results = [self.finish(process) for process in processes]
        self.assertEqual([0, 0], [result[0] for result in results])
        self.assertEqual(names, sorted(self.lines('log')))
        self.assertEqual({'cur': names}, self.tree())
        self.assertEqual(200, sum(
            int(result[2][-1].split()[0]) for result in results))

    def test_nothing_waits(self):
        self.assertEqual(
            (0, ['0 files processed, 0 failed']),
            self.run_store('--', 'false', '{}'))

    def test_oldest_first(self):
        self.publish(*'cab')
        self.run_store('--', *LOG)
        self.assertEqual([*'cab'], self.lines('log'))

    def test_failures_go_to_failed_and_the_others_on(self):
        self.publish('2', '0', '3')
        status, messages = self.run_once(
            '--', 'sh', '-c', 'exit $(cat "$1")', '-', '{}')
        self.assertEqual(1, status)
        self.assertEqual([
            "filestore: '2': the command exited with status 2; given up",
            "filestore: '3': the command exited with status 3; given up",
            '1 file processed, 2 failed'], messages)
        self.assertEqual(
            {'cur': ['0'], 'failed': ['2', '3'], 'attempts': ['2', '3']},
            self.tree())

    def test_command_killed(self):
        self.publish('KILL', '40', 'SEGV')
        status, messages = self.run_once(
            '--', 'bash', '-c', 'kill -$(cat "$1") $$; sleep 60', '-', '{}')
        self.assertEqual(1, status)
        self.assertEqual([
            "filestore: 'KILL': the command was killed by SIGKILL; given up",
            "filestore: '40': the command was killed by signal 40; given up",
            "filestore: 'SEGV': the command was killed by SIGSEGV; given up",
            '0 files processed, 3 failed'], messages)
        self.assertEqual(['40', 'KILL', 'SEGV'], self.tree()['failed'])

    @gocept.filestore.tests.case.slow
    def test_command_terminated_while_nobody_stops_us(self):
        self.publish('a')
        status, messages = self.run_store('--', 'sh', '-c', 'exit 143', '{}')
        self.assertEqual([
            "filestore: 'a': the command exited with status 143; "
            "will be tried again",
            '0 files processed, 1 failed'], messages)

    def test_remove(self):
        self.publish('a', 'b')
        self.assertEqual(
            (0, ['2 files processed, 0 failed']),
            self.run_store('--remove', '--', *LOG))
        self.assertEqual({}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_watch_picks_up_what_comes_later(self):
        process = self.start('run', 'store', '--watch', '--', *LOG)
        for name in 'abc':
            self.publish(name)
            self.wait((self.path / 'cur' / name).exists)
        process.send_signal(signal.SIGTERM)
        self.assertFinished(
            process, -signal.SIGTERM, '3 files processed, 0 failed')

    def test_output_of_the_commands(self):
        self.publish('a')
        status, output, messages = self.filestore(
            'run', 'store', '--', 'cat', '{}')
        self.assertEqual(b'a', output)


class Started(RunCase):
    """What is started, and what it is started with."""

    def test_braces(self):
        self.publish('{}')
        self.assertEqual((0, b'<%(path)s %(path)s>\n--{}x\n' % {
            b'path': os.fsencode(self.path / 'work' / '{}')}),
            self.filestore('run', 'store', '--', 'sh', '-c',
                           'echo "$1"; echo "--$(basename "$2")"', '-',
                           '<{} {}>', '{}x')[:2])

    def test_odd_names(self):
        names = ['-rf', '--', ' a b ', 'a\nb', '"', "'", '$(false)', '*', '\\',
                 '{}', 'a{}b', 'ü', os.fsdecode(b'\xff\xfe'), 'x' * 255]
        self.publish(*names)
        status, output, messages = self.filestore(
            'run', 'store', '--', 'sh', '-c',
            'printf "%s\\0" "$1"; cat "$1" > /dev/null', '-', '{}')
        self.assertEqual((0, ['14 files processed, 0 failed']),
                         (status, messages))
        self.assertEqual(
            [os.fsencode(self.path / 'work' / name) for name in names],
            output.split(b'\0')[:-1])

    def test_failure_of_an_odd_name_is_one_line(self):
        self.publish('a\nb', os.fsdecode(b'\xff'))
        status, messages = self.run_store('--', 'false', '{}')
        self.assertEqual([
            "filestore: 'a\\nb': the command exited with status 1; "
            "will be tried again",
            "filestore: '\\udcff': the command exited with status 1; "
            "will be tried again",
            '0 files processed, 2 failed'], messages)

    @gocept.filestore.tests.case.slow
    def test_odd_stores(self):
        (self.directory / 'elsewhere' / 'target').mkdir(parents=True)
        (self.directory / 'link').symlink_to('elsewhere/target')
        for store in [' a store', '-store', 'a\nb', os.fsdecode(b'\xff'),
                      '{}', 'link/../store', './other/']:
            self.filestore('publish', '--name', 'a', '--', store, '-')
            status, output, messages = self.filestore(
                'run', '--', store, 'sh', '-c', 'cat "$1"; echo "$1"', '-',
                '{}')
            with self.subTest(store):
                self.assertEqual(
                    (0, ['1 file processed, 0 failed']), (status, messages))
                self.assertEqual(
                    os.path.join(self.directory, store, 'work', 'a'),
                    os.fsdecode(output)[:-1])

    def test_standard_input_is_left_alone(self):
        self.publish('a', 'b')
        status, output, messages = self.sh(
            'filestore run store -- sh -c cat {}; cat', input=b'rest')
        self.assertEqual(b'rest', output)

    def test_there_is_no_terminal_to_ask_on(self):
        self.publish('a')
        terminal = self.in_terminal(
            'run', 'store', '--attempts', '1', '--', 'sh', '-c',
            'read answer < /dev/tty || exit 7', '{}')
        status, shown = terminal.finish()
        self.assertEqual(1, status)
        self.assertIn("'a': the command exited with status 7", shown)
        self.assertEqual(['a'], self.tree()['failed'])

    def test_parent_that_ignores_the_end_of_children(self):
        # As systemd does with IgnoreSIGCHLD; nobody keeps a status then.
        self.publish('a', 'b')
        parent = ('sh', '-c', 'trap "" CHLD; exec "$@"', '-',
                  *gocept.filestore.tests.command.FILESTORE)
        status, messages = self.run_once(
            '--', 'sh', '-c', 'test ${1##*/} = a || '
            'grep SigIgn /proc/$$/status > ignored; exit 3', '-', '{}',
            command=parent)
        self.assertEqual((1, [
            "filestore: 'a': the command exited with status 3; given up",
            "filestore: 'b': the command exited with status 3; given up",
            '0 files processed, 2 failed']), (status, messages))
        ignored = int(self.lines('ignored')[0].split()[1], 16)
        self.assertFalse(ignored >> signal.SIGCHLD - 1 & 1)

    def test_parent_that_blocks_signals(self):
        process = self.start('run', 'store', '--watch', '--', *LOG,
                             command=BLOCKED)
        self.publish('a')
        self.wait((self.path / 'cur' / 'a').exists)
        process.send_signal(signal.SIGTERM)
        self.assertFinished(
            process, -signal.SIGTERM, '1 file processed, 0 failed')

    def test_not_executable(self):
        (self.directory / 'command').write_text('#!/bin/sh\n')
        self.assertEqual(
            (2, ["filestore: there is no command './command'"]),
            self.run_store('--', './command', '{}'))

    def test_vanished_after_the_check(self):
        command = self.directory / 'command'
        command.write_text('#!/bin/sh\nrm command\n')
        command.chmod(0o755)
        self.publish('a', 'b', 'c')
        self.assertEqual(
            (1, ["filestore: './command': No such file or directory",
                 '1 file processed, 0 failed']),
            self.run_store('--', './command', '{}'))
        self.assertEqual({'cur': ['a'], 'new': ['b', 'c']}, self.tree())

    def test_no_program(self):
        command = self.directory / 'command'
        command.write_bytes(b'\x7fnot a program')
        command.chmod(0o755)
        self.publish('a')
        self.assertEqual(
            (1, ["filestore: './command': Exec format error",
                 '0 files processed, 0 failed']),
            self.run_store('-w', '3', '--', './command', '{}'))
        self.assertEqual({'new': ['a']}, self.tree())

    def test_takes_the_file_away(self):
        self.publish('a', 'b')
        message = gocept.filestore.cli.run.GONE
        self.assertEqual(
            (1, ["filestore: 'a': " + message, "filestore: 'b': " + message,
                 '0 files processed, 2 failed']),
            self.run_store('--', 'mv', '{}', '.'))
        self.assertEqual({}, self.tree())
        self.assertEqual(['b'], self.lines('b'))

    def test_takes_the_file_away_and_fails(self):
        self.publish('a')
        self.assertEqual(
            (1, ["filestore: 'a': the file has gone: the command has taken it "
                 'away, which goes with --remove only, or another process has '
                 'taken it over', '0 files processed, 1 failed']),
            self.run_store('--', 'sh', '-c', 'rm "$1"; exit 3', '-', '{}'))
        self.assertEqual({}, self.tree())

    def test_takes_the_file_away_while_watching(self):
        self.publish('a')
        process = self.start(
            'run', 'store', '--watch', '--', 'mv', '{}', '.')
        self.wait((self.directory / 'a').exists)
        self.wait(lambda: unlocked(self.directory / 'a'))
        process.send_signal(signal.SIGTERM)
        self.assertFinished(
            process, -signal.SIGTERM,
            "filestore: 'a': " + gocept.filestore.cli.run.GONE,
            '0 files processed, 1 failed')

    def test_takes_the_file_away_with_remove(self):
        self.publish('a', 'b')
        self.assertEqual(
            (0, ['2 files processed, 0 failed']),
            self.run_store('--remove', '--', 'mv', '{}', '.'))

    @gocept.filestore.tests.case.slow
    def test_background_process_keeps_nothing(self):
        for args in [['true'], ['true', '--remove'], ['false']]:
            result, *options = args
            command = ['sh', '-c', '(read x < gate) > /dev/null 2>&1 & '
                       + result, '-', '{}']
            for number in range(2):
                self.publish('a')
                with self.subTest(args, number=number):
                    status, messages = self.run_once(
                        *options, '--', *command)
                    self.assertEqual(
                        {'true': '1 file processed, 0 failed',
                         'false': '0 files processed, 1 failed'}[result],
                        messages[-1])
        for file in [*self.path.glob('*/a'), *self.path.glob('*/a.~*')]:
            self.assertTrue(unlocked(file), file)
        self.release(6)

    def test_usage(self):
        for args, message in [
                (['store', '--', 'cat'],
                 'COMMAND has no {} to put the path in'),
                (['store', '--', '{}'], "there is no command '{}'"),
                (['store', '--', '', '{}'], "there is no command ''"),
                (['store'], "Missing argument 'COMMAND ARG...'."),
                ([], "Missing argument 'STORE'."),
                (['store', 'cat', '-x', '{}'], "No such option '-x'."),
                (['store', '-w', 'x', '--', 'cat', '{}'],
                 "Invalid value for '-w' / '--workers': 'x' is not a valid "
                 "integer range.")]:
            with self.subTest(args):
                self.assertEqual(
                    (2, ['filestore: ' + message]),
                    self.forked('run', *args))


class Stopped(RunCase):

    def check_stopped(self, number):
        self.publish('a', 'b', 'c')
        process = self.start_waiting(1)
        process.send_signal(number)
        self.wait_for_sleep(process.pid)
        os.kill(self.commands()[0], 0)
        self.assertEqual({'work': ['a'], 'new': ['b', 'c']}, self.tree())
        self.release(3)
        self.assertFinished(process, -number, '1 file processed, 0 failed')
        self.assertEqual({'cur': ['a'], 'new': ['b', 'c']}, self.tree())

    def test_terminated(self):
        self.check_stopped(signal.SIGTERM)

    @gocept.filestore.tests.case.slow
    def test_interrupted(self):
        self.check_stopped(signal.SIGINT)

    def test_terminal_closed(self):
        # The tests may run below nohup(1).
        with gocept.filestore.disk.process.handled(
                signal.SIGHUP, signal.SIG_DFL):
            self.check_stopped(signal.SIGHUP)

    def test_terminal_closed_after_nohup(self):
        self.publish('a', 'b')
        with gocept.filestore.disk.process.handled(
                signal.SIGHUP, signal.SIG_IGN):
            process = self.start_waiting(1)
        process.send_signal(signal.SIGHUP)
        self.release(2)
        self.assertFinished(process, 0, '2 files processed, 0 failed')

    def test_many_signals(self):
        # One may interrupt the handler of the other, or go to a thread.
        self.publish('a')
        with gocept.filestore.disk.process.handled(
                signal.SIGHUP, signal.SIG_DFL):
            process = self.start_waiting(1, '--watch', '--workers', '4')
        for number in [signal.SIGTERM, signal.SIGHUP] * 50:
            process.send_signal(number)
        self.release()
        status, output, messages = self.finish(process)
        self.assertIn(status, (-signal.SIGTERM, -signal.SIGHUP))
        self.assertEqual(['1 file processed, 0 failed'], messages)

    @gocept.filestore.tests.case.slow
    def test_interrupted_by_the_keyboard(self):
        self.publish('a', 'b')
        terminal = self.in_terminal('run', 'store', '--', *WAIT)
        self.wait_for_commands(1)
        terminal.interrupt()
        self.wait_for_sleep(terminal.process.pid)
        # It would not be asked for another line if it had been interrupted.
        self.release(2)
        status, shown = terminal.finish()
        self.assertEqual(-signal.SIGINT, status)
        self.assertEqual('\r\n1 file processed, 0 failed\r\n', shown)
        self.assertEqual({'cur': ['a'], 'new': ['b']}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_with_the_command(self):
        # As a service manager does, which knows no order.
        for end, message in [
                ('read x < gate', 'killed'),
                ('trap "exit 143" TERM; while :; do sleep .01; done', '143')]:
            with self.subTest(message):
                self.publish('a', 'b')
                process = self.start(
                    'run', 'store', '--', 'sh', '-c',
                    'echo $$ > started; ' + end, '{}')
                self.wait_for_commands(1)
                os.kill(self.commands()[0], signal.SIGTERM)
                process.send_signal(signal.SIGTERM)
                self.assertFinished(
                    process, -signal.SIGTERM, '0 files processed, 0 failed')
                self.assertEqual({'new': ['a', 'b']}, self.tree())
                (self.directory / 'started').unlink()
                for path in self.path.glob('new/*'):
                    path.unlink()

    @gocept.filestore.tests.case.slow
    def test_command_killed_by_hand_afterwards(self):
        self.publish('a')
        process = self.start_waiting(1)
        process.send_signal(signal.SIGTERM)
        self.wait_for_sleep(process.pid)
        os.kill(self.commands()[0], signal.SIGKILL)
        self.assertFinished(
            process, -signal.SIGTERM, '0 files processed, 0 failed')
        self.assertEqual({'new': ['a']}, self.tree())

    def test_command_fails_afterwards(self):
        self.publish('a')
        process = self.start(
            'run', 'store', '--', 'sh', '-c',
            'echo $$ > started; read x < gate; exit 3', '{}')
        self.wait_for_commands(1)
        process.send_signal(signal.SIGTERM)
        self.release()
        self.assertFinished(
            process, -signal.SIGTERM,
            "filestore: 'a': the command exited with status 3; "
            "will be tried again",
            '0 files processed, 1 failed')

    @gocept.filestore.tests.case.slow
    def test_killed(self):
        self.publish('a', 'b')
        process = self.start_waiting(1)
        process.kill()
        process.wait()
        self.assertEqual(
            (0, ['1 file processed, 0 failed']), self.run_store('--', *LOG))
        self.assertEqual({'work': ['a'], 'cur': ['b']}, self.tree())
        os.kill(self.commands()[0], 0)
        self.release()
        self.wait(lambda: unlocked(self.path / 'work' / 'a'))
        self.assertEqual(
            (0, ['filestore: %s: the process of attempt 1 has died'
                 % (self.path / 'work' / 'a'),
                 '1 file processed, 0 failed']), self.run_store('--', *LOG))
        self.assertEqual(['b', 'a'], self.lines('log'))
        self.assertEqual({'cur': ['a', 'b']}, self.tree())


class Trouble(RunCase):
    """The disk, or somebody else, does not do what we want."""

    def test_no_store(self):
        self.assertEqual(
            (1, b'', ["filestore: there is no file store in '%s/no store', "
                      "make it with: filestore prepare '%s/no store'" % (
                          self.directory, self.directory)]),
            self.filestore('run', 'no store', '--', *LOG))

    @gocept.filestore.tests.case.slow
    def test_archive_is_gone(self):
        self.publish('a', 'b')
        status, messages = self.run_store(
            '--', 'sh', '-c', 'rmdir store/cur', '{}')
        self.assertEqual((1, 2), (status, len(messages)))
        self.assertIn('make it with: filestore prepare', messages[0])
        self.assertEqual('0 files processed, 0 failed', messages[1])
        self.assertEqual({'work': ['a'], 'new': ['b']}, self.tree())
        self.store.prepare()
        self.run_store('--', *LOG)
        self.assertEqual({'cur': ['a', 'b']}, self.tree())

    def test_archive_is_in_the_way(self):
        self.publish('a')
        status, messages = self.run_store(
            '--', 'sh', '-c', 'rmdir store/cur; touch store/cur', '{}')
        self.assertEqual((1, 2), (status, len(messages)))
        self.assertIn('it is in the way', messages[0])
        self.assertTrue((self.path / 'work' / 'a').exists())

    def test_archive_is_forbidden(self):
        self.publish('a')
        self.path.chmod(0o777)
        for name in ('new', 'work'):
            (self.path / name).chmod(0o777)
        (self.path / 'cur').chmod(0o755 if os.getuid() == 0 else 0o555)
        self.addCleanup((self.path / 'cur').chmod, 0o755)
        self.assertEqual(
            (1, ["filestore: '{0}/work/a' -> '{0}/cur/a': Permission denied"
                 .format(self.path), '0 files processed, 0 failed']),
            self.filestore_as_nobody('run', 'store', '--', 'true', '{}'))
        self.assertEqual({'work': ['a']}, self.tree())

    def test_unreadable_file_is_told_when_the_others_are_done(self):
        self.publish('a', 'b')
        for path in (self.path, *self.path.iterdir()):
            path.chmod(0o777)
        (self.path / 'new' / 'a').chmod(0o0)
        self.assertEqual(
            (1, ["filestore: '%s/new/a': Permission denied" % self.path,
                 '1 file processed, 0 failed']),
            self.filestore_as_nobody('run', 'store', '--', 'true', '{}'))
        self.assertEqual({'new': ['a'], 'cur': ['b']}, self.tree())

    def test_full_disk(self):
        self.publish('a')
        self.assertEqual(
            (1, ["filestore: '%s/attempts/a': File too large" % self.path,
                 '0 files processed, 0 failed']),
            self.forked('run', 'store', '--', 'false', '{}', size=0))
        self.assertEqual(['a'], self.tree()['work'])
        self.run_store('--', *LOG)
        self.assertEqual(['a'], self.lines('log'))

    def test_more_workers_than_can_open_files(self):
        self.assertEqual(
            (1, b'', ['filestore: Too many open files',
                      '0 files processed, 0 failed']),
            self.sh('ulimit -n 40; '
                    'filestore run store --workers 1000 -- true {}'))

    def test_nobody_reads_the_messages(self):
        self.publish('a', 'b')
        self.assertEqual(
            (1, b'', []), self.sh('filestore run store --attempts 1 '
                                  '-- false {} 2>&1 | '
                                  'true; exit ${PIPESTATUS[0]}'))
        self.assertEqual(
            {'failed': ['a', 'b'], 'attempts': ['a', 'b']}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_store_that_is_away_while_watching(self):
        process = self.start('run', 'store', '--watch', '-w', '3', '--', *LOG)
        self.publish('a')
        self.wait((self.path / 'cur' / 'a').exists)
        self.path.rename(self.directory / 'elsewhere')
        message = process.stderr.readline().decode()
        self.assertIn('can not claim: ', message)
        self.assertIn('has no directory', message)
        self.directory.joinpath('elsewhere').rename(self.path)
        self.publish('b')
        self.wait((self.path / 'cur' / 'b').exists)
        self.assertEqual(
            b'filestore: can claim again\n', process.stderr.readline())
        process.terminate()
        status, output, messages = self.finish(process)
        self.assertEqual((-signal.SIGTERM, '2 files processed, 0 failed'),
                         (status, messages[-1]))

    @gocept.filestore.tests.case.slow
    def test_archive_that_is_away_while_watching(self):
        process = self.start(
            'run', 'store', '--watch', '--delay', '0', '--', *LOG)
        self.publish('a')
        self.wait((self.path / 'cur' / 'a').exists)
        # One that is only renamed is used for a moment, wherever it lies.
        shutil.rmtree(self.path / 'cur')
        self.publish('b')
        message = process.stderr.readline().decode()
        self.assertIn("'b': there is no file store", message)
        (self.path / 'cur').mkdir()
        self.wait((self.path / 'cur' / 'b').exists)
        process.terminate()
        self.assertEqual(-signal.SIGTERM, self.finish(process)[0])

    @gocept.filestore.tests.case.slow
    def test_many_files_that_may_not_be_opened_are_told_of_once(self):
        self.publish('a', 'b', 'c')
        for space in ('', 'new', 'work', 'cur'):
            (self.path / space).chmod(0o777)
        for name in 'ab':
            (self.path / 'new' / name).chmod(0o0)
        with self.be_nobody():
            process = self.fork('run', 'store', '--watch', '--', 'true', '{}')
        self.wait((self.path / 'cur' / 'c').exists)
        self.publish('d')
        self.wait((self.path / 'cur' / 'd').exists)
        os.kill(process[0], signal.SIGTERM)
        self.assertEqual((-signal.SIGTERM, [
            "filestore: passed over for now: [Errno 13] Permission denied: "
            "'%s/new/a', and 1 more" % self.path,
            '2 files processed, 0 failed']), self.joined(*process))


class Words(RunCase):
    """What a consumer can be told."""

    def test_which_files(self):
        self.publish('a.txt', 'b.txt', 'a.csv')
        self.run_store('--include', '*.txt', '--include', '*.xml',
                       '--exclude', 'b*', '--', *LOG)
        self.assertEqual(['a.txt'], self.lines('log'))

    def test_order(self):
        self.publish(*'cab')
        self.run_store('--order', 'name', '--', *LOG)
        self.assertEqual([*'abc'], self.lines('log'))

    def test_keep(self):
        self.publish('a')
        self.run_store('--remove', '--keep', '--', *LOG)
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_quiet(self):
        self.publish('a')
        self.assertEqual(
            (0, ['0 files processed, 0 failed']),
            self.run_store('--quiet', '1h', '--', *LOG))
        self.assertEqual({'new': ['a']}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_rate(self):
        self.publish(*'abc')
        begin = time.monotonic()
        self.run_store('--rate', '4', '--', *LOG)
        self.assertGreater(time.monotonic() - begin, .5)

    def test_delays(self):
        self.publish('a', 'b')
        for options, first, last in [
                (['--delay', '2h'], 6400, 7201),
                (['--delay', '1m', '--max-delay', '1m'], 50, 61)]:
            self.run_store(*options, '--', 'false', '{}')
            with self.subTest(options):
                self.assertTrue(
                    first < self.store.status()['waiting']['next'] <= last)
            self.store.retry('a')
            self.store.retry('b')

    def test_delays_that_do_not_fit(self):
        self.assertEqual((2, [
            'filestore: the first delay is at least 0 and not longer than the '
            'longest, not 60.0 and 5.0']), self.forked(
                'run', 'store', '--max-delay', '5s', '--', 'cat', '{}'))


class Limited(RunCase):
    """A command may not run for ever."""

    def command(self, *words, timeout=.1, grace=60, number=1):
        workers = gocept.filestore.cli.worker.Workers(self.store, number)
        command = gocept.filestore.cli.run.Command(
            [*words, '{}'], workers, timeout=timeout, grace=grace)
        workers.run(command)
        return command

    def test_is_stopped_with_all_that_it_has_started(self):
        # A pipe ends when nobody has it open any more.
        self.publish('a')
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, reader)
            process = self.start(
                'run', 'store', '--timeout', '0.3', '--', 'sh', '-c',
                'sleep 60 & sleep 60', '{}')
            os.close(writer)
            self.assertFinished(
                process, 1, "filestore: 'a': the command took longer than 0.3 "
                'seconds; will be tried again', '0 files processed, 1 failed')
            self.assertEqual(b'', os.read(reader, 1))
        self.assertIn('took longer than 0.3', self.read('attempts', 'a'))

    def test_several_at_a_time(self):
        self.publish(*'abc')
        begin = time.monotonic()
        command = self.command('sh', '-c', 'sleep 60', number=3)
        self.assertEqual((0, 3), (command.finished, command.failed))
        self.assertLess(time.monotonic() - begin, 30)

    def test_who_is_in_time(self):
        self.publish('a')
        self.assertEqual(1, self.command('true', timeout=60).finished)

    def test_who_does_not_want_to_end(self):
        self.publish('a')
        command = self.command(
            'sh', '-c', 'trap "" TERM; while :; do sleep 1; done', grace=.1)
        self.assertEqual(1, command.failed)

    def test_who_ends_well_afterwards_is_late_all_the_same(self):
        self.publish('a')
        command = self.command(
            'sh', '-c', 'trap "exit 0" TERM; while :; do sleep .01; done')
        self.assertEqual((0, 1), (command.finished, command.failed))

    @gocept.filestore.tests.case.needs_root('start what it may not stop')
    def test_who_has_become_somebody_else(self):
        self.publish('a')
        self.assertEqual((0, True), self.child().run(
            'import gocept.filestore.cli.worker, os\n'
            'import gocept.filestore.disk.process\n'
            'bell = gocept.filestore.disk.process.Bell()\n'
            'session = gocept.filestore.cli.worker.Session(\n'
            '    ["sleep", "2"], store.claim().fileno(), {}, grace=0)\n'
            'os.setresuid(1, 1, 1)\n'
            'answer = session.wait(bell, .1)'))

    def test_kernel_that_does_not_know_how(self):
        self.publish('a', 'b')
        refused = (
            sys.executable, '-c', 'import sys\n'
            'import gocept.filestore.__main__\n'
            'import gocept.filestore.tests.refuse\n'
            'gocept.filestore.tests.refuse.refuse(38, "pidfd_open")\n'
            'sys.exit(gocept.filestore.__main__.main())')
        self.assertEqual(
            (1, ['filestore: Function not implemented']),
            self.run_store('--timeout', '5', '--', *LOG, command=refused))
        self.assertEqual(
            (0, ['2 files processed, 0 failed']),
            self.run_store('--', *LOG, command=refused))


class Abandoned(RunCase):
    """Who interrupts twice does not want to wait."""

    def interrupt_twice(self, *args, command=WAIT):
        process = self.start('run', 'store', *args, '--', *command)
        self.wait_for_commands(1)
        for _ in range(2):
            self.wait_for_sleep(process.pid)
            process.send_signal(signal.SIGINT)
        return process

    def test_files_go_back(self):
        self.publish('a', 'b')
        process = self.interrupt_twice('--watch')
        self.assertFinished(
            process, -signal.SIGINT, '0 files processed, 0 failed')
        self.assertEqual({'new': ['a', 'b']}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_interrupted_after_another_signal(self):
        self.publish('a')
        process = self.start_waiting(1)
        for number in (signal.SIGTERM, signal.SIGINT):
            self.wait_for_sleep(process.pid)
            process.send_signal(number)
        self.assertFinished(
            process, -signal.SIGTERM, '0 files processed, 0 failed')
        self.assertEqual({'new': ['a']}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_command_that_ends_in_its_own_way(self):
        for status, tree in [('0', {'cur': ['a']}), ('3', {'new': ['a']})]:
            self.publish('a')
            process = self.interrupt_twice(command=(
                'sh', '-c', 'trap "exit %s" TERM; echo $$ > started; '
                'while :; do sleep .01; done' % status, '{}'))
            with self.subTest(status):
                self.assertEqual(
                    -signal.SIGINT, self.finish(process)[0])
                self.assertEqual(tree, self.tree())
            (self.directory / 'started').unlink()
            self.store.remove('a', *tree)

    @gocept.filestore.tests.case.slow
    def test_by_the_keyboard(self):
        self.publish('a')
        terminal = self.in_terminal('run', 'store', '--', *WAIT)
        self.wait_for_commands(1)
        for _ in range(2):
            self.wait_for_sleep(terminal.process.pid)
            terminal.interrupt()
        self.assertEqual(-signal.SIGINT, terminal.finish()[0])
        self.assertEqual({'new': ['a']}, self.tree())


class Shown(RunCase):
    """What a command writes to the terminal is there to be read."""

    def test_each_line_with_an_end_or_without_one(self):
        self.publish(*'abc')
        status, shown = self.in_terminal(
            'run', 'store', '--', 'sh', '-c',
            'printf "<%s>\\nrest of it: %s" $(basename "$1") $1', '-',
            '{}').finish()
        self.assertEqual(0, status)
        self.assertEqual([
            '<a>', 'rest of it: %s/work/a<b>' % self.path,
            'rest of it: %s/work/b<c>' % self.path,
            'rest of it: %s/work/c3 files processed, 0 failed' % self.path],
            shown.splitlines())


class Command(RunCase):
    """The handler is used without the command line."""

    def test_counts(self):
        self.publish('a', 'b')
        workers = gocept.filestore.cli.worker.Workers(self.store)
        command = gocept.filestore.cli.run.Command(
            ['grep', '-q', 'a', '{}'], workers)
        workers.run(command)
        self.assertEqual((1, 1), (command.finished, command.failed))

    def test_takes_the_file_away_where_other_hosts_share_it(self):
        self.publish('a')
        workers = gocept.filestore.cli.worker.Workers(self.store)
        command = gocept.filestore.cli.run.Command(
            ['rm', '{}'], workers, keep=False)
        claim = self.store.claim()
        claim._work.is_local = False
        command(claim)
        self.assertEqual((1, 0), (command.finished, command.failed))

    def test_error_that_is_none_of_the_disk(self):
        def report(filename, error):
            raise ValueError('no paper')

        self.publish('a', 'b')
        workers = gocept.filestore.cli.worker.Workers(self.store)
        with self.assertRaisesRegex(ValueError, 'no paper'):
            workers.run(gocept.filestore.cli.run.Command(
                ['true'], workers, report=report))
        self.assertEqual({'cur': ['a'], 'new': ['b']}, self.tree())

    def test_no_descriptors_are_left(self):
        self.publish('a')
        error = self.child().run(
            'import gocept.filestore.cli.run\n'
            'import gocept.filestore.cli.worker, os, resource\n'
            'workers = gocept.filestore.cli.worker.Workers(store)\n'
            'command = gocept.filestore.cli.run.Command(["true"], workers)\n'
            'claim = store.claim()\n'
            'limits = resource.getrlimit(resource.RLIMIT_NOFILE)\n'
            'last = os.dup(0)\n'
            'os.close(last)\n'
            'resource.setrlimit(\n'
            '    resource.RLIMIT_NOFILE, (last + 1, limits[1]))\n'
            'command(claim)\n'
            'resource.setrlimit(resource.RLIMIT_NOFILE, limits)\n'
            'try:\n'
            '    workers.run(command)\n'
            'except OSError as error:\n'
            '    answer = error.errno, error.filename')
        self.assertEqual(
            (errno.EMFILE, os.path.join(self.path, 'work', 'a')), error)

    def test_no_descriptors_are_left_while_watching(self):
        # The consumer tells of what was given back.
        self.publish('a')
        self.assertEqual((errno.EMFILE, 1, 0), self.child().run(
            'import gocept.filestore.cli.run\n'
            'import gocept.filestore.cli.worker, os, resource\n'
            'command = gocept.filestore.cli.run.Command(\n'
            '    ["true"], gocept.filestore.cli.worker.Workers(\n'
            '        store, watch=True))\n'
            'claim = next(store.claims())\n'
            'limits = resource.getrlimit(resource.RLIMIT_NOFILE)\n'
            'last = os.dup(0)\n'
            'os.close(last)\n'
            'resource.setrlimit(\n'
            '    resource.RLIMIT_NOFILE, (last + 1, limits[1]))\n'
            'try:\n'
            '    command(claim)\n'
            'except OSError as error:\n'
            '    answer = error.errno, claim.given_back, command.failed\n'
            'resource.setrlimit(resource.RLIMIT_NOFILE, limits)'))
        self.assertEqual({'new': ['a']}, self.tree())


def unlocked(path):
    # Whether somebody has to wait is left to chance: no line for it alone.
    with open(path) as file, contextlib.suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
