import errno
import fcntl
import gocept.filestore.cli.run
import gocept.filestore.cli.worker
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import os
import signal


# The command tells that it runs, then waits at the gate.
WAIT = ('sh', '-c', 'echo $$ >> started; read x < gate', '-', '{}')
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

    def run_once(self, *args):
        """Do the same, and give up what has failed."""
        return self.run_store('--attempts', '1', *args)

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
            "filestore: '2': the command exited with status 2",
            "filestore: '3': the command exited with status 3",
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
            "filestore: 'KILL': the command was killed by SIGKILL",
            "filestore: '40': the command was killed by signal 40",
            "filestore: 'SEGV': the command was killed by SIGSEGV",
            '0 files processed, 3 failed'], messages)
        self.assertEqual(['40', 'KILL', 'SEGV'], self.tree()['failed'])

    @gocept.filestore.tests.case.slow
    def test_command_terminated_while_nobody_stops_us(self):
        self.publish('a')
        status, messages = self.run_store('--', 'sh', '-c', 'exit 143', '{}')
        self.assertEqual([
            "filestore: 'a': the command exited with status 143",
            '0 files processed, 1 failed'], messages)

    def test_remove(self):
        self.publish('a', 'b')
        self.assertEqual(
            (0, ['2 files processed, 0 failed']),
            self.run_store('--remove', '--', *LOG))
        self.assertEqual({}, self.tree())

    def test_watch_picks_up_what_comes_later(self):
        process = self.start('run', 'store', '--watch', '--', *LOG)
        for name in 'abc':
            self.publish(name)
            self.wait((self.path / 'cur' / name).exists)
        process.send_signal(signal.SIGTERM)
        self.assertFinished(process, 0, '3 files processed, 0 failed')

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
            "filestore: 'a\\nb': the command exited with status 1",
            "filestore: '\\udcff': the command exited with status 1",
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
        message = ('the command has taken the file away, which goes with '
                   '--remove only')
        self.assertEqual(
            (1, ["filestore: 'a': " + message, "filestore: 'b': " + message,
                 '0 files processed, 2 failed']),
            self.run_store('--', 'mv', '{}', '.'))
        self.assertEqual({}, self.tree())
        self.assertEqual(['b'], self.lines('b'))

    def test_takes_the_file_away_while_watching(self):
        self.publish('a')
        process = self.start(
            'run', 'store', '--watch', '--', 'mv', '{}', '.')
        self.wait((self.directory / 'a').exists)
        self.wait(lambda: unlocked(self.directory / 'a'))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(1, self.finish(process)[0])

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
        self.assertFinished(process, 0, '1 file processed, 0 failed')
        self.assertEqual({'cur': ['a'], 'new': ['b', 'c']}, self.tree())

    def test_terminated(self):
        self.check_stopped(signal.SIGTERM)

    @gocept.filestore.tests.case.slow
    def test_interrupted(self):
        self.check_stopped(signal.SIGINT)

    def test_many_signals(self):
        # One may interrupt the handler of the other, or go to a thread.
        self.publish('a')
        process = self.start_waiting(1, '--watch', '--workers', '4')
        for number in [signal.SIGTERM, signal.SIGINT] * 50:
            process.send_signal(number)
        self.release()
        self.assertFinished(process, 0, '1 file processed, 0 failed')

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
        self.assertEqual(0, status)
        self.assertTrue(
            shown.endswith('1 file processed, 0 failed\r\n'), shown)
        self.assertEqual({'cur': ['a'], 'new': ['b']}, self.tree())

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
                self.assertFinished(process, 0, '0 files processed, 0 failed')
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
        self.assertFinished(process, 0, '0 files processed, 0 failed')
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
            process, 1, "filestore: 'a': the command exited with status 3",
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
        (self.path / 'new').chmod(0o777)
        (self.path / 'cur').chmod(0o755 if os.getuid() == 0 else 0o555)
        self.addCleanup((self.path / 'cur').chmod, 0o755)
        self.assertEqual(
            (1, ["filestore: '%s/work/a': Permission denied" % self.path,
                 '0 files processed, 0 failed']),
            self.filestore_as_nobody('run', 'store', '--', 'true', '{}'))
        self.assertEqual({'work': ['a']}, self.tree())

    def test_unreadable_file_is_told_when_the_others_are_done(self):
        self.publish('a', 'b')
        for path in (self.path, self.path / 'new', self.path / 'cur'):
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

    def test_nobody_reads_the_messages(self):
        self.publish('a', 'b')
        self.assertEqual(
            (1, b'', []), self.sh('filestore run store --attempts 1 '
                                  '-- false {} 2>&1 | '
                                  'true; exit ${PIPESTATUS[0]}'))
        self.assertEqual(
            {'failed': ['a', 'b'], 'attempts': ['a', 'b']}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_store_is_removed_while_watching(self):
        process = self.start('run', 'store', '--watch', '--', *LOG)
        self.publish('a')
        self.wait((self.path / 'cur' / 'a').exists)
        self.path.rename(self.directory / 'elsewhere')
        status, output, messages = self.finish(process)
        self.assertEqual(1, status)
        self.assertIn('there is no file store', messages[0])
        self.assertEqual('1 file processed, 0 failed', messages[1])


class Command(RunCase):
    """The handler is used without the command line."""

    def test_counts(self):
        self.publish('a', 'b')
        workers = gocept.filestore.cli.worker.Workers(self.store)
        command = gocept.filestore.cli.run.Command(
            ['grep', '-q', 'a', '{}'], workers)
        workers.run(command)
        self.assertEqual((1, 1), (command.finished, command.failed))

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


def unlocked(path):
    with open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
