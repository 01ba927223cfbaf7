import contextlib
import gocept.filestore.cli.check
import gocept.filestore.interfaces
import gocept.filestore.monitor.health
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import io
import json
import os
import re


# What plugins may write behind the bar.
DATA = re.compile(
    r"((?:[^ '=]+|'(?:[^'=]|'')+')=[0-9]+s?(?:;[0-9.]*:?){2};0(?: |$))+")


class CheckCase(gocept.filestore.tests.command.Case):

    def without_usage(self, status, messages):
        """No usage is shown: 2 is CRITICAL."""
        return messages

    def check(self, *args):
        """Return the exit status, and what is told of it in one line."""
        status, output, messages = self.filestore('check', *args)
        self.assertEqual([], messages)
        line, = output.decode().splitlines()
        told, _, data = line.partition(' | ')
        self.assertNotIn('|', data)
        if data:
            self.assertTrue(DATA.fullmatch(data), data)
        return status, told


class Check(CheckCase):

    def test_ok(self):
        self.put('new', 'a')
        self.assertEqual(
            (0, 'FILESTORE OK - 1 file waiting in 1 store'),
            self.check('store'))

    def test_bounds_in_the_data(self):
        output = self.filestore(
            'check', 'store', '-w', 'oldest=30d', '-c', 'oldest=36.5h',
            '-c', 'claim=0.5', '-c', 'new=10000000')[1]
        self.assertIn(b' oldest=0s;2592000;131400;0 new=0;;10000000;0 ',
                      output)
        self.assertIn(b' claim=0s;3600;0.5;0', output)

    @gocept.filestore.tests.case.slow
    def test_bounds(self):
        for name in 'abc':
            self.put('new', name)
        for args, status in (
                (['-w', 'new=3'], 0), (['-w', 'new=2'], 1),
                (['-c', 'new=2'], 2), (['-w', 'new=2', '-c', 'new=3'], 1),
                (['-w', 'new=1', '-c', 'new=2'], 2),
                (['-c', 'new=2', '-c', 'new='], 0)):
            self.assertEqual(status, self.check('store', *args)[0], args)

    @gocept.filestore.tests.case.slow
    def test_claims_for_too_long(self):
        self.put('new', 'a')
        claim = self.store.claim()
        self.assertEqual(0, self.check('store')[0])
        status, told = self.check('store', '-c', 'claim=0')
        self.assertEqual(2, status)
        self.assertRegex(
            told, '^FILESTORE CRITICAL - store: a file has been claimed for ')
        claim.finish()

    def test_in_doubt(self):
        child = self.child()
        child.run('batch = store.batch(two_phase=True)\n'
                  'with batch.publish("a") as file: file.write("x")\n'
                  'batch.vote()')
        child.kill()
        self.assertEqual(
            (1, 'FILESTORE WARNING - store: 1 transaction in doubt'),
            self.check('store'))

    @gocept.filestore.tests.case.slow
    def test_several_the_worst_counts(self):
        self.put('failed', 'a')
        for args in (['store', 'nowhere'], ['nowhere', 'store']):
            status, told = self.check(*args)
            self.assertEqual(3, status)
            self.assertIn('store: 1 file failed', told)
            self.assertIn('nowhere: there is no file store', told)
        status, told = self.check('store', 'nowhere', '-c', 'failed=0')
        self.assertEqual(2, status)

    def test_odd_name(self):
        self.filestore('prepare', "it's = |")
        status, output, _ = self.filestore('check', "it's = |", 'store')
        self.assertEqual(0, status)
        _, data = output.decode().strip().split(' | ')
        self.assertTrue(DATA.fullmatch(data), data)
        self.assertIn("'it''s _ _ oldest'=", data)

    def test_odd_name_that_is_told(self):
        status, told = self.check('no\nwhere|')
        self.assertEqual(3, status)
        self.assertEqual(
            'FILESTORE UNKNOWN - no where_: there is no file store', told)

    def test_file_in_the_way(self):
        (self.path / 'new').rmdir()
        (self.path / 'new').touch()
        status, told = self.check('store')
        self.assertEqual(3, status)
        self.assertTrue(told.startswith('FILESTORE UNKNOWN - store: '), told)

    def test_line_that_gets_lost(self):
        self.put('failed', 'a')
        for option, status in ('-w', 3), ('-c', 2):
            self.assertEqual(status, self.sh(
                'filestore check store -w failed= %s failed=%s > /dev/full'
                % (option, '' if option == '-w' else 0))[0])

    def test_not_readable(self):
        self.forbid(self.path / 'new', 0)
        with open(self.directory / 'output', 'wb') as output:
            before = os.dup(1)
            os.dup2(output.fileno(), 1)
            try:
                status, messages = self.filestore_as_nobody('check', 'store')
            finally:
                os.dup2(before, 1)
                os.close(before)
        self.assertEqual((3, []), (status, messages))
        self.assertRegex(
            (self.directory / 'output').read_text(),
            r"^FILESTORE UNKNOWN - store: '\S+/store/new': Permission denied$")

    @gocept.filestore.tests.case.slow
    def test_wrong_usage(self):
        for args in (
                [], ['--frobnicate', 'store'], [''],
                ['store', '-w', 'age=1'], ['store', '-c', 'failed'],
                ['store', '-c', 'failed=x'], ['store', '-c', 'failed=1s'],
                ['store', '-w', 'oldest=1w']):
            status, told = self.check(*args)
            self.assertEqual(3, status, args)
            self.assertTrue(told.startswith('FILESTORE UNKNOWN - '), args)

    def test_directory_that_has_gone(self):
        gone = self.directory / 'gone'
        gone.mkdir()
        # In this process: none starts there that measures what is covered.
        with (contextlib.redirect_stdout(io.StringIO()) as output,
              contextlib.chdir(gone)):
            gone.rmdir()
            status = gocept.filestore.cli.check.check.main(
                ['store'], standalone_mode=False)
        self.assertEqual(
            (3, "FILESTORE UNKNOWN - 'store': No such file or directory\n"),
            (status, output.getvalue()))

    def test_json(self):
        self.put('failed', 'a')
        status, output, _ = self.filestore(
            'check', '--json', 'store', 'nowhere')
        found = json.loads(output)
        self.assertEqual((3, 'UNKNOWN'), (status, found['status']))
        store, nowhere = found['stores']
        self.assertEqual(
            ('WARNING', ['1 file failed'], 1),
            (store['status'], store['reasons'], store['values']['failed']))
        self.assertEqual(('UNKNOWN', {}),
                         (nowhere['status'], nowhere['values']))


