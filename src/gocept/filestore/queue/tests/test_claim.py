import asyncio
import contextlib
import errno
import gc
import gocept.filestore
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import json
import os
import resource
import signal
import subprocess
import sys
import unittest.mock
import warnings


NO_PAPER = gocept.filestore.interfaces.Reject('no paper')


class ClaimCase(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        self.put('new', 'a', 'ours')

    def events(self, name='a'):
        return [json.loads(line)['event']
                for line in self.read('attempts', name).splitlines()]

    def abandon(self, times=1):
        """Let a process die with the claim; return our own claim."""
        for _ in range(times):
            child = self.child()
            child.run('claim = store.claim()')
            child.kill()
        return self.store.claim()


class Facts(ClaimCase):

    def test_attributes(self):
        claim = self.store.claim()
        self.assertEqual('a', claim.filename)
        self.assertEqual(
            os.path.join(self.store.path, 'work', 'a'), claim.path)
        self.assertEqual(1, claim.attempt)
        self.assertIn("'a'", repr(claim).replace(claim.path, 'a'))
        claim.finish()

    def test_nothing_is_written_for_a_file_that_works(self):
        self.store.claim().finish()
        self.assertEqual({'cur': ['a']}, self.tree())
        self.assertFalse((self.path / 'attempts').exists())
        self.assertFalse((self.path / 'failed').exists())

    def test_cur_is_exchanged_meanwhile(self):
        claim = self.store.claim()
        self.store.list('cur')
        self.path.joinpath('cur').rmdir()
        self.path.joinpath('cur').mkdir()
        claim.finish()
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_deaths_count(self):
        claim = self.abandon(2)
        self.assertEqual(3, claim.attempt)
        claim.finish()
        self.assertEqual({'cur': ['a']}, self.tree())


class Open(ClaimCase):

    def test_text(self):
        self.put('new', 'a', 'ä\n')
        with self.store.claim() as claim, claim.open() as file:
            self.assertEqual('ä\n', file.read())

    def test_binary(self):
        self.put('new', 'a', 'ä')
        with self.store.claim() as claim, claim.open('rb') as file:
            self.assertEqual(b'\xc3\xa4', file.read())

    def test_text_options(self):
        (self.path / 'new' / 'a').write_bytes(b'\xe4\r\n')
        with self.store.claim() as claim:
            with claim.open(encoding='latin-1', newline='') as file:
                self.assertEqual('ä\r\n', file.read())
            with claim.open('rt', encoding='ascii', errors='replace') as file:
                self.assertEqual('\ufffd\n', file.read())

    def test_in_one_call(self):
        for content in (b'', b'\xe4' * 99999, b'a\r\nb\rc\n'):
            (self.path / 'new' / 'a').write_bytes(content)
            with self.store.claim() as claim:
                self.assertEqual(content, claim.read_bytes())
                self.assertEqual(content, claim.read_bytes())

    def test_text_in_one_call(self):
        for content in (b'', b'a\r\nb\rc\n', b'\xef\xbb\xbfa', b'\xc3\xa4'):
            (self.path / 'new' / 'a').write_bytes(content)
            with self.store.claim() as claim:
                for options in ({}, {'encoding': 'latin-1'}, {'newline': ''},
                                {'encoding': 'utf-8-sig'},
                                {'encoding': 'ascii', 'errors': 'ignore'}):
                    with claim.open(**options) as file:
                        self.assertEqual(
                            file.read(), claim.read_text(**options))

    def test_in_one_call_that_can_not(self):
        (self.path / 'new' / 'a').write_bytes(b'\xff')
        with self.store.claim() as claim:
            for kind, options in ((UnicodeDecodeError, {}),
                                  (LookupError, {'encoding': 'no-such'}),
                                  (ValueError, {'newline': 'x'})):
                with self.assertRaises(kind):
                    claim.read_text(**options)

    def test_in_one_call_of_one_that_grows(self):
        with self.store.claim() as claim:
            with open(claim.path, 'ab') as file:
                file.write(b'x' * 99999)
            self.assertEqual(b'ours' + b'x' * 99999, claim.read_bytes())
            os.truncate(claim.path, 2)
            self.assertEqual(b'ou', claim.read_bytes())

    def test_in_one_call_beside_who_reads_it(self):
        with self.store.claim() as claim:
            file = claim.open('rb')
            self.assertEqual(b'ours', claim.read_bytes())
            self.assertEqual(b'ours', file.read())
            file.close()
            self.assertEqual('ours', claim.read_text())
            self.assertEqual(
                b'', subprocess.check_output(['cat'], stdin=claim))
            self.assertEqual(b'ours', claim.read_bytes())

    def test_in_one_call_from_a_disk_that_fails(self):
        with self.store.claim() as claim:
            with self.assertRaises(OSError) as raised, unittest.mock.patch(
                    'os.pread', side_effect=OSError(errno.EIO, 'failed')):
                claim.read_bytes()
        self.assertEqual((errno.EIO, claim.path), (
            raised.exception.errno, raised.exception.filename))

    def test_in_one_call_after_the_end(self):
        claim = self.store.claim()
        claim.finish()
        for read in (claim.read_bytes, claim.read_text):
            with self.assertRaises(gocept.filestore.interfaces.Settled):
                read()

    def test_modes_that_write(self):
        with self.store.claim() as claim:
            for mode in ('w', 'a', 'x', 'r+', 'rb+', 'wb', ''):
                with self.assertRaises(ValueError):
                    claim.open(mode)
            self.assertEqual('ours', self.text(claim))

    @gocept.filestore.tests.case.slow
    def test_what_is_no_mode(self):
        with self.store.claim() as claim:
            for mode in ('rw', 'rbt', 'rq', 'rr'):
                before = len(self.descriptors())
                with self.assertRaises(ValueError) as raised:
                    claim.open(mode)
                raised.exception.__traceback__ = None
                self.assertEqual(before, len(os.listdir('/proc/self/fd')))
            self.assertEqual('ours', self.text(claim))

    def test_bad_text_options(self):
        with self.store.claim() as claim:
            for kind, args, options in (
                    (LookupError, (), {'encoding': 'no-such-encoding'}),
                    (ValueError, (), {'newline': 'x'}),
                    (ValueError, ('rb',), {'encoding': 'utf-8'})):
                with self.assertRaises(kind):
                    claim.open(*args, **options)
            self.assertEqual('ours', self.text(claim))

    def test_several_at_once_from_the_beginning(self):
        with self.store.claim() as claim:
            with claim.open() as one, claim.open() as two, claim.open('rb'):
                self.assertEqual('o', one.read(1))
                self.assertEqual('ours', two.read())
                self.assertEqual('urs', one.read())
            self.assertEqual('ours', self.text(claim))

    def test_after_a_command_has_read_it(self):
        with self.store.claim() as claim:
            self.assertEqual(
                b'ours', subprocess.check_output(['cat'], stdin=claim))
            with claim.open() as file:
                self.assertEqual('ours', file.read())

    def test_command_reads_it_after_us(self):
        with self.store.claim() as claim:
            with claim.open() as file:
                self.assertEqual('ours', file.read())
            self.assertEqual(
                b'ours', subprocess.check_output(['cat', claim.path]))

    def test_too_many_open_files(self):
        with self.store.claim() as claim:
            with self.no_more_files(), self.assertRaises(OSError) as raised:
                claim.open()
            self.assertEqual((errno.EMFILE, claim.path), (
                raised.exception.errno, raised.exception.filename))
            self.assertEqual('ours', self.text(claim))

    @contextlib.contextmanager
    def no_more_files(self):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    def test_file_left_open_does_not_keep_the_claim(self):
        claim = self.store.claim()
        file = claim.open()
        self.addCleanup(file.close)
        with self.dropping():
            del claim
        claim = self.store.claim()
        self.assertEqual(2, claim.attempt)
        claim.finish()

    @contextlib.contextmanager
    def dropping(self):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', ResourceWarning)
            yield
            gc.collect()


class Finish(ClaimCase):

    def test_keep(self):
        inode = os.stat(self.path / 'new' / 'a').st_ino
        self.store.claim().finish()
        self.assertEqual({'cur': ['a']}, self.tree())
        self.assertEqual(inode, os.stat(self.path / 'cur' / 'a').st_ino)

    def test_keep_removes_an_older_one(self):
        self.put('cur', 'a', 'older')
        self.store.claim().finish()
        self.assertEqual('ours', self.read('cur', 'a'))

    def test_remove(self):
        self.put('cur', 'a', 'older')
        self.store.claim().finish(keep=False)
        self.assertEqual({'cur': ['a']}, self.tree())
        self.assertEqual('older', self.read('cur', 'a'))

    def test_kept_file_was_taken_by_hand(self):
        claim = self.store.claim()
        os.remove(claim.path)
        with self.assertRaises(gocept.filestore.interfaces.NoSuchFile):
            claim.finish()

    def test_removed_file_was_taken_by_hand(self):
        claim = self.store.claim()
        os.remove(claim.path)
        claim.finish(keep=False)
        self.assertEqual({}, self.tree())

    def test_attempts_are_forgotten(self):
        for keep in (True, False):
            self.put('new', 'a')
            self.abandon().finish(keep)
            self.assertEqual([], self.store.list('attempts'))

    def test_attempts_are_forgotten_after_a_release(self):
        claim = self.store.claim()
        self.put('new', 'a', 'newer')
        claim.release()
        claim = self.store.claim()
        self.assertEqual(1, claim.attempt)
        claim.finish()
        self.assertEqual([], self.store.list('attempts'))

    def test_attempts_were_removed_by_hand(self):
        for keep in (True, False):
            self.put('new', 'a')
            claim = self.abandon()
            os.remove(self.path / 'attempts' / 'a')
            claim.finish(keep)
            with self.assertRaises(gocept.filestore.interfaces.Settled):
                claim.finish()
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_attempts_of_an_older_file_of_the_name_stay(self):
        self.store.claim().fail(NO_PAPER)
        self.put('new', 'a', 'newer')
        self.abandon().finish()
        self.assertEqual('failed', self.events()[0])
        self.assertEqual(['a'], self.tree()['failed'])

    def test_directory_in_the_way(self):
        (self.path / 'cur' / 'a').mkdir()
        claim = self.store.claim()
        with self.assertRaises(gocept.filestore.interfaces.NotRegular):
            claim.finish()
        self.assertEqual(['a'], self.tree()['work'])
        (self.path / 'cur' / 'a').rmdir()
        claim.finish()

    def test_link_in_the_way(self):
        outside = self.directory / 'outside'
        outside.write_text('outside')
        os.symlink(outside, self.path / 'cur' / 'a')
        self.store.claim().finish()
        self.assertEqual('outside', outside.read_text())
        self.assertFalse((self.path / 'cur' / 'a').is_symlink())
        self.assertEqual('ours', self.read('cur', 'a'))

    @gocept.filestore.tests.case.slow
    def test_finished_by_many_at_once(self):
        # Files of one name are put into `cur`, and removed there, by several.
        self.store.claim().finish()
        children = [self.child() for _ in range(4)]
        for child in children:
            child.send('answer = 0\n'
                       'for number in range(200):\n'
                       '    with store.publish("a", replace=True):\n'
                       '        pass\n'
                       '    for claim in store.claims():\n'
                       '        claim.finish()\n'
                       '        answer += 1\n'
                       '        try:\n'
                       '            store.remove("a", "cur")\n'
                       '        except FileNotFoundError:\n'
                       '            pass')
        self.assertGreater(sum(child.answer() for child in children), 0)
        self.assertEqual([], self.store.list('new'))
        self.assertEqual([], self.store.list('work'))


class Fail(ClaimCase):

    def test_moves_to_failed(self):
        self.store.claim().fail(NO_PAPER)
        self.assertEqual(['a'], self.tree()['failed'])
        self.assertEqual('ours', self.read('failed', 'a'))
        self.assertIsNone(self.store.claim())

    def test_event(self):
        self.store.claim().fail(ValueError('no paper'))
        event = json.loads(self.read('attempts', 'a'))
        self.assertEqual('failed', event['event'])
        self.assertEqual('ValueError: no paper', event['error'])
        self.assertEqual(os.getpid(), event['process'])
        self.assertEqual(os.uname().nodename, event['host'])
        self.assertIn('T', event['time'])
        self.assertIn('ValueError', event['traceback'])

    def test_older_ones_get_numbers(self):
        for number in range(4):
            self.put('new', 'a', str(number))
            self.store.claim().fail(NO_PAPER)
        self.assertEqual(
            ['a', 'a.~1~', 'a.~2~', 'a.~3~'], self.tree()['failed'])
        self.assertEqual(
            ['3', '0', '1', '2'],
            [self.read('failed', name) for name in self.tree()['failed']])

    def test_older_one_with_the_longest_name(self):
        for _ in range(2):
            self.put('new', 'x' * 255)
            for claim in self.store.claims():
                claim.fail(NO_PAPER)
        self.assertIn('x' * 251 + '.~1~', self.tree()['failed'])

    @gocept.filestore.tests.case.slow
    def test_older_one_is_taken_away_meanwhile(self):
        remover = self.child()
        remover.run('import contextlib, os, threading\n'
                    'stop = threading.Event()\n'
                    'def work():\n'
                    '    while not stop.is_set():\n'
                    '        for path in store.list("failed"):\n'
                    '            with contextlib.suppress('
                    'FileNotFoundError):\n'
                    '                os.remove(path)\n'
                    'thread = threading.Thread(target=work)\n'
                    'thread.start()')
        for _ in range(1000):
            self.put('new', 'a')
            for claim in self.store.claims():
                claim.fail(NO_PAPER)
        remover.run('stop.set(); thread.join()')
        self.assertEqual([], self.store.list('work'))

    def test_number_that_a_crash_has_left_is_no_second_copy(self):
        self.move_by_link()  # it leaves one file with two names in `failed`
        self.store.claim().fail(NO_PAPER)
        os.link(self.path / 'failed' / 'a', self.path / 'failed' / 'a.~1~')
        self.put('new', 'a', 'newer')
        self.store.claim().fail(NO_PAPER)
        self.assertEqual(['a', 'a.~1~'], self.tree()['failed'])

    def test_waits_in_work(self):
        self.store.claim().fail('no paper')
        self.assertEqual({'work': ['a'], 'attempts': ['a']}, self.tree())
        self.assertEqual('ours', self.read('work', 'a'))
        self.assertIsNone(self.store.claim())
        self.assertIsNone(self.open_store().claim())

    def refuse_to_give_up(self):
        """Return a claim that could not be given up, and still stands."""
        claim = self.store.claim()
        (self.path / 'failed').write_text('content')
        with self.assertRaises(gocept.filestore.interfaces.InTheWay):
            claim.fail(NO_PAPER)
        self.assertIsNone(self.open_store().claim())
        (self.path / 'failed').unlink()
        return claim

    def test_given_up_later(self):
        self.refuse_to_give_up().fail(NO_PAPER)
        self.assertEqual({'failed': ['a'], 'attempts': ['a']}, self.tree())
        failure, = self.store.failures()
        self.assertEqual('Reject: no paper', failure['error'])

    def test_done_although_it_was_to_be_given_up(self):
        for keep, names in (True, ['a']), (False, []):
            self.put('new', 'a')
            self.refuse_to_give_up().finish(keep)
            self.assertEqual(names, self.tree().pop('cur', []))
            self.assertEqual([], self.store.list('attempts'))
            self.store.clean('cur', 0)

    def test_given_back_although_it_was_to_be_given_up(self):
        self.refuse_to_give_up().release()
        with self.store.claim() as claim:
            self.assertEqual(1, claim.attempt)

    def test_process_dies_before_it_is_given_up(self):
        claim = self.store.claim()
        (self.path / 'failed').write_text('content')
        with self.assertRaises(
                gocept.filestore.interfaces.InTheWay), claim:
            raise NO_PAPER
        with self.assertRaises(gocept.filestore.interfaces.InTheWay):
            self.store.claim()
        (self.path / 'failed').unlink()
        self.assertIsNone(self.store.claim())
        self.assertEqual({'failed': ['a'], 'attempts': ['a']}, self.tree())
        self.assertEqual(['failed'], self.events())

    def test_was_taken_by_hand(self):
        for error in (NO_PAPER, 'no paper'):
            claim = self.store.claim()
            os.remove(claim.path)
            with self.assertRaises(gocept.filestore.interfaces.NoSuchFile):
                claim.fail(error)
            self.assertEqual({}, self.tree())
            self.put('new', 'a')

    def test_attempts_that_can_not_be_written(self):
        self.put('attempts', 'x')
        os.mkfifo(self.path / 'attempts' / 'a')
        with self.no_blocking(), self.assertRaises(
                gocept.filestore.interfaces.NotRegular):
            with self.store.claim():
                raise ZeroDivisionError
        self.assertEqual(['a'], self.tree()['work'])


class Logged(ClaimCase):
    """One can be alarmed by the level."""

    def fail(self, error):
        """Fail once, and return the one record of it."""
        claim = self.store.claim()
        with self.assertLogs('gocept.filestore', 'INFO') as logs:
            try:
                raise error
            except Exception as raised:
                claim.fail(raised)
        record, = logs.records
        return record

    def test_attempts(self):
        self.store = self.open_store(
            retry_policy=gocept.filestore.RetryPolicy(3, first=0))
        records = [self.fail(ValueError('no\npaper')) for _ in range(3)]
        self.assertEqual(['WARNING', 'WARNING', 'ERROR'],
                         [record.levelname for record in records])
        self.assertEqual([True, False, True],
                         [bool(record.exc_info) for record in records])
        for record, then in zip(records, [
                'tried again in 0 seconds', 'tried again in 0 seconds',
                'given up'], strict=True):
            self.assertRegex(
                record.getMessage(), r'^%s: attempt %s failed after 0\.\d+ '
                'seconds, %s: ValueError: no paper$' % (
                    self.path / 'work' / 'a', record.attempt, then))
            self.assertEqual((str(self.path), 'a'),
                             (record.store, record.file))
            self.assertLess(0, record.seconds)

    def test_planned(self):
        record = self.fail(gocept.filestore.interfaces.Retry(300))
        self.assertEqual(('INFO', None), (record.levelname, record.exc_info))
        self.assertIn('tried again in 300 seconds', record.getMessage())

    def test_rejected(self):
        record = self.fail(NO_PAPER)
        self.assertEqual('ERROR', record.levelname)
        self.assertIn('given up: Reject: no paper', record.getMessage())
        self.assertIs(NO_PAPER, record.exc_info[1])

    def test_given_up_after_deaths(self):
        self.store = self.open_store(
            retry_policy=gocept.filestore.RetryPolicy(1))
        with self.assertLogs('gocept.filestore', 'INFO') as logs:
            self.assertIsNone(self.abandon())
        self.assertEqual(
            [('WARNING', 'a', 1), ('ERROR', 'a', 1)],
            [(record.levelname, record.file, record.attempt)
             for record in logs.records])

    def test_due(self):
        claim = self.store.claim()
        self.assertIsNone(claim.due)
        before = self.store._layout.clock()
        claim.fail(gocept.filestore.interfaces.Retry(300))
        self.assertTrue(before + 300 <= claim.due <= before + 330)
        self.put('new', 'b')
        claim = self.store.claim()
        claim.fail(NO_PAPER)
        self.assertIsNone(claim.due)


class Release(ClaimCase):

    def test_waits_in_new_again(self):
        self.store.claim().release()
        self.assertEqual({'new': ['a']}, self.tree())
        with self.store.claim() as claim:
            self.assertEqual(1, claim.attempt)

    def test_another_process_takes_it_at_once(self):
        claim = self.store.claim()
        child = self.child()
        take = 'claim = store.claim(); answer = claim and claim.attempt'
        self.assertIsNone(child.run(take))
        claim.release()
        self.assertEqual(1, child.run(take))

    def test_newer_one_waits(self):
        claim = self.store.claim()
        self.put('new', 'a', 'newer')
        claim.release()
        self.assertEqual(['a'], self.tree()['work'])
        for content in ('ours', 'newer'):
            with self.store.claim() as claim:
                self.assertEqual(content, self.text(claim))
                self.assertEqual(1, claim.attempt)
        self.assertIsNone(self.store.claim())

    def test_does_not_count(self):
        claim = self.abandon()
        for _ in range(3):
            self.assertEqual(2, claim.attempt)
            claim.release()
            claim = self.store.claim()
        claim.finish()

    def test_attempt_after_deaths_waits_in_new_as_well(self):
        claim = self.abandon()
        claim.release()
        self.assertEqual(['a'], self.tree()['new'])
        claim = self.store.claim()
        self.assertEqual(2, claim.attempt)
        claim.finish()

    def test_goes_to_the_end_of_the_queue(self):
        self.put('new', 'b')
        self.store.claim().release()
        self.assertEqual(['b', 'a'], [
            claim.finish() or claim.filename for claim in self.store.claims()])

    def test_forked_child_does_not_keep_it(self):
        child = self.child()
        child.run('import os\n'
                  'claim = store.claim()\n'
                  'pid = os.fork()\n'
                  'while not pid:\n'
                  '    os.read(0, 1) or os._exit(0)\n'
                  'claim.release()')
        claim = self.store.claim()
        self.assertEqual(1, claim.attempt)
        claim.finish()


class Block(ClaimCase):

    def test_finishes(self):
        with self.store.claim():
            pass
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_exception_fails_and_goes_on(self):
        with self.assertRaises(ZeroDivisionError), self.store.claim():
            raise ZeroDivisionError
        self.assertEqual(['a'], self.tree()['work'])
        self.assertIn('raise ZeroDivisionError', self.read('attempts', 'a'))

    def test_no_exception_of_the_file(self):
        with self.assertRaises(KeyboardInterrupt), self.store.claim():
            raise KeyboardInterrupt
        self.assertEqual({'new': ['a']}, self.tree())

    def test_exit_of_a_signal_handler(self):
        before = signal.signal(signal.SIGUSR1, lambda *args: sys.exit())
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        with self.assertRaises(SystemExit), self.store.claim():
            signal.raise_signal(signal.SIGUSR1)
        self.assertEqual({'new': ['a']}, self.tree())

    def test_exit_of_the_work(self):
        for kind in (SystemExit, GeneratorExit, asyncio.CancelledError,
                     BaseException):
            with self.assertRaises(kind), self.store.claim():
                raise kind
            self.assertEqual(['a'], self.tree()['work'])
            self.assertIn('raise kind', self.read('attempts', 'a'))
            self.store.retry('a')

    def test_settled_inside(self):
        for verb, space in (('finish', 'cur'), ('release', 'new')):
            with self.store.claim() as claim:
                getattr(claim, verb)()
            self.assertEqual(['a'], self.tree()[space])
            self.put('new', 'a')
        with self.assertRaises(ZeroDivisionError), self.store.claim() as claim:
            claim.finish(keep=False)
            raise ZeroDivisionError

    def test_what_can_not_be_finished_is_let_go(self):
        (self.path / 'cur' / 'a').mkdir()
        with self.assertRaises(gocept.filestore.interfaces.NotRegular):
            with self.store.claim():
                pass
        (self.path / 'cur' / 'a').rmdir()
        with self.store.claim() as claim:
            self.assertEqual(2, claim.attempt)

    def test_directory_is_changed_inside(self):
        # The path of the store is a relative one.
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        self.path = self.path.relative_to(self.directory)
        store = self.open_store()
        with store.claim() as claim:
            os.chdir('/')
            self.assertEqual('ours', self.text(claim))
        os.chdir(self.directory)
        self.assertEqual({'cur': ['a']}, self.tree())


class Settled(ClaimCase):

    def test_each_call_raises_after_each_end(self):
        for end in ('finish', 'release', 'fail'):
            self.put('new', 'a')
            claim = self.store.claim()
            getattr(claim, end)(*['error'] * (end == 'fail'))
            for call in (claim.finish, claim.release, claim.open,
                         claim.fileno, claim.__enter__,
                         lambda claim=claim: claim.fail('error')):
                with self.assertRaises(
                        gocept.filestore.interfaces.Settled) as raised:
                    call()
                self.assertIsInstance(raised.exception, ValueError)
                self.assertIn("'a'", str(raised.exception))
            for claim in self.store.claims():
                claim.finish(keep=False)

    def test_leaves_no_descriptor_open(self):
        self.store.claim().finish()
        before = len(self.descriptors())
        for end in ('finish', 'release'):
            self.put('new', 'a')
            getattr(self.store.claim(), end)()
        self.assertEqual(before, len(os.listdir('/proc/self/fd')))


class Dropped(ClaimCase):

    def test_warns_and_is_found_by_the_next(self):
        claim = self.store.claim()
        with self.assertWarns(ResourceWarning) as warned:
            del claim
            gc.collect()
        self.assertIn(os.path.join(self.path, 'work', 'a'),
                      str(warned.warning))
        claim = self.store.claim()
        self.assertEqual(2, claim.attempt)
        claim.finish()

    def test_settled_one_does_not_warn(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            self.store.claim().finish()
            gc.collect()
        self.assertEqual([], caught)

    def test_on_purpose(self):
        claim = self.store.claim()
        with self.assertNoLogs(), warnings.catch_warnings():
            warnings.simplefilter('error', ResourceWarning)
            for _ in range(2):
                claim.drop()
            with self.assertRaises(gocept.filestore.interfaces.Settled):
                claim.finish()
            del claim
        claim = self.store.claim()
        self.assertEqual(('a', 2), (claim.filename, claim.attempt))
        claim.finish()
        claim.drop()
        self.assertEqual(['a'], self.tree()['cur'])


class Inherited(ClaimCase):

    def test_fileno_holds_the_lock(self):
        claim = self.store.claim()
        status = os.fstat(claim.fileno())
        self.assertTrue(os.path.samestat(status, os.stat(claim.path)))
        claim.finish()

    def test_command_keeps_the_claim_alive(self):
        child = self.child()
        pid = child.run(
            'import subprocess\n'
            'claim = store.claim()\n'
            'command = subprocess.Popen(\n'
            '    ["sleep", "60"], stdin=subprocess.DEVNULL,\n'
            '    stdout=subprocess.DEVNULL, pass_fds=[claim.fileno()])\n'
            'answer = command.pid')
        child.kill()
        self.assertIsNone(self.store.claim())
        os.kill(pid, 9)
        with self.no_blocking():
            claim = next(filter(None, iter(self.store.claim, False)))
        self.assertEqual(2, claim.attempt)
        claim.finish()

    def test_command_without_the_descriptor_does_not(self):
        child = self.child()
        pid = child.run(
            'import subprocess\n'
            'claim = store.claim()\n'
            'command = subprocess.Popen(["sleep", "60"],\n'
            '    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)\n'
            'answer = command.pid')
        self.addCleanup(os.kill, pid, 9)
        child.kill()
        with self.store.claim() as claim:
            self.assertEqual(2, claim.attempt)

    def test_forked_child_keeps_the_claim_alive(self):
        child = self.child()
        pid = child.run('import os, signal\n'
                        'claim = store.claim()\n'
                        'answer = os.fork()\n'
                        'while not answer:\n'
                        '    signal.pause()')
        child.process.kill()
        child.process.wait()
        self.assertIsNone(self.store.claim())
        os.kill(pid, 9)
        with self.no_blocking():
            claim = next(filter(None, iter(self.store.claim, False)))
        self.assertEqual(2, claim.attempt)
        claim.finish()

    def fork(self, end):
        """Let a child of the owner come to its end, before its parent."""
        child = self.child()
        child.send('import os, sys, warnings\n'
                   'warnings.simplefilter("ignore")\n'
                   'def work():\n'
                   '    with store.claim() as claim:\n'
                   '        pid = os.fork()\n'
                   '        if not pid:\n'
                   '            %s\n'
                   '        os.waitpid(pid, 0)\n'
                   '        print("None", flush=True)\n'
                   '        sys.stdin.readline()\n'
                   'work()' % end)
        child.answer()
        self.assertIsNone(self.store.claim())
        self.assertEqual({'work': ['a']}, self.tree())
        child.send('')
        child.answer()
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_end_of_a_forked_child_does_not_end_the_claim(self):
        self.fork('os._exit(0)')

    def test_child_that_drops_the_claim_does_not_end_it(self):
        child = self.child()
        child.run('import os, warnings\n'
                  'warnings.simplefilter("ignore")\n'
                  'claim = store.claim()\n'
                  'pid = os.fork()\n'
                  'if not pid:\n'
                  '    claim = None\n'
                  '    os._exit(0)\n'
                  'os.waitpid(pid, 0)')
        self.assertIsNone(self.store.claim())
        child.run('claim.finish()')

    def test_child_that_leaves_the_block_does_not_end_the_claim(self):
        self.fork('sys.exit(0)')

    def test_child_that_fails_in_the_block_does_not_end_the_claim(self):
        self.fork('sys.stderr = open(os.devnull, "w"); raise ValueError')
