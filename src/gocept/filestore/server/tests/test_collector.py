import gocept.filestore.interfaces
import gocept.filestore.server.collector
import gocept.filestore.server.tests.test_server
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import os
import re
import signal
import zope.interface.verify


CONSUMER = gocept.filestore.server.tests.test_server.CONSUMER
STORE = gocept.filestore.server.tests.test_server.STORE
LOGGER = 'gocept.filestore.server.collector'
INTAKE = '<filestore:intake store="s" directory="{}" quiet="0" {} />'


class Collector(gocept.filestore.tests.command.Case):

    def setUp(self):
        super().setUp()
        self.folder = self.directory / 'in'
        self.folder.mkdir()

    def collector(self, quiet=0, **options):
        return gocept.filestore.server.collector.Collector(
            self.store.intake(self.folder, quiet), quiet, **options)

    def wait_for_first_look(self, process):
        self.wait(lambda: (self.folder / '.filestore' / '.lock').exists())
        self.wait_for_sleep(process.pid)

    def test_contract(self):
        zope.interface.verify.verifyObject(
            gocept.filestore.interfaces.ICollector, self.collector())

    def test_time_between_looks(self):
        for poll in (0, -1, float('inf'), float('nan')):
            with self.assertRaisesRegex(
                    ValueError, 'a number of seconds above 0, not %s' % poll):
                self.collector(poll=poll)

    def test_logs_what_it_takes(self):
        (self.folder / 'a').touch()
        with self.assertLogs('gocept.filestore.intake', 'INFO') as logs:
            self.collector().run()
        self.assertEqual(
            [(str(self.path), 'a', 'INFO')],
            [(record.store, record.file, record.levelname)
             for record in logs.records])

    def test_logs_each_refusal_once(self):
        (self.folder / 'link').symlink_to('a')
        collector = self.collector()
        with self.assertLogs(LOGGER, 'INFO') as logs:
            collector._look()
            collector._look()
        self.assertEqual(
            [(str(self.path), 'link', 'WARNING')],
            [(record.store, record.file, record.levelname)
             for record in logs.records])
        self.assertEqual(1, collector.refused)

    def test_error_of_a_file(self):
        for error, message in [
                (PermissionError(13, 'no', 'b'), "'b': no"),
                (PermissionError(13, 'no'), "'a': no"),
                (OSError('no'), "'a': no")]:
            self.assertEqual(
                message, gocept.filestore.server.collector.described(
                    error, 'a'))

    @gocept.filestore.tests.case.needs_root('be two users')
    def test_says_once_that_there_are_no_leases(self):
        for directory in (self.folder, *self.path.iterdir()):
            directory.chmod(0o777)
        (self.folder / 'a').touch()
        (self.folder / 'b').touch()
        collector = self.collector(.1)
        with self.be_nobody(), self.assertLogs(LOGGER, 'WARNING') as logs:
            collector.run()
        self.assertEqual(2, collector.taken)
        self.assertEqual(
            [gocept.filestore.server.collector.NO_LEASES],
            [record.getMessage() for record in logs.records])

    def test_folder_goes_away_before_the_next_look(self):
        (self.folder / 'a').touch()
        child = self.child()
        child.send(
            'import gocept.filestore.server.collector as collector\n'
            'try:\n'
            '    collector.Collector(\n'
            '        store.intake(%r, 3600), 3600, poll=.1).run()\n'
            'except OSError as error:\n'
            '    answer = error.filename' % str(self.folder))
        self.wait_for_first_look(child.process)
        self.folder.rename(self.directory / 'elsewhere')
        self.assertEqual(str(self.folder), child.answer())

    def test_stopped_while_it_waits_for_the_next_look(self):
        child = self.child()
        child.send(
            'import gocept.filestore.server.collector, signal\n'
            'collector = gocept.filestore.server.collector.Collector(\n'
            '    store.intake(%r), 0, watch=True, poll=3600)\n'
            'signal.signal(signal.SIGTERM, collector.stop)\n'
            'collector.run()\n'
            'answer = collector.taken' % str(self.folder))
        self.wait_for_first_look(child.process)
        child.process.send_signal(signal.SIGTERM)
        self.assertEqual(0, child.answer())

    def test_folder_that_stays_away_is_told_once(self):
        collector = self.collector(watch=True)
        self.folder.rmdir()
        with self.assertLogs(LOGGER, 'WARNING') as logs:
            for _ in range(3):
                collector._look_again()
            self.assertEqual(4, collector._pause())
            self.folder.mkdir()
            collector._look_again()
        self.assertEqual([
            'ERROR:%s:can not look: %r: No such file or directory'
            % (LOGGER, str(self.folder)),
            'WARNING:%s:can look again: %r' % (LOGGER, str(self.folder))],
            logs.output)

    def test_folder_that_is_away_at_first(self):
        collector = self.collector(watch=True)
        self.folder.rmdir()
        collector.stop()
        with self.assertLogs(LOGGER, 'ERROR'):
            collector.run()


