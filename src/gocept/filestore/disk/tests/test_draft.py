import fcntl
import gocept.filestore.disk.draft
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import os
import socket


class DraftCase(gocept.filestore.tests.case.Case):

    def write(self, name, mode, content='ours', **options):
        with self.store.create(name, mode, **options) as file:
            file.write(content)

    def refuse(self, kind, name, mode):
        with self.no_blocking(), self.assertRaises(
                getattr(gocept.filestore.interfaces, kind)) as raised:
            self.store.create(name, mode)
        self.assertEqual(name, raised.exception.filename)
        self.assertEqual(str(self.path), raised.exception.store)


class Create(DraftCase):

    def test_returns_the_plain_file_of_open(self):
        with self.store.create('a') as file:
            plain = open(self.directory / 'plain', 'w', encoding='utf-8')
            self.addCleanup(plain.close)
            self.assertIs(type(plain), type(file))
            self.assertEqual(os.path.join(self.path, 'tmp', 'a'), file.name)
            self.assertEqual('w', file.mode)

    def test_binary(self):
        for mode in ('wb', 'w+b', 'xb', 'ab'):
            with self.store.create('a-%s' % mode, mode) as file:
                file.write(b'\xff')
            self.assertEqual(
                b'\xff', (self.path / 'tmp' / file.name).read_bytes())

    def test_text_is_utf_8(self):
        self.write('a', 'w', 'ä\n')
        self.assertEqual(
            b'\xc3\xa4\n', (self.path / 'tmp' / 'a').read_bytes())

    def test_text_options(self):
        self.write('a', 'w', 'ä\u20ac\n', encoding='latin-1',
                   errors='replace', newline='\r\n')
        self.assertEqual(
            b'\xe4?\r\n', (self.path / 'tmp' / 'a').read_bytes())

    def test_mode_that_can_not_write(self):
        for mode in ('r', 'rb', 'rt', '', 'b', 'U'):
            with self.assertRaises(ValueError):
                self.store.create('a', mode)
        self.assertEqual({}, self.tree())

    def test_what_is_no_mode_leaves_nothing_behind(self):
        for mode in ('rw', 'wx', 'wbt', 'w++', 'wq'):
            with self.assertRaises(ValueError):
                self.store.create('a', mode)
        self.assertEqual({}, self.tree())

    def test_bad_text_options_leave_nothing_behind(self):
        for kind, options in (
                (LookupError, {'encoding': 'no-such-encoding'}),
                (ValueError, {'newline': 'x'}),
                (ValueError, {'mode': 'wb', 'encoding': 'utf-8'}),
                (ValueError, {'mode': 'wb', 'newline': '\n'})):
            with self.assertRaises(kind):
                self.store.create('a', **options)
        self.assertEqual({}, self.tree())

    def test_bad_options_do_not_touch_what_is_there(self):
        self.put('tmp', 'a', 'left behind')
        with self.assertRaises(LookupError):
            self.store.create('a', encoding='no-such-encoding')
        self.assertEqual('left behind', self.read('tmp', 'a'))

    def test_mode_of_the_file(self):
        for number, mode in enumerate((0o600, 0o660, 0o644)):
            store = self.open_store(file_mode=mode)
            with self.umask(0o077):
                store.create(str(number)).close()
                store.create(str(number), 'a').close()
            self.assertMode(mode, self.path / 'tmp' / str(number))

    def test_umask(self):
        with self.umask(0o027):
            self.write('a', 'w')
        self.assertMode(0o640, self.path / 'tmp' / 'a')


