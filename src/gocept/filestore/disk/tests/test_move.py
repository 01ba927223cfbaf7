import errno
import fcntl
import gocept.filestore.disk.file_system
import gocept.filestore.disk.move
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import math
import os
import unittest
import unittest.mock
import zope.testing.wait


class MoveCase(gocept.filestore.tests.case.Case):
    """Two open directories, and a file in the first."""

    def setUp(self):
        super().setUp()
        self.source = self.open('tmp')
        self.target = self.open('new')
        self.put('tmp', 'a', 'ours')

    def open(self, space):
        descriptor = os.open(self.path / space, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        return descriptor

    def call(self, function, *args, **kw):
        return function(self.source, 'a', self.target, 'b', *args, **kw)


class NoReplace:
    """What holds for the move, whichever way the file system has."""

    def test_moves(self):
        inode = os.stat(self.path / 'tmp' / 'a').st_ino
        self.move()
        self.assertEqual({'new': ['b']}, self.tree())
        self.assertEqual('ours', self.read('new', 'b'))
        self.assertEqual(inode, os.stat(self.path / 'new' / 'b').st_ino)
        self.assertEqual(1, os.stat(self.path / 'new' / 'b').st_nlink)

    def test_never_replaces(self):
        self.put('new', 'b', 'theirs')
        with self.assertRaises(FileExistsError):
            self.move()
        self.assertEqual({'tmp': ['a'], 'new': ['b']}, self.tree())
        self.assertEqual('theirs', self.read('new', 'b'))

    def test_never_replaces_a_dangling_link(self):
        os.symlink('nowhere', self.path / 'new' / 'b')
        with self.assertRaises(FileExistsError):
            self.move()
        self.assertEqual('nowhere', os.readlink(self.path / 'new' / 'b'))

    def test_never_replaces_a_directory(self):
        (self.path / 'new' / 'b').mkdir()
        with self.assertRaises(FileExistsError):
            self.move()

    def test_twins_stay(self):
        os.link(self.path / 'tmp' / 'a', self.path / 'new' / 'b')
        with self.assertRaises(FileExistsError):
            self.move()
        self.assertEqual({'tmp': ['a'], 'new': ['b']}, self.tree())

    def test_not_there(self):
        os.remove(self.path / 'tmp' / 'a')
        with self.assertRaises(FileNotFoundError):
            self.move()
        self.assertEqual({}, self.tree())

    def test_does_not_follow_a_link(self):
        outside = self.directory / 'outside'
        outside.write_text('outside')
        os.remove(self.path / 'tmp' / 'a')
        os.symlink(outside, self.path / 'tmp' / 'a')
        self.move()
        self.assertEqual(str(outside), os.readlink(self.path / 'new' / 'b'))
        self.assertEqual(1, os.stat(outside).st_nlink)


class ByKernel(NoReplace, MoveCase):

    def move(self):
        self.call(gocept.filestore.disk.move.move)


class ByLink(NoReplace, MoveCase):

    def move(self):
        self.call(gocept.filestore.disk.move.by_link)


class ByLinkNotDurable(NoReplace, MoveCase):

    def move(self):
        self.call(gocept.filestore.disk.move.by_link, False)


class ByReservation(NoReplace, MoveCase):

    def move(self):
        self.call(gocept.filestore.disk.move.by_reservation)

    def reserve(self, inode):
        os.symlink(gocept.filestore.disk.move.RESERVED % inode,
                   self.path / 'new' / 'b')

    def test_goes_on_where_one_has_died(self):
        self.reserve(os.stat(self.path / 'tmp' / 'a').st_ino)
        self.move()
        self.assertEqual({'new': ['b']}, self.tree())
        self.assertEqual('ours', self.read('new', 'b'))

    def test_leaves_what_is_reserved_for_another_file(self):
        self.reserve(os.stat(self.put('tmp', 'c')).st_ino)
        with self.assertRaises(FileExistsError):
            self.move()
        self.assertEqual({'tmp': ['a', 'c'], 'new': ['b']}, self.tree())

    def test_file_that_is_not_there_reserves_nothing(self):
        os.unlink(self.path / 'tmp' / 'a')
        with self.assertRaises(FileNotFoundError):
            self.move()
        self.assertEqual({}, self.tree())

    def test_rename_that_fails_leaves_nothing(self):
        (self.path / 'new').chmod(0o777)
        self.forbid(self.path / 'tmp')
        with self.be_nobody(), self.assertRaises(PermissionError):
            self.move()
        self.assertEqual({'tmp': ['a']}, self.tree())


    def test_another_one_is_faster_with_the_same_file(self):
        def twice(*args, rename=os.rename, **options):
            rename(*args, **options)
            rename(*args, **options)

        with unittest.mock.patch.object(os, 'rename', twice):
            with self.assertRaises(FileNotFoundError):
                self.move()
        self.assertEqual({'new': ['b']}, self.tree())
        self.assertEqual('ours', self.read('new', 'b'))


class Answers(MoveCase):

    def answer(self, *numbers):
        """Let the file system answer like this, and then as it does."""
        answers = [gocept.filestore.tests.case.answering(number)
                   for number in reversed(numbers)]

        def rename(*args):
            return (answers.pop() if answers
                    else gocept.filestore.disk.move.renameat2)(*args)

        return self.call(gocept.filestore.disk.move.noreplace, rename=rename)

    def test_the_kernel_of_this_machine_can_do_it(self):
        # Else the tests above would all test the same thing.
        result = gocept.filestore.disk.move.renameat2(
            self.source, b'a', self.target, b'b', 1)
        self.assertEqual(0, result)

    def test_number_of_an_error(self):
        for number in (errno.EINVAL, errno.ENOSYS, errno.EIO, errno.EXDEV):
            self.assertEqual(number, self.answer(number))
            self.assertEqual({'tmp': ['a']}, self.tree())

    def test_missing(self):
        self.assertEqual(errno.ENOSYS, self.call(
            gocept.filestore.disk.move.noreplace,
            rename=gocept.filestore.disk.move.missing))
        self.assertIn(errno.ENOSYS, gocept.filestore.disk.move.UNSUPPORTED)

    def test_a_call_that_a_signal_has_interrupted_is_repeated(self):
        # PEP 475 promises it for the functions of `os`. FUSE file systems
        # give EINTR, for example to a worker that gets a SIGTERM.
        self.assertEqual(0, self.answer(errno.EINTR, errno.EINTR))
        self.assertEqual({'new': ['b']}, self.tree())

    def test_any_other_error_is_raised_and_nothing_changes(self):
        other = os.open('/proc/self', os.O_RDONLY)
        self.addCleanup(os.close, other)
        with self.assertRaises(OSError) as raised:
            gocept.filestore.disk.move.move(self.source, 'a', other, 'a')
        self.assertEqual('a', raised.exception.filename)
        self.assertEqual(errno.EXDEV, raised.exception.errno)
        self.assertEqual({'tmp': ['a']}, self.tree())

    def test_looking_for_a_file_may_fail(self):
        status = os.stat(self.path / 'tmp' / 'a')
        with self.assertRaises(OSError) as raised:
            gocept.filestore.disk.move.is_at(self.source, 'x' * 256, status)
        self.assertEqual(errno.ENAMETOOLONG, raised.exception.errno)

    def test_file_that_was_replaced_is_not_linked(self):
        status = os.stat(self.path / 'tmp' / 'a')
        os.rename(self.put('tmp', 'c', 'newer'), self.path / 'tmp' / 'a')
        with self.assertRaises(FileNotFoundError):
            self.call(gocept.filestore.disk.move.by_link, status=status)
        self.assertEqual({'tmp': ['a']}, self.tree())

    def test_what_may_not_be_removed_is_not_linked(self):
        # The lock is ours, so the new name can go again.
        (self.path / 'new').chmod(0o777)
        self.forbid(self.path / 'tmp')
        (self.path / 'tmp' / 'a').chmod(0o666)
        status = os.stat(self.path / 'tmp' / 'a')
        with self.be_nobody(), self.assertRaises(PermissionError):
            self.call(gocept.filestore.disk.move.by_link, status=status)
        self.assertEqual({'tmp': ['a']}, self.tree())
        with self.be_nobody(), self.assertRaises(PermissionError):
            self.call(gocept.filestore.disk.move.by_link)
        self.assertEqual({'tmp': ['a'], 'new': ['b']}, self.tree())

    @gocept.filestore.tests.case.needs_root('be another user')
    def test_what_may_be_linked_and_not_removed_is_told(self):
        for space, mode in (('tmp', 0o1777), ('new', 0o777)):
            (self.path / space).chmod(mode)
        (self.path / 'tmp' / 'a').chmod(0o666)
        with self.be_nobody(), self.assertRaises(PermissionError) as raised:
            self.call(gocept.filestore.disk.move.in_steps, True, None)
        self.assertEqual(errno.EPERM, raised.exception.errno)

    def test_name_that_is_no_unicode(self):
        name = os.fsdecode(b'\xff\xfe')
        gocept.filestore.disk.move.move(self.source, 'a', self.target, name)
        self.assertEqual([b'\xff\xfe'], os.listdir(
            os.fsencode(self.path / 'new')))

    def test_removed_by_somebody_between_link_and_unlink(self):
        # It has moved all the same. How often the child is fast enough is
        # its own affair, but once is needed.
        child = self.child()
        child.run(REMOVER)
        won, number = 0, 0
        while not won and number < 2000:
            number += 1
            self.put('tmp', 'a')
            child.send('answer = remove(%r)' % str(number))
            gocept.filestore.disk.move.by_link(
                self.source, 'a', self.target, str(number))
            won += child.answer()
            self.assertIn(str(number), os.listdir(self.target))
        self.assertGreater(won, 0)

    def move_with_another(self, *new_place):
        """Move a file that we have locked, and let it go elsewhere."""
        def take(target):
            path.rename(self.path.joinpath(*new_place))

        path = self.path / 'tmp' / 'a'
        with unittest.mock.patch.object(
                gocept.filestore.disk.move, 'sync', take):
            gocept.filestore.disk.move.by_link(
                self.source, 'a', self.target, 'b', status=path.stat())

    def test_draft_that_is_claimed_between_link_and_unlink(self):
        # Whoever claims it removes its older name first.
        def take(target):
            (self.path / 'tmp' / 'a').unlink()
            (self.path / 'new' / 'b').rename(self.path / 'cur' / 'b')
            os.link(self.path / 'cur' / 'b', self.path / 'cur' / 'c')

        with unittest.mock.patch.object(
                gocept.filestore.disk.move, 'sync', take):
            self.call(gocept.filestore.disk.move.by_link)
        self.assertEqual({'cur': ['b', 'c']}, self.tree())

    def test_moved_by_somebody_between_link_and_unlink(self):
        with self.assertRaises(FileNotFoundError):
            self.move_with_another('cur', 'a')
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_hidden_name_of_an_open_file_is_nobodys(self):
        # The kernel makes it for NFS, and removes it again.
        self.move_with_another('tmp', '.nfs0001')
        self.assertEqual({'tmp': ['.nfs0001'], 'new': ['b']}, self.tree())

    def test_said_to_be_moved_by_somebody(self):
        # GlusterFS may say so of what we have moved.
        with unittest.mock.patch(
                'gocept.filestore.disk.file_system.places', return_value=b''):
            self.move_with_another('cur', 'a')
        self.assertIn('b', os.listdir(self.target))


REMOVER = """
import os
tmp, new = (os.path.join(store.path, space, '') for space in ('tmp', 'new'))

def remove(name):
    while not os.path.exists(new + name):
        pass
    try:
        os.remove(tmp + 'a')
    except FileNotFoundError:
        return 0
    return 1
"""


class Replace(MoveCase):

    def move(self):
        self.call(gocept.filestore.disk.move.replace)

    def test_moves(self):
        self.move()
        self.assertEqual({'new': ['b']}, self.tree())

    def test_replaces(self):
        self.put('new', 'b', 'theirs')
        self.move()
        self.assertEqual({'new': ['b']}, self.tree())
        self.assertEqual('ours', self.read('new', 'b'))

    def test_not_there(self):
        os.remove(self.path / 'tmp' / 'a')
        with self.assertRaises(FileNotFoundError):
            self.move()

    def test_twins_become_one(self):
        os.link(self.path / 'tmp' / 'a', self.path / 'new' / 'b')
        self.move()
        self.assertEqual({'new': ['b']}, self.tree())
        self.assertEqual('ours', self.read('new', 'b'))

    def test_second_name_elsewhere_stays(self):
        os.link(self.path / 'tmp' / 'a', self.directory / 'elsewhere')
        self.move()
        self.assertEqual({'new': ['b']}, self.tree())
        self.assertEqual('ours', (self.directory / 'elsewhere').read_text())

    def test_second_name_elsewhere_and_another_file_in_the_way(self):
        os.link(self.path / 'tmp' / 'a', self.directory / 'elsewhere')
        self.put('new', 'b', 'theirs')
        self.move()
        self.assertEqual('ours', self.read('new', 'b'))

    def test_twin_stays_while_somebody_else_has_the_lock(self):
        # Both would remove what they take for the second name.
        os.link(self.path / 'tmp' / 'a', self.path / 'new' / 'b')
        with open(self.path / 'tmp' / 'a') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.move()
            self.assertEqual({'tmp': ['a'], 'new': ['b']}, self.tree())
            self.call(gocept.filestore.disk.move.replace, is_locked=True)
        self.assertEqual({'new': ['b']}, self.tree())

    def test_last_name_is_not_removed(self):
        # Somebody was faster, after we have seen two names.
        os.link(self.path / 'tmp' / 'a', self.path / 'new' / 'b')
        status = os.stat(self.path / 'tmp' / 'a')
        os.remove(self.path / 'tmp' / 'a')
        self.call(gocept.filestore.disk.move.remove_twin, status)
        self.assertEqual({'new': ['b']}, self.tree())

    def test_onto_itself_keeps_a_file_with_a_second_name(self):
        os.link(self.path / 'tmp' / 'a', self.directory / 'elsewhere')
        gocept.filestore.disk.move.replace(self.source, 'a', self.source, 'a')
        self.assertEqual({'tmp': ['a']}, self.tree())


class Replaced(MoveCase):

    def test_said_to_exist_although_it_is_replaced(self):
        # GlusterFS, of rename(2).
        self.put('new', 'b', 'theirs')
        with unittest.mock.patch('gocept.filestore.disk.move.replace',
                                 side_effect=FileExistsError):
            self.assertFalse(self.call(
                gocept.filestore.disk.move.move_or_replace, False))
        self.assertTrue(self.call(
            gocept.filestore.disk.move.move_or_replace, False))
        self.assertEqual({'new': ['b']}, self.tree())
        self.assertEqual('ours', self.read('new', 'b'))

    def test_has_gone_meanwhile(self):
        # GlusterFS says ESTALE when it opens a name that it remembers.
        with unittest.mock.patch.object(
                os, 'open', side_effect=OSError(errno.ESTALE, '')):
            self.assertFalse(self.call(
                gocept.filestore.disk.move.replace_locked))

    def test_can_not_be_opened(self):
        with unittest.mock.patch.object(
                os, 'open', side_effect=OSError(errno.EIO, '')):
            with self.assertRaises(OSError):
                self.call(gocept.filestore.disk.move.replace_locked)


class Lock(MoveCase):
    """What a file system answers that can not lock, or does not want to."""

    def lock(self, number):
        def flock(descriptor, operation):
            raise OSError(number, os.strerror(number))

        with open(self.path / 'tmp' / 'a') as file:
            return gocept.filestore.disk.move.lock_at(
                file.fileno(), self.source, 'a', flock)

    def test_of_a_file_that_has_gone(self):
        for number in (errno.EAGAIN, errno.ENOENT, errno.ESTALE,
                       errno.EBADFD):
            self.assertFalse(self.lock(number))

    def test_any_other_error_is_raised(self):
        with self.assertRaises(OSError) as raised:
            self.lock(errno.ENOLCK)
        self.assertEqual(errno.ENOLCK, raised.exception.errno)


class LookAnew(MoveCase):

    def test_changes_nothing(self):
        for name in 'ab':
            gocept.filestore.disk.move.look_anew(self.source, name)
        self.assertEqual({'tmp': ['a']}, self.tree())


class Unsupported(gocept.filestore.tests.case.Case):
    """A file system that can not rename without replacing, like GlusterFS."""

    def setUp(self):
        super().setUp()
        self.put('new', 'a', 'older')
        self.publisher = self.child()
        self.publisher.run(
            'import gocept.filestore.tests.test_race as race\n'
            'race.VARIANTS["by_link"]()')

    def publish(self, name='a'):
        self.publisher.send(
            'with store.publish(%r, replace=True) as file:\n'
            '    file.write("newer")' % name)

    def test_publishing(self):
        for name in 'ab':
            self.publish(name)
            self.publisher.answer()
            self.assertEqual('newer', self.read('new', name))
        self.assertEqual({'new': ['a', 'b']}, self.tree())

    def test_publishing_waits_until_the_older_one_is_taken(self):
        with open(self.path / 'new' / 'a') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.publish()
            zope.testing.wait.Wait(timeout=10, wait=.001)(
                lambda: self.store.list('tmp'))
            self.assertEqual('older', self.read('new', 'a'))
            os.rename(self.path / 'new' / 'a', self.path / 'cur' / 'a')
        self.publisher.answer()
        self.assertEqual('newer', self.read('new', 'a'))
        self.assertEqual('older', self.read('cur', 'a'))

    @gocept.filestore.tests.case.slow
    def test_publishing_does_not_wait_for_ever(self):
        with open(self.path / 'new' / 'a') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.put('tmp', 'draft')
            self.assertEqual('FileExistsError', self.publisher.run(IMPATIENT))
        self.assertEqual('older', self.read('new', 'a'))
        self.assertEqual({'new': ['a'], 'tmp': ['draft']}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_publishing_says_what_it_has_waited_for(self):
        with open(self.path / 'new' / 'a') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.assertEqual(
                'NameTaken', self.publisher.run(IMPATIENT_PUBLISHER))
        self.assertEqual({'new': ['a']}, self.tree())

    def test_file_that_has_gone_is_not_replaced(self):
        tmp, new = (os.open(self.path / name, os.O_RDONLY)
                    for name in ('tmp', 'new'))
        self.put('tmp', 'draft')
        with open(self.path / 'new' / 'a') as file:
            os.rename(self.put('tmp', 'b', 'newer'), self.path / 'new' / 'a')
            self.assertFalse(gocept.filestore.disk.move.lock_at(
                file.fileno(), new, 'a'))
        os.remove(self.path / 'new' / 'a')
        self.assertFalse(gocept.filestore.disk.move.replace_locked(
            tmp, 'draft', new, 'a'))
        os.close(tmp)
        os.close(new)
        self.assertEqual({'tmp': ['draft']}, self.tree())

    def test_moving(self):
        self.publisher.run('store.move("a", "new", "cur", replace=False)')
        self.assertEqual({'cur': ['a']}, self.tree())


IMPATIENT_PUBLISHER = """
import gocept.filestore.disk.move
gocept.filestore.disk.move.replace_unlocked.__defaults__ = (
    False, lambda seconds: None)
try:
    with store.publish('a', replace=True) as file:
        file.write('newer')
except OSError as error:
    answer = type(error).__name__
"""

IMPATIENT = """
import gocept.filestore.disk.move, os
tmp, new = (os.open(os.path.join(store.path, name), os.O_RDONLY)
            for name in ('tmp', 'new'))
try:
    gocept.filestore.disk.move.replace_unlocked(
        tmp, 'draft', new, 'a', False, sleep=lambda seconds: None)
except OSError as error:
    answer = type(error).__name__
"""


class SyncAll(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        gocept.filestore.tests.case.sync_at_once(self)
        self.directory = os.open(self.path, os.O_RDONLY)
        self.addCleanup(os.close, self.directory)

    def sync(self, count=10):
        return gocept.filestore.disk.move.sync_all(self.directory, count)

    def but(self, name, value, place=gocept.filestore.disk.move):
        return unittest.mock.patch.object(place, name, value)

    def fail(self, *errors):
        gocept.filestore.tests.case.sync_at_once(self, *errors)

    def test_at_once(self):
        self.assertTrue(self.sync())

    def test_few(self):
        with self.but('FEW', 11):
            self.assertFalse(self.sync())
            self.assertTrue(self.sync(11))

    def test_much_that_others_have_written(self):
        file_system = gocept.filestore.disk.file_system
        with self.but('EACH', 100):
            for unwritten in (999, 1000, 1001):
                with self.but('unwritten', lambda u=unwritten: u, file_system):
                    self.assertEqual(unwritten <= 1000, self.sync())

    def test_unwritten(self):
        def opened(text):
            return unittest.mock.patch(
                'builtins.open', unittest.mock.mock_open(read_data=text))

        unwritten = gocept.filestore.disk.file_system.unwritten
        with opened('MemFree: 7 kB\nDirty:      12 kB\nWriteback:   3 kB\n'
                    'WritebackTmp:   5 kB\n'):
            self.assertEqual(15 * 1024, unwritten())
        with opened('') as nothing:
            nothing.side_effect = FileNotFoundError
            self.assertEqual(math.inf, unwritten())
        self.assertLess(unwritten(), math.inf)

    def test_where_nobody_can(self):
        self.fail(errno.ENOSYS, errno.EPERM)
        self.assertFalse(self.sync())
        self.assertFalse(self.sync())
        with self.but('syncfs', gocept.filestore.disk.move.missing):
            self.assertFalse(self.sync())

    def test_interrupted(self):
        self.fail(errno.EINTR, errno.EINTR)
        self.assertTrue(self.sync())

    def test_what_can_not_be_written(self):
        numbers = errno.EIO, errno.ENOSPC
        self.fail(*numbers)
        for number in numbers:
            with self.assertRaises(
                    gocept.filestore.interfaces.NotSynced) as caught:
                self.sync()
            self.assertEqual(number, caught.exception.errno)


class SeeWritten(gocept.filestore.tests.case.Case):

    def see(self, *errors):
        """Ask; the call fails with the errors first. Return what was synced.
        """
        left, move, synced = list(errors), gocept.filestore.disk.move, []
        ask = gocept.filestore.tests.case.failing(move.sync_file_range, left)
        with (unittest.mock.patch.object(move, 'sync_file_range', ask),
              unittest.mock.patch.object(move, 'sync', synced.append),
              open(self.put('tmp', 'a'), 'rb') as file):
            move.see_written(file.fileno())
            self.assertEqual([], left)
            return [descriptor == file.fileno() for descriptor in synced]

    def test_written(self):
        self.assertEqual([], self.see())
        self.assertEqual([], self.see(errno.EINTR, errno.EINTR))

    def test_where_nobody_can_ask_it_is_synced(self):
        for number in (errno.ENOSYS, errno.EPERM):
            self.assertEqual([True], self.see(number))

    def test_not_written(self):
        for number in (errno.EIO, errno.ENOSPC):
            with self.assertRaises(
                    gocept.filestore.interfaces.NotSynced) as caught:
                self.see(number)
            self.assertEqual(number, caught.exception.errno)


class Telling(unittest.TestCase):

    def tells(self, magic, release='6.1.0-18-amd64', journal=True):
        file_system = gocept.filestore.disk.file_system
        with (unittest.mock.patch.object(
                file_system, 'magic', lambda descriptor: magic),
              unittest.mock.patch.object(
                  file_system, 'has_journal', lambda descriptor: journal),
              unittest.mock.patch.object(os, 'uname') as uname):
            uname.return_value.release = release
            return file_system.tells_of_losses(0)

    def test_file_systems(self):
        for magic in (0xef53, 0x58465342, 0x9123683e):
            self.assertTrue(self.tells(magic))
        for magic in (0x01021994, 0x794c7630, 0x6969, 0x65735546, 0):
            self.assertFalse(self.tells(magic))

    def test_kernels(self):
        for release, tells in (
                ('5.17.0', True), ('5.18', True), ('10.0-rc1', True),
                ('5.15.0-91-generic', False), ('4.18.0-553.el8', False)):
            self.assertEqual(tells, self.tells(0xef53, release), release)

    def test_journals(self):
        # Those of real disks are told apart where root can make them.
        self.assertFalse(self.tells(0xef53, journal=False))
        self.assertTrue(self.tells(0x9123683e, journal=False))
        with open(os.devnull) as file:
            self.assertFalse(gocept.filestore.disk.file_system.has_journal(
                file.fileno()))
