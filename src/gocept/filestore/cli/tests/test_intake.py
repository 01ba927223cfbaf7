import gocept.filestore.server.collector
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import os
import shutil
import signal


class IntakeCase(gocept.filestore.tests.command.Case):

    def setUp(self):
        super().setUp()
        self.folder = self.directory / 'in'
        self.folder.mkdir()

    def drop(self, name, content='content'):
        (self.folder / name).write_text(content)

    def intake(self, *args):
        """Return the exit status and the messages."""
        status, output, messages = self.filestore(
            'intake', 'in', 'store', '--quiet', '0.1', *args)
        self.assertEqual(b'', output)
        return status, messages

    def wait_for_first_look(self, process):
        self.wait(lambda: (self.folder / '.filestore' / '.lock').exists())
        self.wait_for_sleep(process.pid)

    def assertTaken(self, number, *args):
        self.assertEqual(
            (0, ['%s taken, 0 failed' % number]), self.intake(*args))


class Once(IntakeCase):

    def test_takes_what_is_whole(self):
        self.drop('a')
        self.drop('b')
        self.assertTaken('2 files')
        self.assertEqual({'new': ['a', 'b']}, self.tree())

    def test_nothing_there(self):
        self.assertTaken('0 files')

    def test_ends_at_once_when_nothing_has_to_wait(self):
        self.assertEqual((0, ['0 files taken, 0 failed']), self.filestore(
            'intake', 'in', 'store', '--quiet', '1h')[::2])

    def test_makes_the_store(self):
        shutil.rmtree(self.path)
        self.drop('a')
        self.assertEqual(
            (0, ["made the file store 'store'", '1 file taken, 0 failed']),
            self.intake())

    @gocept.filestore.tests.case.slow
    def test_counts_what_is_still_written(self):
        self.drop('b')
        with open(self.folder / 'a', 'w'):
            self.assertEqual((0, [
                '1 file left: a process has it open for writing',
                '1 file taken, 0 failed']), self.intake())
        self.assertTaken('1 file')

    @gocept.filestore.tests.case.slow
    def test_ends_while_a_file_never_becomes_quiet(self):
        self.drop('a', '')
        child = self.child()
        child.send('import time\n'
                   'while True:\n'
                   '    with open(%r, "a") as file:\n'
                   '        file.write("more")\n'
                   '    time.sleep(.001)' % str(self.folder / 'a'))
        # What is there is the writer's from now on.
        self.wait(lambda: (self.folder / 'a').stat().st_size)
        self.assertEqual((0, [
            '1 file left: it has not been quiet for long enough',
            '0 files taken, 0 failed']), self.intake())
        child.process.kill()
        self.assertTaken('1 file')

    @gocept.filestore.tests.case.slow
    def test_waits_for_the_default_of_five_seconds(self):
        self.drop('a')
        process = self.start('intake', 'in', 'store')
        self.wait_for_first_look(process)
        self.assertEqual({}, self.tree())
        process.send_signal(signal.SIGTERM)
        self.assertEqual((-signal.SIGTERM, [
            '1 file left: it has not been quiet for long enough',
            '0 files taken, 0 failed']), self.finish(process)[::2])

    def test_marker(self):
        for name in ('a', 'a.done', 'b'):
            self.drop(name)
        self.assertEqual((0, [
            '1 file left: its marker is not there',
            '1 file taken, 0 failed']), self.intake('--marker', '.done'))
        self.assertEqual({'new': ['a']}, self.tree())

    def test_patterns(self):
        for name in ('a.xml', 'b.txt', 'c.pdf', 'd.xml'):
            self.drop(name)
        self.assertTaken(
            '2 files', '--include', '*.xml', '--include', '*.txt',
            '--exclude', 'd*')
        self.assertEqual({'new': ['a.xml', 'b.txt']}, self.tree())

    def test_refused(self):
        self.drop('a')
        (self.folder / 'link').symlink_to('a')
        os.mkfifo(self.folder / 'pipe')
        status, messages = self.intake()
        self.assertEqual(1, status)
        self.assertEqual([
            "filestore: 'link' in the file store 'store': it is a symbolic "
            "link, in '%s'" % self.folder,
            "filestore: 'pipe' in the file store 'store': it is no regular "
            "file, in '%s'" % self.folder,
            '1 file taken, 2 failed'], messages)

    def test_no_folder(self):
        self.assertEqual((1, [
            'filestore: %r: No such file or directory'
            % str(self.directory / 'nowhere'),
            '0 files taken, 0 failed']), self.filestore(
                'intake', 'nowhere', 'store')[::2])

    def test_part_of_the_store(self):
        self.assertEqual((1, [
            "filestore: 'store/new' in the file store 'store': it is a part "
            "of the store; files are taken from outside"]), self.filestore(
                'intake', 'store/new', 'store')[::2])

    @gocept.filestore.tests.case.slow
    def test_wrong_usage(self):
        for args, message in (
                (['', 'store'], 'the path of a folder can not be empty'),
                (['in', ''], "Invalid value for 'STORE': the path of a file "
                 'store can not be empty'),
                (['in', 'store', '--marker', ''],
                 "'' can not be the suffix of a marker"),
                (['in', 'store', '--quiet', '-1'],
                 "Invalid value for '--quiet': '-1' is no duration like 90s, "
                 '15m, 36h or 30d')):
            self.assertEqual((2, ['filestore: ' + message]), self.filestore(
                'intake', *args)[::2])
        self.assertEqual([], os.listdir(self.folder))

    @gocept.filestore.tests.case.needs_root('be two users')
    def test_nobody_can_tell_who_writes(self):
        for directory in (self.folder, *self.path.iterdir()):
            directory.chmod(0o777)
        self.drop('a')
        self.drop('b')
        self.assertEqual((0, [
            'filestore: ' + gocept.filestore.server.collector.NO_LEASES,
            '2 files taken, 0 failed']), self.filestore_as_nobody(
                'intake', 'in', 'store', '--quiet', '0.1'))


