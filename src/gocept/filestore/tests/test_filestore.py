import copy
import fcntl
import gc
import gocept.filestore.consumer
import gocept.filestore.datamanager
import gocept.filestore.disk.copy
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import os
import pathlib
import pickle
import shutil
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import transaction
import zope.testing.wait


AT_THE_END = """
import os, sys, threading
from gocept.filestore import FileStore
import gocept.filestore.consumer

def made():
    store = FileStore(sys.argv[1])
    yield store
    watch = store.watch()
    next(watch).finish()
    yield watch
    claims = store.claims()
    yield claims, next(claims)
    batch = store.batch()
    with batch.publish('e'):
        pass
    batch.finish(store.claim())
    batch.vote()
    yield batch
    publication = store.publish('f')
    yield publication, publication.__enter__()
    intake = store.intake(sys.argv[2])
    intake.take()
    yield intake
    yield gocept.filestore.consumer.Consumer(FileStore(sys.argv[1]), print)

for number, living in enumerate(made()):
    setattr(threading.current_thread(), 'living_%s' % number, living)
    setattr(os, 'living_%s' % number, type('Living', (), {'it': living}))
claim = FileStore(sys.argv[1]).claim()
sys.excepthook = lambda *args, claim=claim: None
del living, claim, FileStore
"""
BAD_NAMES = ('', '.', '..', '.a', 'a\0b', 'x' * 256, 'ä' * 128, '\ud800')
SPACES = ('tmp', 'new', 'cur', 'failed')
# acl(5): the owner rw, user 1234 r, the group and all others nothing.
ACL = struct.pack('<I', 2) + b''.join(
    struct.pack('<HHI', kind, bits, who) for kind, bits, who in (
        (1, 6, 2 ** 32 - 1), (2, 4, 1234), (4, 0, 2 ** 32 - 1),
        (16, 4, 2 ** 32 - 1), (32, 0, 2 ** 32 - 1)))
BAD_SPACES = ('', '.', '..', 'nothing', 'new/', '../new', '/etc', 'NEW',
              None, 1)


class FileStoreCase(gocept.filestore.tests.case.Case):

    def refuse(self, kind, function, *args, **kw):
        """Expect an error of ours that comes at once and changes nothing."""
        before = self.snapshot()
        with self.no_blocking(), self.assertRaises(
                getattr(gocept.filestore.interfaces, kind)) as raised:
            function(*args, **kw)
        self.assertEqual(before, self.snapshot())
        self.assertEqual(str(self.path), raised.exception.store)
        self.assertIn(str(self.path), str(raised.exception))
        self.assertIn(raised.exception.reason, str(raised.exception))
        return raised.exception

    def snapshot(self):
        """Return all that lies in the directory of this test."""
        return {str(path): (status.st_ino, status.st_mode, status.st_size,
                            status.st_mtime_ns)
                for path in self.directory.rglob('*')
                for status in [os.lstat(path)]
                if not stat.S_ISDIR(status.st_mode)}


class Verbs:
    """Each verb with a name or a path, as `verb(name, space)`."""

    @property
    def verbs(self):
        return {
            'move from': lambda name, space: self.store.move(
                name, space, 'cur' if space == 'new' else 'new'),
            'move to': lambda name, space: self.store.move(
                name, 'cur' if space == 'new' else 'new', space),
            'copy from': lambda name, space: self.store.copy(
                name, space, 'cur' if space == 'new' else 'new'),
            'copy to': lambda name, space: self.store.copy(
                name, 'cur' if space == 'new' else 'new', space),
            'remove': lambda name, space: self.store.remove(name, space)}


