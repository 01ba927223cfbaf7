import array
import errno
import fcntl
import gocept.filestore.interfaces
import gocept.filestore.testing
import gocept.filestore.tests.case
import os
import re
import resource
import signal
import subprocess
import unittest.mock


OBSTACLE = gocept.filestore.testing.obstacle()


class PublishCase(gocept.filestore.tests.case.Case):

    def publish(self, *args, content='ours', **kw):
        with self.store.publish(*args, **kw) as file:
            file.write(content)


class Publish(PublishCase):

    def test_whole_file_in_new(self):
        with self.store.publish('a') as file:
            file.write('ours')
            self.assertEqual([], self.store.list('new'))
            self.assertEqual(1, len(self.store.list('tmp')))
        self.assertEqual({'new': ['a']}, self.tree())
        self.assertEqual('ours', self.read('new', 'a'))

    def test_plain_file_of_open(self):
        with self.store.publish('a') as file:
            plain = open(self.directory / 'plain', 'w')
            self.addCleanup(plain.close)
            self.assertIs(type(plain), type(file))
            self.assertEqual(self.store.list('tmp'), [file.name])
            self.assertEqual('w', file.mode)

    def test_modes(self):
        for mode, content in (('w', 'ä'), ('wb', b'\xff'), ('w+', 'ä'),
                              ('w+b', b'\xff'), ('wt', 'ä')):
            with self.store.publish('a', mode, replace=True) as file:
                file.write(content)
                if '+' in mode:
                    file.seek(0)
                    self.assertEqual(content, file.read())
            self.assertEqual(
                'ä'.encode() if isinstance(content, str) else content,
                (self.path / 'new' / 'a').read_bytes())

    def test_other_modes(self):
        for mode in ('r', 'a', 'x', 'r+', '', 'rb', 'a+'):
            with self.assertRaises(ValueError):
                self.publish('a', mode)
        self.assertEqual({}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_what_is_no_mode_leaves_nothing_behind(self):
        for mode in ('wx', 'wq', 'rw', 'wa', 'wbt', 'w++', 'ww'):
            before = len(self.descriptors())
            with self.assertRaises(ValueError) as raised:
                self.publish('a', mode)
            raised.exception.__traceback__ = None
            self.assertEqual({}, self.tree())
        self.assertEqual(before, len(os.listdir('/proc/self/fd')))

    def test_text_options(self):
        self.publish('a', content='ä\u20ac\n', encoding='latin-1',
                     errors='replace', newline='\r\n')
        self.assertEqual(
            b'\xe4?\r\n', (self.path / 'new' / 'a').read_bytes())

    def test_bad_text_options_leave_nothing_behind(self):
        for kind, options in (
                (LookupError, {'encoding': 'no-such-encoding'}),
                (ValueError, {'newline': 'x'}),
                (ValueError, {'mode': 'wb', 'encoding': 'utf-8'}),
                (ValueError, {'mode': 'wb', 'errors': 'strict'}),
                (ValueError, {'mode': 'wb', 'newline': '\n'})):
            with self.assertRaises(kind):
                self.publish('a', **options)
        self.assertEqual({}, self.tree())

    def test_closed_inside(self):
        for store in (self.store, self.open_store(durable=True)):
            with store.publish('a', replace=True) as file:
                file.write('ours')
                file.close()
            self.assertEqual('ours', self.read('new', 'a'))

    def test_durable(self):
        with self.open_store(durable=True).publish('a') as file:
            file.write('ours')
        self.assertEqual('ours', self.read('new', 'a'))

    @unittest.skipIf(OBSTACLE, OBSTACLE)
    def test_what_is_published_was_synced(self):
        for put in (
                lambda new, name: os.rename(new, name),
                lambda new, name: (os.link(name, name + '~'),
                                   os.rename(new, name)),
                lambda new, name: (os.rename(name, name + '~'),
                                   os.rename(new, name)),
                lambda new, name: os.unlink(new)):
            synced, moved = self.synced_and_moved(put)
            self.assertEqual(moved, synced)

    def synced_and_moved(self, put):
        """Return the names of drafts; a library puts one in its place."""
        def publish():
            with self.store.publish('a', replace=True) as file:
                new = self.put('', 'other')
                put(str(new), file.name)

        self.store = self.open_store(durable=True)
        texts = [call.text for call in gocept.filestore.testing.calls(
            publish, lambda: None)]
        return [re.findall(pattern, '\n'.join(texts))[0] for pattern in (
            r'fsync\(\S+/tmp/([^/>]+)>', r'renameat2\([^"]+"([^"]+)"')]

    def test_draft_that_is_gone(self):
        for store in (self.store, self.open_store(durable=True)):
            with (self.assertRaises(gocept.filestore.interfaces.NoSuchFile),
                    store.publish('a') as file):
                os.unlink(file.name)

    def test_nothing_is_made_before_the_block(self):
        self.store.publish('a')
        self.assertEqual({}, self.tree())

    def test_second_use(self):
        publication = self.store.publish('a')
        with publication:
            with self.assertRaises(
                    gocept.filestore.interfaces.Settled) as raised:
                publication.__enter__()
        self.assertIn("'a'", str(raised.exception))
        with self.assertRaises(gocept.filestore.interfaces.Settled):
            publication.__enter__()
        self.assertEqual({'new': ['a']}, self.tree())

    def test_leaves_no_descriptor_open(self):
        self.publish('a')
        before = len(self.descriptors())
        self.publish('b')
        with self.assertRaises(FileExistsError):
            self.publish('a')
        self.assertEqual(before, len(os.listdir('/proc/self/fd')))

    def test_claimable_as_soon_as_it_is_there(self):
        publication = self.store.publish('a')
        with publication as file:
            file.write('ours')
        with self.store.claim() as claim:
            self.assertEqual('ours', self.text(claim))


class Names(PublishCase):

    def test_given(self):
        self.assertEqual('a', self.store.publish('a').filename)

    def test_unique_ones_sort_by_time(self):
        names = []
        for _ in range(200):
            publication = self.store.publish()
            with publication:
                names.append(publication.filename)
        self.assertEqual(names, sorted(set(names)))
        self.assertNames(names, self.store.list('new'))

    @gocept.filestore.tests.case.slow
    def test_unique_among_processes(self):
        children = [self.child() for _ in range(4)]
        for child in children:
            child.send('for number in range(200):\n'
                       '    with store.publish():\n'
                       '        pass')
        for child in children:
            child.answer()
        self.assertEqual(800, len(self.store.list('new')))


class Taken(PublishCase):

    def setUp(self):
        super().setUp()
        self.put('new', 'a', 'theirs')

    def test_refused(self):
        with self.assertRaises(
                gocept.filestore.interfaces.NameTaken) as raised:
            self.publish('a')
        self.assertEqual('a', raised.exception.filename)
        self.assertEqual({'new': ['a']}, self.tree())
        self.assertEqual('theirs', self.read('new', 'a'))

    def test_replaced(self):
        self.publish('a', replace=True)
        self.assertEqual({'new': ['a']}, self.tree())
        self.assertEqual('ours', self.read('new', 'a'))

    def test_in_work_is_not_taken(self):
        claim = self.store.claim()
        self.publish('a')
        self.assertEqual({'new': ['a'], 'work': ['a']}, self.tree())
        claim.finish()

    def test_special_file_is_not_replaced(self):
        os.mkfifo(self.path / 'new' / 'pipe')
        os.symlink('nowhere', self.path / 'new' / 'link')
        (self.path / 'new' / 'directory').mkdir()
        for name in ('pipe', 'link', 'directory'):
            with self.no_blocking(), self.assertRaises(
                    gocept.filestore.interfaces.NotRegular):
                self.publish(name, replace=True)
        self.assertEqual(
            {'new': ['a', 'directory', 'link', 'pipe']}, self.tree())


class Failing(PublishCase):
    """Nothing is left behind."""

    def failing(self, kind, action):
        for durable in (True, False):
            store = self.open_store(durable=durable)
            with self.assertRaises(kind), store.publish('a') as file:
                file.write('ours')
                action(file)
            self.assertEqual({}, self.tree())
            self.assertTrue(is_closed(file))

    def test_error_inside(self):
        for error in (ZeroDivisionError(), KeyboardInterrupt(),
                      SystemExit()):
            self.failing(type(error), lambda file, e=error: throw(e))

    def test_error_inside_after_closing(self):
        self.failing(ZeroDivisionError, lambda file: (file.close(), 1 / 0))

    def test_error_inside_after_detaching(self):
        raws = []
        self.failing(ZeroDivisionError, lambda file: (
            raws.append(file.detach()), 1 / 0))

    def test_detached(self):
        raws = []
        self.failing(ValueError, lambda file: raws.append(file.detach()))

    def test_what_can_not_be_encoded(self):
        self.failing(
            UnicodeEncodeError, lambda file: file.write('\udcff'))

    def test_draft_removed_inside(self):
        self.failing(FileNotFoundError, lambda file: os.remove(file.name))

    def test_draft_removed_and_an_error_inside(self):
        self.failing(ZeroDivisionError, lambda file: (
            os.remove(file.name), 1 / 0))

    def test_draft_removed_after_closing(self):
        self.failing(FileNotFoundError, lambda file: (
            file.close(), os.remove(file.name)))

    def test_process_dies_inside(self):
        child = self.child()
        child.run('publication = store.publish("a")\n'
                  'file = publication.__enter__()\n'
                  'file.write("half")\n'
                  'file.flush()')
        child.kill()
        self.assertEqual(['tmp'], list(self.tree()))
        self.assertEqual(1, len(self.store.list('tmp')))
        self.publish('a')
        self.assertEqual('ours', self.read('new', 'a'))


def throw(error):
    raise error


def is_closed(file):
    try:
        return file.closed
    except ValueError:
        return True  # it was detached


class InOneCall(PublishCase):

    texts = ('', 'ä\n', 'a\nb\r\nc\rd\n', '\N{BYTE ORDER MARK}a')

    def content(self, name='a'):
        return (self.path / 'new' / name).read_bytes()

    def test_bytes(self):
        for data in (b'', b'\x00\xff' * 9999, bytearray(b'ab'),
                     memoryview(b'abcd')[1:], array.array('i', [1, 2])):
            self.store.write_bytes('a', data, replace=True)
            self.assertEqual(bytes(data), self.content())
        self.assertEqual({'new': ['a']}, self.tree())

    def test_text_is_what_a_file_would_get(self):
        for text in self.texts:
            for options in ({}, {'encoding': 'utf-16'}, {'newline': '\r\n'},
                            {'encoding': 'ascii', 'errors': 'replace'},
                            {'encoding': 'utf-8-sig', 'newline': ''}):
                self.publish('b', replace=True, content=text, **options)
                self.store.write_text('a', text, replace=True, **options)
                self.assertEqual(self.content('b'), self.content())

    def test_name(self):
        self.assertEqual('a', self.store.write_bytes('a', b''))
        names = [self.store.write_text(None, ''),
                 self.store.write_bytes(None, b'')]
        self.assertEqual(sorted(names), names)
        self.assertEqual({'new': sorted(['a', *names])}, self.tree())

    def test_name_is_taken(self):
        self.store.write_text('a', 'ours')
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            self.store.write_text('a', 'another')
        self.assertEqual(b'ours', self.content())
        self.assertEqual({'new': ['a']}, self.tree())

    def test_bad_contents_leave_nothing_behind(self):
        for verb, kind, args in (
                (self.store.write_bytes, TypeError, ('text',)),
                (self.store.write_bytes, TypeError, (None,)),
                (self.store.write_text, TypeError, (b'bytes',)),
                (self.store.write_text, UnicodeEncodeError, ('\udc80',)),
                (self.store.write_text, LookupError, ('', False, 'no such')),
                (self.store.write_text, ValueError,
                 ('', False, None, None, 'x'))):
            with self.assertRaises(kind):
                verb('a', *args)
        self.assertEqual({}, self.tree())

    def test_somebody_looks_whether_the_draft_is_locked(self):
        # As who cleans does, just before we lock it ourselves.
        others, flock = [], fcntl.flock

        def after_another(descriptor, operation):
            others.append(open(self.store.list('tmp')[0]))
            flock(others[0], fcntl.LOCK_EX)
            flock(descriptor, operation)

        with unittest.mock.patch('fcntl.flock', after_another):
            self.store.write_text('a', 'ours')
        others[0].close()
        self.assertEqual(b'ours', self.content())
        self.assertEqual({'new': ['a']}, self.tree())

    def test_with_a_batch(self):
        with self.store.batch() as batch:
            self.assertEqual('a', batch.write_bytes('a', b'ours'))
            batch.write_text('b', 'ours')
            self.assertEqual([], self.store.list('new'))
        self.assertEqual({'new': ['a', 'b']}, self.tree())

    def test_inherited_by_a_child(self):
        child = self.child()
        child.run('store.write_text("a", "ours")')
        self.assertEqual(b'ours', self.content())


class TooLarge(PublishCase):
    """The disk, here the limit of the process, has no room for the file."""

    def setUp(self):
        super().setUp()
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, before)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGXFSZ, handler)
        self.limit = (5000, before[1])

    def too_large(self, action):
        for durable in (True, False):
            store = self.open_store(durable=durable)
            with self.assertRaises(OSError) as raised:
                resource.setrlimit(resource.RLIMIT_FSIZE, self.limit)
                action(store)
            self.assertEqual(errno.EFBIG, raised.exception.errno)
            self.assertEqual(
                'a', os.path.basename(raised.exception.filename))

    def write(self, store, size):
        with store.publish('a', 'wb') as file:
            file.write(b'x' * size)

    def test_noticed_inside(self):
        self.too_large(lambda store: self.write(store, 10 ** 6))
        self.assertEqual({}, self.tree())

    def test_noticed_in_one_call(self):
        for size in (8000, 10 ** 6):
            self.too_large(lambda store, size=size: store.write_bytes(
                'a', b'x' * size))
        self.assertEqual({}, self.tree())

    def test_noticed_when_leaving(self):
        # What fits into the buffer is written at the very end.
        self.too_large(lambda store: self.write(store, 8000))
        self.assertEqual({}, self.tree())

    def test_copy(self):
        self.put('cur', 'a', 'x' * 10 ** 6)
        self.put('new', 'a', 'theirs')
        self.too_large(lambda store: store.copy('a', 'cur', 'new'))
        self.assertEqual({'cur': ['a'], 'new': ['a']}, self.tree())
        self.assertEqual('theirs', self.read('new', 'a'))