class Watch(IntakeCase):

    def watch(self, *args):
        process = self.start(
            'intake', 'in', 'store', '--watch', '--quiet', '0', *args)
        self.wait_for_first_look(process)
        return process

    def wait_for(self, *names):
        self.wait(lambda: self.tree().get('new') == [*names])

    def assertEnds(self, process, *messages, signal=signal.SIGTERM):
        process.send_signal(signal)
        self.assertEqual(
            (-signal, [*messages]), self.finish(process)[::2])

    @gocept.filestore.tests.case.slow
    def test_until_it_is_stopped(self):
        process = self.watch()
        self.drop('a')
        self.wait_for('a')
        self.drop('b')
        self.wait_for('a', 'b')
        self.assertEnds(process, '2 files taken, 0 failed')

    def test_until_it_is_interrupted(self):
        process = self.watch()
        self.assertEnds(
            process, '0 files taken, 0 failed', signal=signal.SIGINT)

    def test_tells_of_each_file(self):
        self.drop('a')
        self.drop('b')
        self.assertEqual((0, [
            'filestore: store/new/a: taken in',
            'filestore: store/new/b: taken in',
            '2 files taken, 0 failed']), self.intake('--verbose'))

    @gocept.filestore.tests.case.slow
    def test_writer_that_takes_its_time(self):
        process = self.watch()
        with open(self.folder / 'a', 'w') as file:
            file.write('begin')
            file.flush()
            self.drop('b')
            self.wait_for('b')
            self.assertEqual('begin', (self.folder / 'a').read_text())
            file.write('end')
        self.wait_for('a', 'b')
        self.assertEqual('beginend', self.read('new', 'a'))
        self.assertEnds(process, '2 files taken, 0 failed')

    @gocept.filestore.tests.case.slow
    def test_says_each_refusal_once(self):
        (self.folder / 'link').symlink_to('a')
        process = self.watch()
        self.drop('a')
        self.wait_for('a')
        self.drop('b')
        self.wait_for('a', 'b')
        self.assertEnds(
            process, "filestore: 'link' in the file store 'store': it is "
            "a symbolic link, in '%s'" % self.folder,
            '2 files taken, 1 failed')

    @gocept.filestore.tests.case.slow
    def test_says_it_again_when_it_was_mended_meanwhile(self):
        link = self.folder / 'link'
        link.symlink_to('a')
        process = self.watch()
        link.unlink()
        self.drop('a')
        self.wait_for('a')
        link.symlink_to('a')
        self.drop('b')
        self.wait_for('a', 'b')
        status, messages = self.stopped(process)
        self.assertEqual((-signal.SIGTERM, 3), (status, len(messages)))
        self.assertEqual(messages[0], messages[1])

    def stopped(self, process):
        process.send_signal(signal.SIGTERM)
        return self.finish(process)[::2]

    @gocept.filestore.tests.case.slow
    def test_stays_when_the_folder_is_away(self):
        process = self.watch()
        self.wait_for_first_look(process)
        for number in range(2):
            self.folder.rename(self.directory / ('away-%s' % number))
            self.assertEqual(
                'filestore: can not look: %r: No such file or directory\n'
                % str(self.folder), process.stderr.readline().decode())
            self.folder.mkdir()
            self.assertEqual(
                b"filestore: can look again: 'in'\n",
                process.stderr.readline())
        self.drop('a')
        self.wait((self.path / 'new' / 'a').exists)
        self.assertEqual(
            (-signal.SIGTERM, ['1 file taken, 0 failed']),
            self.stopped(process))

    def test_folder_that_was_never_there(self):
        self.folder.rmdir()
        self.assertEqual((1, [
            'filestore: %r: No such file or directory' % str(self.folder),
            '0 files taken, 0 failed']), self.intake('--watch'))

    @gocept.filestore.tests.case.slow
    def test_two_of_them(self):
        processes = [self.watch(), self.watch()]
        names = ['%03d' % number for number in range(100)]
        for name in names:
            self.drop(name)
        self.wait_for(*names)
        taken = 0
        for process in processes:
            status, messages = self.stopped(process)
            self.assertEqual(-signal.SIGTERM, status)
            taken += int(messages[-1].split()[0])
        self.assertEqual(100, taken)