class Facts(FileStoreCase):

    def test_attributes(self):
        store = gocept.filestore.filestore.FileStore('x')
        self.assertEqual('x', store.path)
        self.assertEqual(('tmp', 'new', 'cur'), store.sub_dirs)
        self.assertIs(True, store.durable)
        self.assertIsNone(store.file_mode)
        self.assertIsNone(store.directory_mode)

    def test_pickle(self):
        store = gocept.filestore.filestore.FileStore(
            str(self.path), False, 0o640, 0o2770, True)
        store.claim()
        copied = pickle.loads(pickle.dumps(store))
        self.assertEqual(
            (store.path, False, 0o640, 0o2770, store.sub_dirs),
            (copied.path, copied.durable, copied.file_mode,
             copied.directory_mode, copied.sub_dirs))
        shutil.rmtree(self.path)
        self.assertEqual([], copied.list('new'))

    def test_end_of_the_interpreter(self):
        # Whoever lives on then has no modules any more.
        (self.directory / 'folder').mkdir()
        for name in 'abcd':
            self.put('new', name)
        self.assertEqual('', subprocess.run(
            [sys.executable, '-W', 'ignore', '-c', AT_THE_END,
             self.path, self.directory / 'folder'],
            env=gocept.filestore.tests.case.environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout)

    def test_what_belongs_to_a_process(self):
        for name in 'ab':
            self.put('new', name)
        batch = self.store.batch()
        view = gocept.filestore.datamanager.TransactionalFileStore(self.store)
        claim = self.store.claim()
        with self.store.create('draft') as draft, transaction.manager:
            for returned in (
                    claim, view.claim(), self.store.publish('c'), batch,
                    batch.publish('d'), self.store.intake(self.directory),
                    self.store.select(), self.store.watch(), draft,
                    gocept.filestore.consumer.Consumer(self.store, print)):
                for copied in (pickle.dumps, copy.copy, copy.deepcopy):
                    with self.assertRaises(TypeError, msg=returned):
                        copied(returned)
        claim.finish()
        self.assertEqual(
            {'tmp': ['draft'], 'new': ['b'], 'cur': ['a']}, self.tree())


class Names(Verbs, FileStoreCase):

    def test_bad_ones(self):
        self.put('new', 'a')
        for name in BAD_NAMES:
            for verb in self.verbs.values():
                with self.subTest(name=name, verb=verb):
                    error = self.refuse('InvalidName', verb, name, 'new')
                    self.assertEqual(name, error.filename)
                    self.assertIsInstance(error, ValueError)
                    self.assertIsInstance(error, OSError)

    def test_bad_ones_for_drafts(self):
        self.put('tmp', 'a')
        for name in (*BAD_NAMES, 'a/b', '/a', '../a', 'new/a'):
            for mode in ('w', 'x', 'a', 'r+'):
                self.refuse('InvalidName', self.store.create, name, mode)

    def test_bad_ones_to_publish(self):
        for name in (*BAD_NAMES, 'a/b', '/a', '../a', 'new/a'):
            self.refuse('InvalidName', self.store.publish, name)

    def test_no_string(self):
        for verb in self.verbs.values():
            for name in (b'a', None, 1):
                with self.assertRaises(TypeError):
                    verb(name, 'new')
        for name in (b'a', 1):
            for verb in (self.store.create, self.store.publish):
                with self.assertRaises(TypeError):
                    verb(name)

    def test_leading_elements_are_stripped(self):
        victim = self.directory / 'a'
        victim.write_text('outside')
        for path in ('a', str(victim), '../a', '../../a', victim):
            self.put('new', 'a')
            self.store.copy(path, 'new', 'cur')
            self.store.remove(path, 'cur')
            self.store.move(path, 'new', 'cur')
            self.assertEqual({'cur': ['a']}, self.tree())
        self.assertEqual('outside', victim.read_text())

    def test_path_of_list(self):
        self.put('new', 'a')
        self.store.move(self.store.list('new')[0], 'new', 'cur')
        self.store.copy(self.store.list('cur')[0], 'cur', 'new')
        self.store.remove(self.store.list('cur')[0], 'cur')
        self.assertEqual({'new': ['a']}, self.tree())

    def test_path_object(self):
        with self.store.create(pathlib.Path('a')):
            pass
        self.store.move(self.path / 'tmp' / 'a', 'tmp', 'new')
        with self.store.publish(pathlib.Path('b')):
            pass
        self.assertEqual({'new': ['a', 'b']}, self.tree())

    def test_unusual_ones(self):
        for name in ('a b', 'ä', 'a\nb', '-rf', '~', '*', 'x' * 255,
                     'a\\b', os.fsdecode(b'\xff')):
            self.store.create(name).close()
            self.store.move(name, 'tmp', 'new')
            self.assertNames([name], self.store.list('new'))
            self.store.copy(name, 'new', 'new')
            self.store.move(name, 'new', 'cur', replace=False)
            self.store.remove(name, 'cur')
        self.assertEqual({}, self.tree())


class Spaces(Verbs, FileStoreCase):

    def test_bad_ones(self):
        self.put('new', 'a')
        for space in BAD_SPACES:
            for verb in (*self.verbs.values(),
                         lambda name, space: self.store.list(space)):
                with self.subTest(space=space):
                    error = self.refuse('InvalidSpace', verb, 'a', space)
                    self.assertEqual(space, error.filename)
                    self.assertIsInstance(error, ValueError)

    def test_those_of_the_store_itself(self):
        self.put('new', 'a')
        self.put('work', 'a')
        self.put('attempts', 'a')
        for name, verb in self.verbs.items():
            self.refuse('InvalidSpace', verb, 'a', 'attempts')
            if name != 'copy from':
                self.refuse('InvalidSpace', verb, 'a', 'work')

    def test_work_may_be_copied_and_listed(self):
        self.put('work', 'a')
        self.store.copy('a', 'work', 'new')
        self.assertEqual({'work': ['a'], 'new': ['a']}, self.tree())
        self.assertNames(['a'], self.store.list('work'))

    def test_from_each_to_each(self):
        for source in SPACES:
            for target in SPACES:
                self.put(source, 'a', source)
                self.store.copy('a', source, target)
                self.assertEqual(source, self.read(target, 'a'))
                self.store.move('a', source, target)
                self.assertEqual({target: ['a']}, self.tree())
                self.assertEqual(source, self.read(target, 'a'))
                self.store.remove('a', target)

    def test_not_made_yet(self):
        for space in ('failed', 'work', 'attempts'):
            self.assertEqual([], self.store.list(space))
        for verb in ('move from', 'copy from', 'remove'):
            self.refuse('NoSuchFile', self.verbs[verb], 'a', 'failed')
        self.refuse('NoSuchFile', self.store.copy, 'a', 'work', 'new')

    def test_no_such_file(self):
        for space in SPACES:
            for verb in ('move from', 'copy from', 'remove'):
                error = self.refuse(
                    'NoSuchFile', self.verbs[verb], 'a', space)
                self.assertIsInstance(error, FileNotFoundError)
                self.assertIn(repr(space), str(error))


class Listing(FileStoreCase):

    def test_full_paths_sorted_by_name(self):
        for name in ('b', 'a', 'C', 'ä', 'a b'):
            self.put('new', name)
        self.assertEqual(
            [os.path.join(self.path, 'new', name)
             for name in ('C', 'a', 'a b', 'b', 'ä')],
            self.store.list('new'))

    def test_new_list_each_time(self):
        self.store.list('new').append('x')
        self.assertEqual([], self.store.list('new'))

    def test_regular_files_only(self):
        new = self.path / 'new'
        self.put('new', 'a')
        self.put('new', '.nfs0001')
        os.symlink('a', new / 'link')
        os.mkfifo(new / 'pipe')
        (new / 'directory').mkdir()
        with self.no_blocking():
            self.assertNames(['a'], self.store.list('new'))


class Replacing(FileStoreCase):

    def setUp(self):
        super().setUp()
        self.put('new', 'a', 'ours')
        self.put('cur', 'a', 'theirs')

    def test_is_the_default(self):
        self.store.copy('a', 'new', 'cur')
        self.assertEqual('ours', self.read('cur', 'a'))
        self.put('cur', 'a', 'theirs')
        self.store.move('a', 'new', 'cur')
        self.assertEqual({'cur': ['a']}, self.tree())
        self.assertEqual('ours', self.read('cur', 'a'))

    def test_says_what_is_wrong_first(self):
        for verb in (self.store.move, self.store.copy):
            self.refuse('InvalidSpace', verb, 'x', 'failed', 'nowhere')
        error = self.refuse('NoSuchFile', self.store.move, 'x', 'new', 'cur',
                            replace=False)
        self.assertEqual("there is none in 'new'", error.reason)

    def test_refused(self):
        for verb in (self.store.move, self.store.copy):
            error = self.refuse(
                'NameTaken', verb, 'a', 'new', 'cur', replace=False)
            self.assertIsInstance(error, FileExistsError)
            self.assertEqual('a', error.filename)
            self.assertIn("'cur'", str(error))

    def test_not_replacing_leaves_what_another_is_about_to_take(self):
        with open(self.path / 'new' / 'a') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.refuse('NoSuchFile', self.store.move, 'a', 'new', 'failed',
                        replace=False)
        self.store.move('a', 'new', 'failed', replace=False)

    def test_refused_where_nothing_was_to_be_replaced(self):
        self.put('new', 'b')
        self.store.copy('b', 'new', 'cur', replace=False)
        self.store.remove('b', 'cur')
        self.store.move('b', 'new', 'cur', replace=False)
        self.assertEqual({'new': ['a'], 'cur': ['a', 'b']}, self.tree())

    def test_refused_for_a_draft_in_a_durable_store(self):
        store = self.open_store(durable=True)
        self.put('tmp', 'a')
        self.refuse(
            'NameTaken', store.move, 'a', 'tmp', 'new', replace=False)

    def test_onto_itself(self):
        for verb in (self.store.move, self.store.copy):
            self.refuse('NameTaken', verb, 'a', 'new', 'new', replace=False)
            verb('a', 'new', 'new')
            self.assertEqual('ours', self.read('new', 'a'))

    def test_onto_itself_with_a_second_name_elsewhere(self):
        os.link(self.path / 'new' / 'a', self.directory / 'elsewhere')
        for verb in (self.store.copy, self.store.move):
            os.remove(self.path / 'new' / 'a')
            os.link(self.directory / 'elsewhere', self.path / 'new' / 'a')
            verb('a', 'new', 'new')
            self.assertEqual('ours', self.read('new', 'a'))

    def test_twins_become_one(self):
        # What a crash in the middle of a move leaves.
        os.remove(self.path / 'cur' / 'a')
        os.link(self.path / 'new' / 'a', self.path / 'cur' / 'a')
        self.store.move('a', 'new', 'cur')
        self.assertEqual({'cur': ['a']}, self.tree())
        self.assertEqual('ours', self.read('cur', 'a'))

    def test_a_read_only_file(self):
        (self.path / 'cur' / 'a').chmod(0)
        self.store.copy('a', 'new', 'cur')
        self.assertEqual('ours', self.read('cur', 'a'))


class Special(Verbs, FileStoreCase):
    """Links and special files in the place of a file, in each space."""

    kinds = ('link', 'dangling', 'pipe', 'directory', 'socket')

    def setUp(self):
        super().setUp()
        self.outside = self.directory / 'outside'
        self.outside.write_text('outside')
        self.addCleanup(self.check_outside)

    def check_outside(self):
        self.assertEqual('outside', self.outside.read_text())
        self.assertFalse((self.directory / 'none').exists())

    def put_special(self, space, kind):
        path = self.path / space / kind
        path.parent.mkdir(exist_ok=True)
        getattr(self, 'put_' + kind)(path)
        return path

    def put_link(self, path):
        os.symlink(self.outside, path)

    def put_dangling(self, path):
        os.symlink(self.directory / 'none', path)

    def put_pipe(self, path):
        os.mkfifo(path)

    def put_directory(self, path):
        path.mkdir()

    def put_socket(self, path):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))

    def test_source(self):
        for space in SPACES:
            for kind in self.kinds:
                self.put_special(space, kind)
                for verb in ('move from', 'copy from'):
                    with self.subTest(space=space, kind=kind, verb=verb):
                        self.refuse(
                            'NotRegular', self.verbs[verb], kind, space)

    def test_copy_from_work(self):
        for kind in self.kinds:
            self.put_special('work', kind)
            self.refuse('NotRegular', self.store.copy, kind, 'work', 'new')

    def test_destination(self):
        for space in SPACES:
            for kind in self.kinds:
                for verb in ('move to', 'copy to'):
                    self.refuse_destination(space, kind, verb)

    def refuse_destination(self, space, kind, verb):
        path = self.put_special(space, kind)
        source = self.put('cur' if space == 'new' else 'new', kind)
        try:
            self.refuse('NotRegular', self.verbs[verb], kind, space)
        finally:
            source.unlink(missing_ok=True)
            path.rmdir() if kind == 'directory' else path.unlink()

    def test_destination_without_replacing(self):
        for kind in self.kinds:
            self.put_special('cur', kind)
            self.put('new', kind)
            for verb in (self.store.move, self.store.copy):
                self.refuse(
                    'NameTaken', verb, kind, 'new', 'cur', replace=False)

    def test_remove_removes_a_link_itself(self):
        for space in SPACES:
            for kind in ('link', 'dangling'):
                path = self.put_special(space, kind)
                self.store.remove(kind, space)
                self.assertFalse(os.path.lexists(path))

    def test_remove_removes_nothing_else(self):
        for space in SPACES:
            for kind in ('pipe', 'socket', 'directory'):
                self.put_special(space, kind)
                self.refuse('NotRegular', self.store.remove, kind, space)

    def test_pipe_with_a_reader_and_a_writer(self):
        path = self.put_special('new', 'pipe')
        ends = [os.open(path, flags | os.O_NONBLOCK)
                for flags in (os.O_RDONLY, os.O_WRONLY)]
        for end in ends:
            self.addCleanup(os.close, end)
        os.write(ends[1], b'precious')
        self.refuse('NotRegular', self.store.copy, 'pipe', 'new', 'cur')
        self.assertEqual(b'precious', os.read(ends[0], 100))


