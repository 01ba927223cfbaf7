import click
import concurrent.futures
import contextlib
import gocept.filestore
import gocept.filestore.cli.terminal
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import io
import logging
import pathlib
import re
import signal
import sys
import threading
import unittest
import wcwidth


ESCAPE = re.compile('\x1b\\[[0-9]*m')


class Table(unittest.TestCase):

    def test_columns(self):
        self.assertEqual(
            'FILE   AGE\na.xml  5s\nb',
            gocept.filestore.cli.terminal.table(
                ('FILE', 'AGE'), [('a.xml', '5s'), ('b', None)]))

    def test_numbers_and_names_stay_as_they_are(self):
        table = gocept.filestore.cli.terminal.table(
            ('FILE', 'BYTES'), [('007', 12), ('1e5', 1234567)])
        self.assertEqual(
            [['007', '12'], ['1e5', '1234567']],
            [line.split() for line in table.splitlines()[1:]])

    def test_what_would_garble_a_terminal(self):
        table = gocept.filestore.cli.terminal.table(
            ('FILE',),
            [('\u6f22\nb',), ('\x1b[31m',), ('\udcff',), ('\u00e4',)])
        self.assertEqual(
            ["'\u6f22\\nb'", "'\\x1b[31m'", "'\\udcff'", '\u00e4'],
            [line.strip() for line in table.splitlines()[1:]])


class OnTerminal(gocept.filestore.tests.command.Case):

    def give_up(self, filename, reason):
        self.put('new', filename)
        self.store.claim().fail(gocept.filestore.Reject(reason))

    def shown(self, *args, **kw):
        status, shown = self.in_terminal(*args, **kw).finish()
        self.assertEqual(0, status)
        return shown.replace('\r\n', '\n')

    def plain(self, columns):
        return ESCAPE.sub('', self.shown('failed', 'store', columns=columns))

    def test_table_fits(self):
        self.give_up('a' * 60 + '.xml', 'it has no end, and nobody knows why')
        for columns in 40, 80:
            lines = self.plain(columns).splitlines()
            self.assertLessEqual(max(map(len, lines)), columns)
            self.assertEqual('FILE', lines[0].split()[0])
            name, reason = (
                ' '.join(filter(None, (line[part].strip() for line in lines)))
                for part in (slice(lines[0].index('ATTEMPTS')),
                             slice(lines[0].index('REASON'), None)))
            self.assertIn('a' * 60 + '.xml', name.replace(' ', ''))
            self.assertIn('it has no end, and nobody knows why', reason)

    def test_table_that_has_room(self):
        self.give_up('a.xml', 'no XML')
        self.assertEqual(2, len(self.plain(80).splitlines()))

    def test_blanks_at_the_ends(self):
        self.assertEqual(
            ["' a'", "'a '", 'a b'],
            [gocept.filestore.monitor.words.text(name)
             for name in (' a', 'a ', 'a b')])

    def test_five_columns(self):
        self.shown('status', 'store')
        lines = ESCAPE.sub('', self.shown(
            'status', 'store', 'store', columns=40)).splitlines()
        self.assertEqual('STORE  SPACE     FILES  BYTES  OLDEST', lines[0])
        self.assertEqual(13, len(lines))

    def test_line_below_a_table(self):
        self.put('new', 'a.xml')
        self.store.claim().fail('no paper')
        self.assertIn(
            '\n1 file waiting for the next attempt, due\n  in ',
            self.shown('status', 'store', columns=40))

    def test_no_room_for_the_columns(self):
        self.filestore('prepare', 'x' * 50)
        shown = ESCAPE.sub('', self.shown(
            'status', 'store', 'x' * 50, columns=39))
        self.assertTrue(shown.startswith(
            'STORE  store\nSPACE  tmp\nFILES  0\nBYTES  0\n\nSTORE'), shown)
        self.assertIn(
            'STORE  %s\n       %s\nSPACE  cur' % ('x' * 31, 'x' * 19), shown)

    def test_sentences(self):
        plain = self.filestore('doctor', 'store')[1].decode()
        lines = ESCAPE.sub(
            '', self.shown('doctor', 'store', columns=40)).splitlines()
        self.assertLessEqual(max(map(len, lines)), 40)
        self.assertEqual(
            re.sub('[0-9.]+ ms', '', plain).split(),
            re.sub('[0-9.]+ ms', '', ' '.join(lines)).split())
        self.assertTrue(all(
            re.match('(ok      |        ) [^ ]', line)
            for line in lines[:-1]), lines)

    def test_more_columns_than_a_terminal_has(self):
        self.give_up('a.xml', 'no XML')
        self.assertIn('ATTEMPTS', self.plain(5).replace('\n', ''))

    def test_wide_characters(self):
        self.give_up('a.xml', 'no XML')
        self.give_up('\u65e5\u672c.xml', 'no XML')
        for line in self.plain(80).splitlines()[1:]:
            begin, _, _ = line.partition('1')
            self.assertEqual(len('FILE      '), wcwidth.wcswidth(begin))

    def test_colours_where_they_are_wanted(self):
        self.give_up('a.xml', 'no XML')
        self.assertIn('\x1b[1mFILE', self.shown('failed', 'store'))
        self.assertIn('\x1b[32mok', self.shown('doctor', 'store'))

    def test_no_colours_where_they_are_not(self):
        self.give_up('a.xml', 'no XML')
        for variable in 'NO_COLOR=1', 'TERM=dumb':
            self.assertNotIn('\x1b[', self.shown(
                'failed', 'store', command=[
                    'env', variable,
                    *gocept.filestore.tests.command.FILESTORE]))