class Again(DraftCase):
    """A draft of that name is there already."""

    def setUp(self):
        super().setUp()
        self.put('tmp', 'a', 'left behind')

    def test_w_starts_anew(self):
        self.write('a', 'w')
        self.assertEqual('ours', self.read('tmp', 'a'))

    def test_w_plus_starts_anew(self):
        with self.store.create('a', 'w+') as file:
            self.assertEqual('', file.read())

    def test_w_replaces_and_never_truncates(self):
        os.link(self.path / 'tmp' / 'a', self.path / 'new' / 'a')
        for mode in ('w', 'wb', 'w+', 'w+b'):
            self.store.create('a', mode).close()
            self.assertEqual('left behind', self.read('new', 'a'))

    def test_w_replaces_in_the_mode_of_the_store(self):
        (self.path / 'tmp' / 'a').chmod(0o606)
        self.open_store(file_mode=0o640).create('a').close()
        self.assertMode(0o640, self.path / 'tmp' / 'a')

    def test_x_refuses(self):
        self.refuse('NameTaken', 'a', 'x')
        with self.assertRaises(FileExistsError):
            self.store.create('a', 'x+b')
        self.assertEqual('left behind', self.read('tmp', 'a'))

    def test_a_writes_on(self):
        self.write('a', 'a')
        self.assertEqual('left behindours', self.read('tmp', 'a'))

    def test_a_starts_one(self):
        self.write('b', 'a')
        self.assertEqual('ours', self.read('tmp', 'b'))

    def test_r_plus_writes_on(self):
        with self.store.create('a', 'r+') as file:
            self.assertEqual('left', file.read(4))
            file.seek(0)
            file.write('OURS')
        self.assertEqual('OURS behind', self.read('tmp', 'a'))

    def test_r_plus_starts_none(self):
        self.refuse('NoSuchFile', 'b', 'r+')

    def test_writing_on_spares_another_name(self):
        os.link(self.path / 'tmp' / 'a', self.path / 'new' / 'a')
        for mode in ('a', 'a+', 'r+', 'r+b'):
            self.refuse('NotRegular', 'a', mode)
        self.assertEqual('left behind', self.read('new', 'a'))

    def test_refusing_leaves_no_descriptor_open(self):
        os.link(self.path / 'tmp' / 'a', self.path / 'new' / 'a')
        self.store.list('tmp')  # holds the directory open
        before = self.descriptors()
        self.refuse('NotRegular', 'a', 'a')
        self.refuse('NameTaken', 'a', 'x')
        self.assertEqual(before, os.listdir('/proc/self/fd'))