class LinkedSpace(Verbs, FileStoreCase):
    """A symbolic link in the place of a space leads nowhere."""

    def setUp(self):
        super().setUp()
        self.outside = self.directory / 'outside'
        self.outside.mkdir()
        (self.outside / 'a').write_text('outside')

    def exchange(self, space):
        path = self.path / space
        if path.exists():
            shutil.rmtree(path)
        os.symlink(self.outside, path)
        self.put('cur' if space == 'new' else 'new', 'a', 'ours')

    def test_for_each_verb(self):
        for space in SPACES:
            self.exchange(space)
            for store in (self.store, self.open_store()):
                self.store = store
                for name, verb in self.verbs.items():
                    with self.subTest(space=space, verb=name):
                        self.refuse('InTheWay', verb, 'a', space)
                self.refuse('InTheWay', store.list, space)
            (self.path / space).unlink()
            (self.path / space).mkdir()
        self.assertEqual(['a'], os.listdir(self.outside))

    def test_for_drafts(self):
        self.exchange('tmp')
        for mode in ('w', 'x', 'a', 'r+'):
            self.refuse('InTheWay', self.store.create, 'a', mode)
        with self.assertRaises(gocept.filestore.interfaces.InTheWay):
            self.store.publish('b').__enter__()
        self.assertEqual(['a'], os.listdir(self.outside))

    def test_for_claims(self):
        for space in ('new', 'work', 'attempts'):
            self.exchange(space)
            self.put('cur', 'a')
            with self.assertRaises(gocept.filestore.interfaces.InTheWay):
                [claim.fail('error') for claim in self.store.claims()]
            (self.path / space).unlink()
            (self.path / space).mkdir()
        self.assertEqual('outside', (self.outside / 'a').read_text())