class End(unittest.TestCase):

    def test_mistake_of_a_programmer(self):
        command = click.Command('divide', callback=lambda: 1 / 0)
        with self.assertRaises(ZeroDivisionError):
            gocept.filestore.cli.terminal.ended(command, [])


    def test_without_an_interrupt(self):
        # Somebody says no, or there is no more to read.
        def refuse():
            raise click.Abort()

        with contextlib.redirect_stderr(io.StringIO()) as messages:
            self.assertEqual(1, gocept.filestore.cli.terminal.ended(
                click.Command('ask', callback=refuse), []))
        self.assertEqual('filestore: aborted\n', messages.getvalue())

    def test_first_process_of_a_container_outlives_a_signal(self):
        # As everybody does with this one, unless he handles it.
        ended = []
        self.assertEqual(
            128 + signal.SIGWINCH, gocept.filestore.cli.terminal.die(
                signal.SIGWINCH, lambda: ended.append(True)))
        self.assertEqual([True], ended)


class Stop(gocept.filestore.tests.command.Case):

    def test_second_interrupt_ends_at_once(self):
        status, output, messages = self.filestore(
            '-c', 'import gocept.filestore.cli.terminal, os, signal, sys\n'
            'def work():\n'
            '    for number in range(3):\n'
            '        os.kill(os.getpid(), signal.SIGINT)\n'
            '        print(number)\n'
            'sys.exit(gocept.filestore.cli.terminal.until_stopped(\n'
            '    work, print))', command=[sys.executable])
        self.assertEqual((130, []), (status, messages))
        self.assertIn(b'\n0\n', output)
        self.assertNotIn(b'\n1\n', output)

    def test_exit_functions_are_called(self):
        self.assertEqual((-signal.SIGTERM, b'the end\n'), self.filestore(
            '-c', 'import atexit, gocept.filestore.cli.terminal, signal\n'
            'atexit.register(print, "the end", flush=True)\n'
            'gocept.filestore.cli.terminal.die(signal.SIGTERM)',
            command=[sys.executable])[:2])

    @gocept.filestore.tests.case.slow
    def test_other_commands_by_the_keyboard(self):
        for number in range(3):
            self.put('new', 'x' * 250 + str(number))
        for args in (['publish', 'store', '-'],
                     ['publish', 'store', '-T', 'gate'],
                     ['intake', '.', 'store', '--watch', '--quiet', '1h']):
            terminal = self.in_terminal(*args)
            self.wait_for_sleep_of(terminal.process)
            terminal.interrupt()
            with self.subTest(args):
                self.assertEqual(-signal.SIGINT, terminal.finish()[0])
        self.assertEqual(['new'], [*self.tree()])

    @gocept.filestore.tests.case.slow
    def test_listing_that_nobody_reads(self):
        for number in range(300):
            self.put('new', '%s%s' % ('x' * 240, number))
        process = self.start('list', 'store')
        self.wait_for_sleep_of(process)
        process.terminate()
        process.wait(60)
        self.assertEqual(
            (-signal.SIGTERM, 'filestore: interrupted'),
            (process.returncode, self.finish(process)[2][-1]))

    def wait_for_sleep_of(self, process):
        """Wait until a process has its handlers, and waits."""
        handled = re.compile('^SigCgt:\t.*[4-7c-f]...$', re.M)  # SIGTERM
        status = pathlib.Path('/proc', str(process.pid), 'status')
        self.wait(lambda: handled.search(status.read_text()))
        self.wait_for_sleep(process.pid)


class Log(unittest.TestCase):

    def test_what_several_threads_log_is_told_once(self):
        logger = logging.Logger('logger')
        logger.addHandler(gocept.filestore.cli.terminal.Log())
        with (contextlib.redirect_stderr(io.StringIO()) as messages,
              concurrent.futures.ThreadPoolExecutor(1) as others):
            for reason in 'aba':
                logger.warning('can not claim: %s', reason)
                others.submit(
                    logger.warning, 'can not claim: %s', reason).result()
        self.assertEqual(
            ['filestore: can not claim: ' + reason for reason in 'aba'],
            messages.getvalue().splitlines())

    def test_what_one_thread_logs_again_is_told_again(self):
        logger = logging.Logger('logger')
        logger.addHandler(gocept.filestore.cli.terminal.Log())
        with contextlib.redirect_stderr(io.StringIO()) as messages:
            for _ in range(2):
                logger.warning('a link')
        self.assertEqual(2 * ['filestore: a link'],
                         messages.getvalue().splitlines())


class Progress(unittest.TestCase):

    def test_starts_no_thread(self):
        # One more than a limit may allow, which no command has asked for.
        before = threading.enumerate()
        gocept.filestore.cli.terminal.progress(3).close()
        self.assertEqual(before, threading.enumerate())