class Served(gocept.filestore.server.tests.test_server.Case):
    """A server runs a worker that looks after a folder."""

    def setUp(self):
        super().setUp()
        self.folder = self.directory / 'in'
        self.folder.mkdir()
        self.declare_intake()

    def declare_intake(self, options='', *others):
        self.site(STORE.format(self.path),
                  INTAKE.format(self.folder, options), *others)

    def drop(self, *names):
        for name in names:
            (self.folder / name).touch()

    def serve_and_wait(self):
        server = self.serve()
        self.wait_for_log('has started')
        self.wait_for_sleep(self.workers()[-1])
        return server

    def end(self, server):
        server.terminate()
        self.assertEnds(server)
        for process in self.workers():
            self.assertFalse(
                gocept.filestore.server.tests.test_server.is_alive(process))

    @gocept.filestore.tests.case.slow
    def test_beside_a_consumer(self):
        self.declare_intake('', CONSUMER.format('include="b*"'))
        self.drop('a')
        server = self.serve()
        self.wait_for_files(new=['a'])
        self.drop('b')
        self.wait_for_files(new=['a'], cur=['b'])
        self.end(server)
        self.assertEqual(1, self.count(
            r's from .*/in: process \d+ has started'))
        for name in 'ab':
            self.assertEqual(
                1, self.count(r'INFO gocept\.filestore\.intake\.delivery '
                              r'/.*/store/new/%s: taken in\n' % name))

    @gocept.filestore.tests.case.slow
    def test_refused(self):
        (self.folder / 'link').symlink_to('a')
        server = self.serve()
        self.wait_for_log("'link' in the file store")
        self.drop('a')
        self.wait_for_files(new=['a'])
        self.end(server)
        self.assertEqual(1, self.count(
            r"WARNING gocept\.filestore\.server\.collector 'link' in the "
            'file store .*: it is a symbolic link'))

    @gocept.filestore.tests.case.slow
    def test_killed(self):
        # Each file is handed on once, whenever the kill comes.
        self.declare_intake('', CONSUMER.format(''))
        server = self.serve()
        names = ['%03d' % number for number in range(90)]
        for number, name in enumerate(names):
            if number % 45 == 0:
                self.wait(lambda number=number:
                          len(self.takers()) == 1 + number // 45)
            self.drop(name)
            if number % 45 == 20:
                self.wait_for_files(cur=names[:number + 1])
            if number % 45 == 30:
                os.kill(self.takers()[-1], signal.SIGKILL)
        self.wait_for_files(cur=names)
        self.end(server)
        self.assertEqual({'cur': names}, self.tree())
        self.assertEqual(names, sorted(self.lines('log')))
        self.assertEqual(['.filestore'], os.listdir(self.folder))
        self.assertEqual(['.lock'], os.listdir(self.folder / '.filestore'))
        self.assertEqual(2, self.logged('was killed by SIGKILL'))

    def takers(self):
        return [int(number) for number in re.findall(
            r's from .*: process (\d+) has started', self.output())]

    @gocept.filestore.tests.case.slow
    def test_server_is_killed(self):
        server = self.serve_and_wait()
        server.kill()
        server.wait()
        self.wait(lambda: not gocept.filestore.server.tests.test_server.
                  is_alive(self.workers()[-1]))
        self.drop('a')
        self.assertEqual({}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_reloaded(self):
        self.declare_intake('exclude="b*"')
        server = self.serve_and_wait()
        self.drop('b1')
        self.declare_intake()
        server.send_signal(signal.SIGHUP)
        self.wait_for_files(new=['b1'])
        self.assertEqual(1, self.logged('has ended'))
        self.site(STORE.format(self.path), CONSUMER.format(''))
        server.send_signal(signal.SIGHUP)
        self.wait_for_log('has ended', 2)
        self.drop('b2')
        self.wait_for_files(cur=['b1'])
        self.assertEqual({'cur': ['b1']}, self.tree())
        self.assertEqual(['b1'], self.lines('log'))
        self.end(server)

    @gocept.filestore.tests.case.slow
    def test_reload_while_the_folder_is_away_changes_nothing(self):
        server = self.serve_and_wait()
        away = self.folder.rename(self.directory / 'away')
        self.wait_for_log('can not look')
        server.send_signal(signal.SIGHUP)
        self.wait_for_log('not reloaded: File')
        away.rename(self.folder)
        self.wait_for_log('can look again')
        self.drop('a')
        self.wait_for_files(new=['a'])
        self.end(server)
        self.assertEqual(1, self.logged('has started'))

    @gocept.filestore.tests.case.slow
    def test_folder_goes_away_and_comes_back(self):
        server = self.serve_and_wait()
        for number in (1, 2):
            self.folder.rename(self.directory / ('away-%s' % number))
            self.wait_for_log('can not look', number)
            self.folder.mkdir()
            self.wait_for_log('can look again', number)
        self.drop('a')
        self.wait_for_files(new=['a'])
        self.end(server)
        self.assertEqual(1, self.logged('has started'))
        self.assertEqual(2, self.count(
            r'ERROR gocept\.filestore\.server\.collector can not look: '
            r"'/.*/in': No such file"))

    @gocept.filestore.tests.case.slow
    def test_killed_while_the_folder_is_away(self):
        server = self.serve_and_wait()
        away = self.folder.rename(self.directory / 'away')
        os.kill(self.workers()[-1], signal.SIGKILL)
        self.wait_for_log('intake: %r: No such file' % str(self.folder))
        away.rename(self.folder)
        self.drop('a')
        self.wait_for_files(new=['a'])
        self.end(server)

    @gocept.filestore.tests.case.slow
    def test_store_goes_away_and_comes_back(self):
        self.site(STORE.format(self.path).replace('/>', 'prepare="no" />'),
                  INTAKE.format(self.folder, ''))
        server = self.serve_and_wait()
        away = self.path.rename(self.directory / 'away')
        self.drop('a')
        self.wait_for_log('can not look: the file store')
        away.rename(self.path)
        self.wait_for_files(new=['a'])
        self.end(server)

    @gocept.filestore.tests.case.slow
    def test_mistakes(self):
        self.folder.rmdir()
        self.assertRefused("intake: '/in': No such file or directory")
        self.folder = self.path / 'new'
        self.declare_intake()
        self.assertRefused(
            "intake: '/store/new' in the file store '/store': it is a part "
            'of the store; files are taken from outside')
        self.declare_intake('marker=".done"')
        self.assertRefused('an intake has either a marker or a quiet period')

    def assertRefused(self, message):
        line = self.refused()
        self.assertIn('File "/site.zcml", line 7.2-7.', line)
        self.assertIn(message, line)