class Consumers(CheckCase):

    def consumers(self):
        return gocept.filestore.monitor.health.consumers(
            self.store, self.store.status())

    def test_who_publishes_and_looks_is_none(self):
        self.put('new', 'a')
        child = self.child()
        child.run('store.write_bytes("b", b""); store.status(); '
                  'store.list("new")')
        self.assertEqual(set(), self.consumers())

    @gocept.filestore.tests.case.slow
    def test_who_works(self):
        children = [self.child(), self.child()]
        for child in children:
            self.put('new', 'a')
            self.put('new', 'b')
            child.run('claims = store.claim(), store.claim()')
            self.assertIn(child.process.pid, self.consumers())
            child.kill()
            self.assertEqual(set(), self.consumers())
            for claim in self.store.claims():
                claim.finish()

    @gocept.filestore.tests.case.slow
    def test_who_waits(self):
        process = self.start('run', 'store', '--watch', '--', 'cat', '{}')
        self.wait(self.consumers)
        self.assertEqual({process.pid}, self.consumers())
        self.assertEqual(0, self.check('store', '-c', 'consumers=1')[0])
        self.assertEqual(
            (1, 'FILESTORE WARNING - store: 1 consumer alive here'),
            self.check('store', '-w', 'consumers=2'))
        process.kill()
        process.wait()
        self.assertEqual(
            (2, 'FILESTORE CRITICAL - store: 0 consumers alive here'),
            self.check('store', '-c', 'consumers=1'))

    def test_store_that_is_moved_aside_meanwhile(self):
        status = self.store.status()
        self.path.rename(self.directory / 'aside')
        with self.assertRaises(gocept.filestore.interfaces.NotPrepared):
            gocept.filestore.monitor.health.consumers(self.store, status)