class Special(DraftCase):

    def setUp(self):
        super().setUp()
        self.outside = self.directory / 'outside'
        self.outside.write_text('outside')
        tmp = self.path / 'tmp'
        os.symlink(self.outside, tmp / 'link')
        os.symlink(self.directory / 'none', tmp / 'dangling')
        os.mkfifo(tmp / 'pipe')
        (tmp / 'directory').mkdir()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(tmp / 'socket'))
        self.names = sorted(os.listdir(tmp))

    def test_is_not_opened(self):
        for name in self.names:
            for mode in ('w', 'wb', 'w+', 'a', 'a+', 'r+'):
                with self.subTest(name=name, mode=mode):
                    self.refuse('NotRegular', name, mode)
        self.assertEqual('outside', self.outside.read_text())
        self.assertFalse((self.directory / 'none').exists())
        self.assertEqual({'tmp': self.names}, self.tree())

    def test_x_refuses_as_usual(self):
        for name in self.names:
            self.refuse('NameTaken', name, 'x')

    def test_pipe_with_a_reader(self):
        reader = os.open(
            self.path / 'tmp' / 'pipe', os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        for mode in ('w', 'a', 'r+'):
            self.refuse('NotRegular', 'pipe', mode)
        self.assertEqual(b'', os.read(reader, 1))


class LiveWriter(DraftCase):
    """Another process is writing the draft."""

    modes = ('w', 'wb', 'w+', 'a', 'a+', 'r+')

    def setUp(self):
        super().setUp()
        self.writer = self.child()
        self.writer.run('file = store.create("a")\n'
                        'file.write("theirs")\n'
                        'file.flush()')

    def test_is_not_disturbed(self):
        for mode in self.modes:
            self.refuse('DraftInUse', 'a', mode)
        with self.assertRaises(FileExistsError):
            self.store.create('a')
        self.refuse('NameTaken', 'a', 'x')
        self.writer.run('file.close()')
        self.assertEqual('theirs', self.read('tmp', 'a'))

    def test_made_again_as_soon_as_it_is_closed(self):
        self.writer.run('file.close()')
        self.write('a', 'w')
        self.assertEqual('ours', self.read('tmp', 'a'))

    def test_made_again_as_soon_as_the_process_is_dead(self):
        self.writer.kill()
        self.assertEqual('theirs', self.read('tmp', 'a'))
        self.write('a', 'w')
        self.assertEqual('ours', self.read('tmp', 'a'))

    def test_every_mode_keeps_others_out(self):
        self.writer.run('file.close()')
        for mode in (*self.modes, 'x'):
            self.writer.run('file = store.create("b-%s", "%s")'
                            % (mode.rstrip('+r'), mode.replace('r+', 'a')))
            self.refuse('DraftInUse', 'b-%s' % mode.rstrip('+r'), 'w')
            self.writer.run('file.close()')

    def test_writer_in_the_same_process(self):
        with self.store.create('b'):
            self.refuse('DraftInUse', 'b', 'w')

    def test_refusing_leaves_no_descriptor_open(self):
        self.store.list('tmp')  # holds the directory open
        before = self.descriptors()
        for mode in self.modes:
            self.refuse('DraftInUse', 'a', mode)
        self.assertEqual(before, os.listdir('/proc/self/fd'))

    def test_half_a_file_of_another_is_not_published(self):
        # One process finishes its draft, another starts it anew, the first
        # one moves what is not its own.
        self.writer.run('file.close()')
        half = self.store.create('a')
        self.addCleanup(half.close)
        half.write('half')
        half.flush()
        error = self.writer.run(
            'try:\n'
            '    store.move("a", "tmp", "new")\n'
            'except FileExistsError as error:\n'
            '    answer = type(error).__name__')
        self.assertEqual('DraftInUse', error)
        self.assertEqual({'tmp': ['a']}, self.tree())

    def test_draft_of_another_is_not_replaced(self):
        self.put('new', 'a')
        for verb in (self.store.copy, self.store.move):
            with self.assertRaises(gocept.filestore.interfaces.DraftInUse):
                verb('a', 'new', 'tmp')
        self.writer.run('file.close()')
        self.assertEqual('theirs', self.read('tmp', 'a'))

    @gocept.filestore.tests.case.slow
    def test_half_a_file_is_not_copied(self):
        for space in ('new', 'cur', 'tmp'):
            self.store.list('tmp'), self.store.list(space)
            before = self.descriptors()
            with self.assertRaises(
                    gocept.filestore.interfaces.DraftInUse) as raised:
                self.store.copy('a', 'tmp', space)
            raised.exception.__traceback__ = None
            self.assertEqual(before, os.listdir('/proc/self/fd'))
        self.assertEqual({'tmp': ['a']}, self.tree())


class Race(DraftCase):
    """Several processes start the same draft over and over."""

    @gocept.filestore.tests.case.slow
    def test_two_never_write_at_once(self):
        source = (
            'import os\n'
            'wins = 0\n'
            'while wins < 50:\n'
            '    try:\n'
            '        file = store.create("a")\n'
            '    except FileExistsError:\n'
            '        continue\n'
            '    with file:\n'
            '        me = "%s\\n" % os.getpid()\n'
            '        for line in range(20):\n'
            '            file.write(me)\n'
            '            file.flush()\n'
            '        with open(file.name) as seen:\n'
            '            assert seen.read() == me * 20\n'
            '    wins += 1\n'
            'answer = wins')
        children = [self.child() for _ in range(3)]
        for child in children:
            child.send(source)
        wins = [child.answer() for child in children]
        self.assertEqual([50, 50, 50], wins)


class Elsewhere(DraftCase):
    """Where a server keeps the locks, one goes when the file is closed long.
    """

    def setUp(self):
        super().setUp()
        self.tmp = self.store._layout['tmp']
        self.tmp.is_local = False
        self.put('tmp', 'a')
        self.holder = self.enterContext(open(self.path / 'tmp' / 'a', 'rb'))
        fcntl.flock(self.holder, fcntl.LOCK_EX)
        self.pauses = 0

    def pause(self, seconds):
        self.pauses += 1
        if self.pauses == 20:
            self.holder.close()

    def is_ours(self):
        with open(self.path / 'tmp' / 'a', 'rb') as file:
            return gocept.filestore.disk.draft.is_ours(
                self.tmp, file.fileno(), self.pause)

    def test_lock_that_goes_a_moment_later(self):
        self.assertTrue(self.is_ours())
        self.assertEqual(20, self.pauses)

    def test_on_a_local_disk_nobody_waits(self):
        self.tmp.is_local = True
        self.assertFalse(self.is_ours())
        self.assertEqual(0, self.pauses)

    def test_lock_that_stays(self):
        self.refuse('DraftInUse', 'a', 'r+')