class Moving(FileStoreCase):

    def test_keeps_inode_and_mode(self):
        path = self.put('tmp', 'a')
        path.chmod(0o604)
        before = os.stat(path)
        self.open_store(durable=True).move('a', 'tmp', 'new')
        after = os.stat(self.path / 'new' / 'a')
        self.assertTrue(os.path.samestat(before, after))
        self.assertMode(0o604, self.path / 'new' / 'a')

    def test_draft_that_can_not_be_synced_stays(self):
        self.put('tmp', 'a').chmod(0)
        for space in ('tmp', 'new'):
            (self.path / space).chmod(0o777)
        store = self.open_store(durable=True)
        with self.be_nobody(), self.assertRaises(PermissionError):
            store.move('a', 'tmp', 'new')
        self.assertEqual({'tmp': ['a']}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_only_one_takes_it(self):
        children = [self.child() for _ in range(4)]
        for number in range(500):
            self.put('new', str(number))
        for child in children:
            child.send('answer = 0\n'
                       'for name in store.list("new"):\n'
                       '    try:\n'
                       '        store.move(name, "new", "cur")\n'
                       '    except FileNotFoundError:\n'
                       '        continue\n'
                       '    answer += 1')
        self.assertEqual(500, sum(child.answer() for child in children))


class Copying(FileStoreCase):

    def test_contents(self):
        data = os.urandom(3 * 10 ** 6)
        (self.path / 'new' / 'a').write_bytes(data)
        self.store.copy('a', 'new', 'cur')
        self.assertEqual(data, (self.path / 'cur' / 'a').read_bytes())
        self.assertEqual({'new': ['a'], 'cur': ['a']}, self.tree())

    def test_is_another_file(self):
        self.put('new', 'a')
        self.open_store(durable=True).copy('a', 'new', 'tmp')
        self.assertFalse(os.path.samefile(
            self.path / 'new' / 'a', self.path / 'tmp' / 'a'))

    def test_mode_is_that_of_the_source(self):
        self.check_modes(0o600, 0o640, 0o666, 0o444, 0o700)

    @gocept.filestore.tests.case.needs_root('read what nobody may read')
    def test_mode_is_that_of_a_source_without_rights(self):
        self.check_modes(0o000)

    def check_modes(self, *modes):
        for mode in modes:
            self.put('new', 'a').chmod(mode)
            for mask in (0o077, 0):
                with self.umask(mask):
                    self.open_store(file_mode=0o666).copy(
                        'a', 'new', 'cur')
                self.assertMode(mode, self.path / 'cur' / 'a')
            (self.path / 'new' / 'a').unlink()

    def test_special_bits_are_not_copied(self):
        self.put('new', 'a').chmod(0o6755)
        self.store.copy('a', 'new', 'cur')
        self.assertMode(0o755, self.path / 'cur' / 'a')

    @gocept.filestore.tests.case.needs_root('give files to a foreign group')
    def test_group_is_that_of_the_source(self):
        os.chown(self.put('new', 'a'), -1, 4711)
        self.store.copy('a', 'new', 'cur')
        self.assertEqual(4711, os.stat(self.path / 'cur' / 'a').st_gid)

    @gocept.filestore.tests.case.needs_root('give files to a foreign group')
    def test_group_that_could_not_be_given(self):
        # Its members are others to the copy, and our group were others to
        # the source.
        path = self.put('new', 'a')
        os.chown(path, -1, 4711)
        for space in ('tmp', 'new', 'cur'):
            (self.path / space).chmod(0o777)
        for mode, expected in [(0o664, 0o644), (0o606, 0o600),
                               (0o664, 0o644), (0o646, 0o644)]:
            path.chmod(mode)
            with self.be_nobody():
                self.store.copy('a', 'new', 'cur')
            self.assertMode(expected, self.path / 'cur' / 'a')
            self.assertEqual(65534, os.stat(self.path / 'cur' / 'a').st_gid)

    def test_acl(self):
        # What the mode shows as the bits of the group is the mask; here it
        # lets in one user, and not the group.
        path = self.put('new', 'a')
        path.chmod(0o600)
        os.setxattr(path, gocept.filestore.disk.copy.ACL, ACL)
        self.assertMode(0o640, path)
        self.store.copy('a', 'new', 'cur')
        self.assertMode(0o600, self.path / 'cur' / 'a')

    def test_file_that_can_not_be_asked_for_an_acl(self):
        descriptor = os.open(self.path, os.O_PATH)
        self.addCleanup(os.close, descriptor)
        self.assertFalse(gocept.filestore.disk.copy.has_acl(descriptor))

    def test_never_more_readable_on_the_way(self):
        path = self.put('new', 'a', 'secret' * 10 ** 6)
        path.chmod(0o600)
        watcher = self.child()
        watcher.send(
            'import os\n'
            'answer, tmp, cur = set(), store.path + "/tmp", '
            'store.path + "/cur/"\n'
            'while not os.path.exists(cur + "end"):\n'
            '    for entry in (*os.scandir(tmp), *os.scandir(cur)):\n'
            '        try:\n'
            '            answer.add(entry.stat().st_mode & 0o777)\n'
            '        except FileNotFoundError:\n'
            '            pass')
        with self.umask(0):
            for _ in range(20):
                self.open_store(file_mode=0o666).copy('a', 'new', 'cur')
        end = self.path / 'cur' / 'end'
        os.close(os.open(end, os.O_CREAT | os.O_WRONLY, 0o600))
        self.assertEqual({0o600}, watcher.answer())

    def test_never_half_there(self):
        self.put('new', 'a', 'x' * 10 ** 6)
        watcher = self.child()
        watcher.send(
            'import os\n'
            'answer, cur = set(), store.path + "/cur/"\n'
            'while not os.path.exists(cur + "end"):\n'
            '    try:\n'
            '        answer.add(os.stat(cur + "a").st_size)\n'
            '    except FileNotFoundError:\n'
            '        pass')
        for _ in range(50):
            self.store.copy('a', 'new', 'cur')
        self.put('cur', 'end')
        self.assertEqual({10 ** 6}, watcher.answer())

    def test_failing_leaves_nothing_behind(self):
        self.put('new', 'a')
        self.put('cur', 'a', 'theirs')
        self.refuse('NameTaken', self.store.copy, 'a', 'new', 'cur', False)
        self.refuse('NoSuchFile', self.store.copy, 'b', 'new', 'cur')
        self.assertEqual({'new': ['a'], 'cur': ['a']}, self.tree())

    def test_leaves_no_descriptor_open(self):
        self.put('new', 'a')
        self.store.copy('a', 'new', 'cur')
        self.store.list('tmp')
        before = self.descriptors()
        self.store.copy('a', 'new', 'cur')
        self.refuse('NameTaken', self.store.copy, 'a', 'new', 'cur', False)
        self.assertEqual(before, os.listdir('/proc/self/fd'))

    def test_draft_of_a_dead_process(self):
        self.put('tmp', 'a')
        self.store.copy('a', 'tmp', 'new')
        self.assertEqual({'tmp': ['a'], 'new': ['a']}, self.tree())

    def test_forbidden(self):
        self.put('new', 'a').chmod(0)
        with self.be_nobody(), self.assertRaises(PermissionError) as raised:
            self.store.copy('a', 'new', 'cur')
        self.assertEqual(
            str(self.path / 'new' / 'a'), raised.exception.filename)
        self.assertEqual({'new': ['a']}, self.tree())


class NotPrepared(Verbs, FileStoreCase):
    """A store whose directory is not there (any more)."""

    def missing(self, function, *args):
        with self.assertRaises(
                gocept.filestore.interfaces.NotPrepared) as raised:
            function(*args)
        self.assertIsInstance(raised.exception, FileNotFoundError)
        self.assertEqual(str(self.path), raised.exception.store)

    def all_verbs(self, store):
        self.store = store
        for space in SPACES:
            for verb in self.verbs.values():
                self.missing(verb, 'a', space)
        for space in (*SPACES, 'work', 'attempts'):
            self.missing(store.list, space)
        for mode in ('w', 'x', 'a', 'r+'):
            self.missing(store.create, 'a', mode)
        self.missing(store.publish('a').__enter__)
        self.missing(store.claim)
        self.missing(next, store.claims())
        self.missing(store.copy, 'a', 'work', 'new')

    def test_never_prepared(self):
        self.path = self.directory / 'nowhere'
        self.all_verbs(self.open_store())
        self.assertFalse(self.path.exists())

    def test_removed_while_the_store_lives(self):
        self.put('new', 'a')
        self.store.claim().release()
        shutil.rmtree(self.path)
        self.all_verbs(self.store)
        self.assertFalse(self.path.exists())

    def test_one_space_missing(self):
        (self.path / 'cur').rmdir()
        self.put('new', 'a')
        self.missing(self.store.move, 'a', 'new', 'cur')
        self.assertEqual({'new': ['a']}, self.tree())


class Drafts(FileStoreCase):

    def test_one_in_use_is_not_removed(self):
        with self.store.create('a'):
            self.refuse('DraftInUse', self.store.remove, 'a', 'tmp')
        self.store.remove('a', 'tmp')
        self.assertEqual([], self.store.list('tmp'))

    def test_twin_of_a_published_one_becomes_one(self):
        with self.store.create('b') as file:
            file.write('ours')
        os.link(self.path / 'tmp' / 'b', self.path / 'new' / 'b')
        self.store.move('b', 'tmp', 'new')
        self.assertEqual([], self.store.list('tmp'))
        self.assertEqual('ours', self.read('new', 'b'))


class Directory(FileStoreCase):

    def test_absolute_path_needs_no_working_directory(self):
        path = self.directory / 'gone'
        path.mkdir()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(path)
        path.rmdir()
        self.open_store().list('new')
        with self.assertRaises(FileNotFoundError) as raised:
            gocept.filestore.filestore.FileStore('store')
        self.assertEqual('store', raised.exception.filename)

    def test_file_in_the_place_of_the_store(self):
        path = self.directory / 'file'
        path.write_text('')
        store = gocept.filestore.filestore.FileStore(str(path))
        with self.assertRaises(gocept.filestore.interfaces.InTheWay) as raised:
            store.list('new')
        self.assertEqual(str(path), raised.exception.filename)


class Dropped(FileStoreCase):

    def test_its_directories_are_closed_at_once(self):
        # While one is open, the file system can not be unmounted.
        before = self.descriptors()
        gc.disable()
        self.addCleanup(gc.enable)
        self.work_with(gocept.filestore.filestore.FileStore(self.path))
        self.assertEqual(before, os.listdir('/proc/self/fd'))

    def work_with(self, store):
        store.prepare()
        for filename in 'ab':
            with store.publish(filename) as file:
                file.write(filename)
        store.claim().fail('no paper')
        for claim in store.claims():
            claim.finish()
        self.assertIsNone(store.select().claim())
        store.watch().stop()
        self.assertEqual(1, store.status()['waiting']['files'])


class Exchanged(FileStoreCase):
    """The directory of the store is not what it was."""

    def use(self):
        with self.store.publish('a') as file:
            file.write('content')
        self.assertNames(['a'], self.store.list('new'))
        with self.store.claim() as claim:
            self.assertEqual('content', self.text(claim))
        self.assertNames(['a'], self.store.list('cur'))
        self.store.remove('a', 'cur')

    def test_removed_and_prepared_again(self):
        for _ in range(3):
            self.use()
            shutil.rmtree(self.path)
            self.store.prepare()

    def test_moved_aside(self):
        self.use()
        aside = self.directory / 'aside'
        os.rename(self.path, aside)
        self.store.prepare()
        self.use()
        self.assertFalse(any(list(path.iterdir())
                             for path in aside.iterdir()))

    def test_moved_aside_while_files_wait(self):
        # The one listing that serves many claims is of the other directory.
        for name in 'ab':
            self.put('new', name)
        self.store.claim().finish()
        aside = self.directory / 'aside'
        os.rename(self.path, aside)
        self.store.prepare()
        noticed = time.monotonic() + self.store._layout.interval
        zope.testing.wait.wait(lambda: time.monotonic() > noticed)
        self.assertIsNone(self.store.claim())
        self.assertEqual(['b'], os.listdir(aside / 'new'))
        self.use()

    def test_one_space_made_again(self):
        self.use()
        for space in ('tmp', 'new', 'cur', 'work'):
            os.rename(self.path / space, self.directory / space)
            self.store.prepare()
            self.use()

    def test_removed_while_a_file_is_published(self):
        with self.assertRaises(FileNotFoundError):
            with self.store.publish('a'):
                shutil.rmtree(self.path)

    def test_space_made_again_while_a_file_is_published(self):
        with self.store.publish('a'):
            (self.path / 'new').rmdir()
            (self.path / 'new').mkdir()
        self.assertEqual({'new': ['a']}, self.tree())

    def test_prepared_again_by_another(self):
        other = self.open_store()
        for _ in range(3):
            self.use()
            shutil.rmtree(self.path)
            other.prepare()

    def test_descriptors_do_not_add_up(self):
        self.use()
        before = len(self.descriptors())
        for _ in range(3):
            shutil.rmtree(self.path)
            self.store.prepare()
            self.use()
        self.assertLessEqual(len(os.listdir('/proc/self/fd')), before)


class Sharing(FileStoreCase):
    """One store object, used by threads and after a fork."""

    @gocept.filestore.tests.case.slow
    def test_threads(self):
        names = []

        def work(number):
            for count in range(50):
                name = '%s-%s' % (number, count)
                with self.store.publish(name) as file:
                    file.write(name)
                for claim in self.store.claims():
                    with claim, claim.open() as file:
                        names.append((claim.filename, file.read()))

        threads = [threading.Thread(target=work, args=(number,))
                   for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(300, len(names))
        self.assertEqual(300, len({name for name, content in names}))
        self.assertTrue(all(name == content for name, content in names))
        self.assertEqual(300, len(self.store.list('cur')))

    @gocept.filestore.tests.case.slow
    def test_fork(self):
        child = self.child()
        counts = child.run(FORK)
        self.assertEqual(400, sum(counts))
        self.assertEqual(400, len(self.store.list('cur')))
        self.assertEqual({'cur'}, set(self.tree()))


FORK = """
import os

def work():
    count = 0
    for number in range(100):
        with store.publish():
            pass
        for claim in store.claims():
            claim.finish()
            count += 1
    return count

store.claim()
answer = []
pipes = []
for number in range(3):
    pipes.append(os.pipe())
    if not os.fork():
        os.write(pipes[-1][1], b'%d\\n' % work())
        os._exit(0)
answer.append(work())
for reader, writer in pipes:
    with os.fdopen(reader) as file:
        os.close(writer)
        answer.append(int(file.readline()))
    os.wait()
"""