class Forked(PublishCase):

    def test_child_does_not_settle_what_is_its_parents(self):
        for error in (None, SystemExit):
            publication = self.store.publish('a', replace=True)
            with publication as file:
                file.write('ours')
                pid = os.fork()
                if not pid:
                    publication.__exit__(error, error, None)
                    os._exit(0)
                os.waitpid(pid, 0)
                self.assertEqual(1, len(self.store.list('tmp')))
            self.assertEqual({'new': ['a']}, self.tree())
            self.assertEqual('ours', self.read('new', 'a'))


@gocept.filestore.tests.case.needs_mount()
class FullDisk(PublishCase):

    def setUp(self):
        super().setUp()
        disk = self.directory / 'disk'
        disk.mkdir()
        subprocess.run(
            ['mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk],
            check=True)
        self.addCleanup(subprocess.run, ['umount', '-l', disk], check=True)
        self.path = disk / 'store'
        self.store = self.open_store()
        self.store.prepare()

    def fill(self):
        with open(self.path.parent / 'filler', 'wb', 0) as file:
            try:
                while True:
                    file.write(b'x' * 4096)
            except OSError as error:
                self.assertEqual(errno.ENOSPC, error.errno)

    def test_nothing_is_left_behind(self):
        for size in (100, 8000, 10 ** 6):
            for durable in (False, True):
                self.full(self.open_store(durable=durable), size)

    def full(self, store, size):
        self.fill()
        with self.assertRaises(OSError) as raised:
            with store.publish('a', 'wb') as file:
                file.write(b'x' * size)
        self.assertEqual(errno.ENOSPC, raised.exception.errno)
        self.assertEqual({}, self.tree())

    def test_error_of_leaving_names_the_file(self):
        self.fill()
        with self.assertRaises(OSError) as raised:
            self.publish('a')
        self.assertEqual(
            str(self.path / 'new' / 'a'), raised.exception.filename)

    def test_error_of_one_call_names_the_file(self):
        for durable in (False, True):
            self.fill()
            with self.assertRaises(OSError) as raised:
                self.open_store(durable=durable).write_text('a', 'x' * 9000)
            self.assertEqual(
                (errno.ENOSPC, str(self.path / 'new' / 'a')),
                (raised.exception.errno, raised.exception.filename))
            self.assertEqual({}, self.tree())

    def test_claim_and_finish_need_no_room(self):
        self.publish('a')
        self.publish('b')
        self.store.claim().finish()
        self.fill()
        self.store.claim().finish()
        self.assertEqual({'cur': ['a', 'b']}, self.tree())

    def test_abandoned_file_does_not_keep_others_waiting(self):
        # The attempt can not be written down. What can be done is done: it
        # makes room.
        self.publish('a')
        child = self.child()
        child.run('claim = store.claim()')
        child.kill()
        self.publish('b')
        self.fill()
        claim = self.store.claim()
        self.assertEqual('b', claim.filename)
        claim.finish(keep=False)
        self.fill()
        with self.assertRaises(OSError) as raised:
            self.store.claim()
        self.assertEqual(errno.ENOSPC, raised.exception.errno)
        # The error is still at hand; it must not hold the lock.
        os.remove(self.path.parent / 'filler')
        claim = self.store.claim()
        self.assertEqual(('a', 2), (claim.filename, claim.attempt))
        claim.finish()


class Mode(PublishCase):

    def test_exact_whatever_the_umask(self):
        for mode in (0o600, 0o640, 0o660, 0o666, 0o444):
            for mask in (0, 0o077, 0o777):
                with self.umask(mask):
                    with self.open_store(file_mode=mode).publish(
                            'a', replace=True):
                        pass
                self.assertMode(mode, self.path / 'new' / 'a')

    def test_umask(self):
        with self.umask(0o027):
            self.publish('a')
        self.assertMode(0o640, self.path / 'new' / 'a')

    @gocept.filestore.tests.case.slow
    def test_set_before_the_file_is_visible(self):
        watcher = self.child()
        watcher.send(
            'import os\n'
            'answer, new = set(), store.path + "/new/"\n'
            'while not os.path.exists(new + "end"):\n'
            '    try:\n'
            '        answer.add(os.stat(new + "a").st_mode & 0o777)\n'
            '    except FileNotFoundError:\n'
            '        pass')
        store = self.open_store(file_mode=0o646)
        with self.umask(0o077):
            for _ in range(500):
                with store.publish('a', replace=True):
                    pass
            with store.publish('end'):
                pass
        self.assertEqual({0o646}, watcher.answer())
