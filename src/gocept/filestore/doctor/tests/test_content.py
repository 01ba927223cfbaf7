"""What lies in a store, whose it is, and what does not belong there."""

import contextlib
import fcntl
import gocept.filestore
import gocept.filestore.disk.copy
import gocept.filestore.disk.lock
import gocept.filestore.disk.name
import gocept.filestore.disk.probe
import gocept.filestore.disk.space
import gocept.filestore.doctor.examination
import gocept.filestore.tests.case
import gocept.filestore.tests.doctor
import grp
import os
import pwd
import socket
import struct
import subprocess
import sys
import time
import zope.testing.wait


NOBODY = gocept.filestore.tests.case.NOBODY
LONG_AGO = 'never taken, 36 hours old'
CUT = 'left by a move that was cut off'


class Case(gocept.filestore.tests.doctor.Case):

    def path_in(self, *names):
        return str(self.path.joinpath(*names))

    def assertFinds(self, verdict, sentence, remedy, **kw):
        """See that of the content just this is found, and can be mended."""
        self.assertMends('content', verdict, sentence, remedy, **kw)

    def assertFine(self, **kw):
        self.assertEqual([], self.look('content', **kw))


class Kinds(Case):

    def test_good_files(self):
        for space in ('tmp', 'new', 'work', 'cur', 'failed'):
            self.put(space, 'a')
        self.assertFine()

    def test_link(self):
        (self.path / 'new' / 'link').symlink_to('/etc/passwd')
        self.assertFinds(
            'problem', "1 symbolic link in %r, never followed: 'link'"
            % self.path_in('new'), 'rm ' + self.path_in('new', 'link'))

    def test_directory(self):
        (self.path / 'cur' / 'a b').mkdir()
        (self.path / 'cur' / 'a b' / 'precious').touch()
        self.assertFinds(
            'problem', "1 directory in %r, never looked into: 'a b'"
            % self.path_in('cur'), "mv -n -t %s '%s'" % (
                self.directory, self.path_in('cur', 'a b')))
        self.assertEqual(['precious'], os.listdir(self.directory / 'a b'))

    def test_special(self):
        os.mkfifo(self.path_in('tmp', 'pipe'))
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(self.path_in('tmp', 'socket'))
        self.assertFinds(
            'problem', '2 pipes, sockets or devices in %r, never opened: '
            "'pipe', 'socket'" % self.path_in('tmp'), 'rm %s %s' % (
                self.path_in('tmp', 'pipe'), self.path_in('tmp', 'socket')))

    def test_dot_file(self):
        self.put('new', '.nfs0001')
        self.assertFine()
        self.assertFinds(
            'note', "1 dot file in %r, %s: '.nfs0001'" % (
                self.path_in('new'), LONG_AGO),
            'rm ' + self.path_in('new', '.nfs0001'), clock=self.later)

    def test_dot_directory(self):
        (self.path / 'new' / '.~tmp~').mkdir()
        self.assertFine()
        self.assertFinds(
            'problem', "1 directory in %r, never looked into: '.~tmp~'"
            % self.path_in('new'), "mv -n -t %s '%s'" % (
                self.directory, self.path_in('new', '.~tmp~')),
            clock=self.later)

    def test_unknown(self):
        (self.path / 'old').mkdir()
        (self.path / 'README').touch()
        (self.path / 'lost+found').mkdir()
        (self.path / '.hidden').touch()
        self.assertFinds(
            'note', "2 things in %r, not a space: 'README', 'old'"
            % str(self.path), 'mv -n -t {0} {1}/README {1}/old'.format(
                self.directory, self.path))
        self.assertEqual(
            [('note', "1 thing in %r, not a space: '.hidden'"
              % str(self.path))],
            [found[:2] for found in self.look('content', clock=self.later)])

    def test_store_at_the_working_directory(self):
        os.chdir(self.path)
        self.addCleanup(os.chdir, '/')
        (self.path / 'README').touch()
        verdict, sentence, remedy = self.only('content', '.')
        self.assertEqual('mv -n -t ./.. ./README', remedy)
        subprocess.run(['bash', '-c', remedy], check=True)
        self.assertFine()
        self.assertTrue((self.directory / 'README').exists())

    @gocept.filestore.tests.case.needs_root('give files away')
    def test_store_that_can_not_be_listed(self):
        self.move_by_link()  # or a second name is somebody's wish
        (self.path / 'new' / 'link').symlink_to('nowhere')
        os.link(self.put('failed', 'a'), self.path / 'cur' / 'a')
        for name in os.listdir(self.path):
            os.chown(self.path / name, NOBODY, NOBODY)
        self.path.chmod(0o711)
        with self.be_nobody():
            found = self.look('content')
        self.assertEqual(
            [("1 second name in %r, %s: 'failed/a'" % (str(self.path), CUT),
              'rm ' + self.path_in('failed', 'a')),
             ("1 symbolic link in %r, never followed: 'link'"
              % self.path_in('new'), 'rm ' + self.path_in('new', 'link'))],
            [item[1:] for item in found])


class Many(Case):
    """What there is a lot of is told in one line."""

    @gocept.filestore.tests.case.slow
    def test_links(self):
        for number in range(10_000):
            os.symlink('nowhere', self.path_in('new', '%05d' % number))
        verdict, sentence, remedy = self.only('content')
        self.assertEqual(
            "10000 symbolic links in %r, never followed: '00000', '00001', "
            "'00002' and 9997 more" % self.path_in('new'), sentence)
        self.put('new', 'a')
        self.follow(remedy)
        self.assertFine()
        self.assertEqual(['a'], os.listdir(self.path / 'new'))

    def test_dot_files(self):
        for name in ('.a', '.b', '.c', '.d'):
            self.put('new', name)
        verdict, sentence, remedy = self.only('content', clock=self.later)
        self.assertEqual(
            "4 dot files in %r, %s: '.a', '.b', '.c' and 1 more" % (
                self.path_in('new'), LONG_AGO), sentence)
        self.assertEqual(
            "find %s -mindepth 1 -maxdepth 1 -type f -name '.*' -cmin +2160 "
            "-exec rm '{}' +" % self.path_in('new'), remedy)
        self.follow(remedy)  # they are too young
        self.assertEqual(4, len(os.listdir(self.path / 'new')))
        self.follow(remedy.replace('+2160', '-2160'))
        self.assertEqual([], os.listdir(self.path / 'new'))

    def test_directories(self):
        for name in 'abcd':
            (self.path / 'new' / name).mkdir()
        self.assertMends(
            'content', 'problem', "4 directories in %r, never looked into: "
            "'a', 'b', 'c' and 1 more" % self.path_in('new'),
            'find %s -mindepth 1 -maxdepth 1 -type d -exec mv -n -t %s '
            "'{}' +" % (self.path_in('new'), self.directory))
        self.assertEqual(
            ['a', 'b', 'c', 'd', 'gate', 'store'],
            sorted(os.listdir(self.directory)))

    def test_special(self):
        for name in 'abcd':
            os.mkfifo(self.path_in('new', name))
        self.put('new', 'e')
        self.follow(self.only('content')[2])
        self.assertEqual(['e'], os.listdir(self.path / 'new'))

    @gocept.filestore.tests.case.slow
    def test_those_that_find_can_not_tell(self):
        for name in 'abcde':
            (self.path / name).touch()
        verdict, sentence, remedy = self.only('content')
        self.assertTrue(remedy.endswith(
            '/c && filestore doctor %s' % self.path), remedy)
        self.follow(remedy)
        self.assertEqual(
            "2 things in %r, not a space: 'd', 'e'" % str(self.path),
            self.only('content')[1])

    @gocept.filestore.tests.case.slow
    def test_memory_does_not_grow_with_good_files(self):
        few = self.memory()
        for number in range(50_000):
            os.close(os.open(self.path_in('new', str(number)), os.O_CREAT))
        self.assertLess(self.memory() - few, 2000)

    def memory(self):
        """Return how many kilobytes the command has needed."""
        script = ('import resource, subprocess, sys\n'
                  'subprocess.run(sys.argv[1:], check=True)\n'
                  'usage = resource.getrusage(resource.RUSAGE_CHILDREN)\n'
                  'print(usage.ru_maxrss)')
        status, output, messages = self.filestore(
            *gocept.filestore.tests.command.FILESTORE, 'doctor', '-q',
            'store', command=[sys.executable, '-c', script])
        return int(output.split()[-1])


class Drafts(Case):

    def assertLeft(self, *names):
        """See which drafts are told to be left; and that clean does it."""
        found = self.look('content', clock=self.later)
        self.assertEqual([(
            'note', '%s in %r, written by nobody for 36 hours: %s' % (
                '1 draft' if len(names) == 1 else '%d drafts' % len(names),
                self.path_in('tmp'), ', '.join(map(repr, names))),
            'filestore clean %s tmp' % self.path)] if names else [], found)

    def test_left(self):
        self.put('tmp', 'a')
        self.put('tmp', 'b')
        self.assertFine()
        self.assertLeft('a', 'b')

    @gocept.filestore.tests.case.slow
    def test_name_that_a_command_is_told(self):
        self.put('tmp', 'a')
        remedy = self.only('content', clock=self.later)[2]
        self.follow(remedy)
        self.assertEqual(['a'], os.listdir(self.path / 'tmp'))
        self.follow(remedy + ' --older-than 0s')
        self.assertEqual([], os.listdir(self.path / 'tmp'))

    def test_being_written(self):
        with self.store.create('a') as file:
            file.write('a')
            self.assertLeft()
        self.assertLeft('a')

    def test_being_written_by_somebody_else(self):
        with open(self.path_in('tmp', 'a'), 'w') as file:
            file.write('a')
            self.assertLeft()
        self.assertLeft('a')

    @gocept.filestore.tests.case.needs_root('make a file of somebody else')
    def test_not_to_be_read(self):
        self.put('tmp', 'a').chmod(0)
        (self.path / 'tmp').chmod(0o777)
        with self.be_nobody():
            self.assertLeft('a')


@gocept.filestore.tests.case.needs_root('make a file of somebody else')
class Closed(Case):

    def setUp(self):
        super().setUp()
        for path in (self.path, *self.path.iterdir()):
            os.chown(path, NOBODY, NOBODY)
        self.name = pwd.getpwuid(NOBODY).pw_name
        self.group = grp.getgrgid(NOBODY).gr_name

    def share(self, mode=0o2770):
        for name in ('tmp', 'new', 'cur'):
            os.chown(self.path / name, 0, NOBODY)
            (self.path / name).chmod(mode)

    def closed(self, name='a', mode=0o600, user=0, group=0, space='new'):
        path = self.put(space, name)
        os.chown(path, user, group)
        path.chmod(mode)
        return path

    def sentence(self, names, space='new', user=None):
        count = len(names)
        return '%d %s in %r, not to be read by %r: %s' % (
            count, 'file' if count == 1 else 'files', self.path_in(space),
            user or self.name, ', '.join(map(repr, names)))

    def assertOpens(self, remedy):
        for be in (self.be_nobody, contextlib.nullcontext):
            with be():
                self.assertEqual(
                    [('problem', self.sentence('a'), remedy)],
                    self.look('content'))
        self.follow(remedy)
        for be in (self.be_nobody, contextlib.nullcontext):
            with be():
                self.assertFine()

    def test_of_somebody_else(self):
        path = self.closed()
        self.assertOpens('chown {0} {1} && chmod u+rw {1}'.format(
            self.name, path))

    def test_of_the_owner(self):
        path = self.closed(mode=0o200, user=NOBODY)
        self.assertOpens('chown {0} {1} && chmod u+rw {1}'.format(
            self.name, path))

    def test_of_the_group(self):
        path = self.closed(mode=0o604, group=NOBODY)
        self.assertOpens('chown {0} {1} && chmod u+rw {1}'.format(
            self.name, path))

    def test_open_ones(self):
        self.closed('a', mode=0o604)
        self.closed('b', mode=0o640, group=NOBODY)
        self.closed('c', mode=0o400, user=NOBODY)
        self.assertFine()
        with self.be_nobody():
            self.assertFine()

    def test_shared_by_a_group(self):
        self.share()
        path = self.closed(user=1)
        remedy = 'chgrp {0} {1} && chmod g+rw {1}'.format(self.group, path)
        with self.be_nobody():
            self.assertEqual(
                [('problem', self.sentence('a'), remedy)],
                self.look('content'))
        self.follow(remedy)
        with self.be_nobody():
            self.assertFine()

    def test_root_may_read_all_of_its_own(self):
        self.share(0o700)
        self.closed(mode=0, user=1)
        self.assertFine()

    def test_many(self):
        names = ['a', 'b', 'c', 'd']
        for name in names:
            self.closed(name)
        open_one = self.closed('e', user=NOBODY)
        linked = self.closed('f')
        os.link(linked, self.directory / 'linked')
        before = open_one.stat().st_ctime_ns
        verdict, sentence, remedy = self.only('content')
        self.assertIn("'a', 'b', 'c' and 2 more", sentence)
        self.follow(remedy)
        self.assertIn(": 'f'", self.only('content')[1])
        # The order in which files are claimed stays the same.
        self.assertEqual(before, open_one.stat().st_ctime_ns)

    def test_many_shared_by_a_group(self):
        self.share()
        for number, name in enumerate('abcd'):
            self.closed(name, user=1, group=NOBODY * (number % 2))
        open_one = self.closed('e', mode=0o660, user=1, group=NOBODY)
        before = open_one.stat().st_ctime_ns
        with self.be_nobody():
            remedy = self.only('content')[2]
        self.follow(remedy)
        with self.be_nobody():
            self.assertFine()
        self.assertEqual(before, open_one.stat().st_ctime_ns)

    def test_other_spaces(self):
        for space in ('work', 'failed', 'attempts'):
            path = self.closed(space=space)
            os.chown(path.parent, NOBODY, NOBODY)
        self.closed(space='tmp')
        self.closed(space='cur')
        self.assertEqual(
            [self.sentence('a', space=space)
             for space in ('work', 'failed', 'attempts')],
            [found[1] for found in self.look('content')])

    def test_acl_decides(self):
        # acl(5): the owner rw, nobody r, the group and all others nothing.
        acl = struct.pack('<I', 2) + b''.join(
            struct.pack('<HHI', *entry) for entry in (
                (1, 6, 2**32 - 1), (2, 4, NOBODY), (4, 0, 2**32 - 1),
                (16, 4, 2**32 - 1), (32, 0, 2**32 - 1)))
        os.setxattr(self.closed(), gocept.filestore.disk.copy.ACL, acl)
        self.assertFine()
        with self.be_nobody():
            self.assertFine()


class Modes(Case):

    def setUp(self):
        super().setUp()
        for path in self.path.iterdir():
            path.chmod(0o755)

    def mode(self, mode, name='work', user=None, group=None):
        path = self.path / name
        path.mkdir(exist_ok=True)
        os.chown(path, -1 if user is None else user,
                 -1 if group is None else group)
        path.chmod(mode)
        return path

    def names(self, user=None, group=None):
        user = os.getuid() if user is None else user
        group = os.getgid() if group is None else group
        return '%s:%s' % (pwd.getpwuid(user).pw_name,
                          grp.getgrgid(group).gr_name)

    def different(self, path, mode, names=None):
        return ('%r is of %s with mode %s, others are of %s with mode 0755'
                % (str(path), names or self.names(), mode, self.names()))

    def test_the_same(self):
        self.mode(0o755)
        self.assertEqual([], self.look('modes'))

    def test_less_to_see(self):
        path = self.mode(0o750)
        self.assertMends('modes', 'note', self.different(path, '0750'),
                         'chmod 00755 %s' % path)

    def test_setgid(self):
        path = self.mode(0o2755)
        self.assertMends('modes', 'note', self.different(path, '2755'),
                         'chmod 00755 %s' % path)

    def test_group_may_more(self):
        path = self.mode(0o775)
        self.assertMends(
            'modes', 'problem', self.different(path, '0775')
            + ': who may use them may not use it, or the other way round',
            'chmod 00755 %s' % path)

    @gocept.filestore.tests.case.needs_root('give a directory away')
    def test_of_somebody_else(self):
        # Root has run a worker once.
        for name in ('tmp', 'new', 'cur'):
            self.mode(0o755, name, NOBODY, NOBODY)
        path = self.mode(0o750)
        nobody = self.names(NOBODY, NOBODY)
        self.assertMends(
            'modes', 'problem', '%r is of %s with mode 0750, others are of %s '
            'with mode 0755: who may use them may not use it, or the other '
            'way round' % (str(path), self.names(), nobody),
            'chown {0} {1} && chmod 00755 {1}'.format(nobody, path))

    @gocept.filestore.tests.case.needs_root('give a directory away')
    def test_of_somebody_else_with_the_same_mode(self):
        path = self.mode(0o755, 'work', NOBODY)
        self.assertEqual(
            'chown {0} {1}'.format(self.names(), path),
            self.only('modes')[2])

    @gocept.filestore.tests.case.needs_root('give a directory away')
    def test_shared_by_a_group(self):
        for number, name in enumerate(('tmp', 'new', 'cur', 'work')):
            self.mode(0o2770, name, number, NOBODY)
        self.assertEqual([], self.look('modes'))

    def test_first_ones_are_usual(self):
        for name in ('work', 'failed', 'attempts'):
            self.mode(0o750, name)
        self.assertEqual(
            [self.different(self.path / name, '0750')
             for name in ('work', 'failed', 'attempts')],
            [found[1] for found in self.look('modes')])

    def test_everybody_may_write(self):
        for name in ('tmp', 'new', 'cur'):
            self.mode(0o777, name)
        found = self.look('modes')
        self.assertEqual(
            [('note', 'everybody on this host may remove files from %r'
              % self.path_in(name), 'chmod o-w ' + self.path_in(name))
             for name in ('tmp', 'new', 'cur')], found)
        for _, _, remedy in found:
            self.follow(remedy)
        self.assertEqual([], self.look('modes'))

    def test_sticky(self):
        for name in ('tmp', 'new', 'cur'):
            self.mode(0o1777, name)
        self.assertEqual(
            [('note', 'only its owner may take a file from %r, because of the '
              'sticky bit' % self.path_in(name),
              'chmod -t ' + self.path_in(name))
             for name in ('tmp', 'new', 'cur')], self.look('modes'))

    def test_sticky_where_only_the_owner_writes(self):
        for name in ('tmp', 'new', 'cur'):
            self.mode(0o1755, name)
        self.assertEqual([], self.look('modes'))


class Twins(Case):
    """Moves by link(2) and unlink(2) that were cut off between the two."""

    variant = 'by_link'

    def twin(self, one, *others, content='content'):
        """Give one file several names."""
        path = self.put(*one.split('/'), content)
        for other in others:
            (self.path / other).parent.mkdir(exist_ok=True)
            os.link(path, self.path / other)

    def assertCut(self, name):
        """See that this name is too many, and that no file is lost."""
        self.assertFinds(
            'problem', '1 second name in %r, %s: %r' % (
                str(self.path), CUT, name), 'rm %s/%s' % (self.path, name))
        self.assertFalse(os.path.lexists(self.path / name))

    def assertSettled(self, name):
        """See that the next claim finds this name, and takes it away."""
        self.assertEqual([(
            'note', '1 second name in %r, %s: %r' % (
                str(self.path), CUT, name),
            'none is needed, the next claim removes it')],
            self.look('content'))
        for claim in self.store.claims():
            with claim:
                pass
        self.assertFine()

    def test_publish(self):
        self.twin('tmp/123.M456', 'new/a')
        self.assertCut('tmp/123.M456')
        self.assertEqual('content', self.read('new', 'a'))

    def test_publish_and_then_claim(self):
        self.twin('tmp/123.M456', 'work/a')
        self.assertCut('tmp/123.M456')
        self.assertEqual('content', self.read('work', 'a'))

    def test_claim(self):
        self.twin('new/a', 'work/a')
        self.assertSettled('work/a')
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_finish(self):
        self.twin('work/a', 'cur/a')
        self.assertSettled('work/a')
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_fail(self):
        self.twin('work/a', 'failed/a')
        self.assertSettled('work/a')
        self.assertEqual({'failed': ['a']}, self.tree())

    def test_retry(self):
        self.twin('failed/a', 'new/a')
        self.assertSettled('failed/a')
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_archive_of_an_older_client(self):
        self.twin('new/a', 'cur/a')
        self.assertSettled('cur/a')
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_number_of_an_older_one(self):
        self.twin('failed/a', 'failed/a.~1~')
        self.assertCut('failed/a')
        self.assertEqual('content', self.read('failed', 'a.~1~'))

    def test_failed_and_archived(self):
        self.twin('failed/a', 'cur/a')
        self.assertCut('failed/a')
        self.assertEqual('content', self.read('cur', 'a'))

    def test_several_at_once(self):
        self.twin('tmp/123.M456', 'new/a', 'work/a')
        self.assertEqual(
            [('problem', "'tmp/123.M456'"), ('note', "'work/a'")],
            [(verdict, sentence.partition(': ')[2])
             for verdict, sentence, _ in self.look('content')])

    @gocept.filestore.tests.case.slow
    def test_many(self):
        for number in range(5):
            self.twin('tmp/%s' % number, 'new/%s' % number)
        verdict, sentence, remedy = self.only('content')
        self.assertIn("'tmp/0', 'tmp/1', 'tmp/2' and 2 more", sentence)
        self.follow(remedy)
        self.assertIn("'tmp/3', 'tmp/4'", self.only('content')[1])

    def test_two_names_in_one_space_are_wanted(self):
        self.twin('new/a', 'new/b')
        self.twin('cur/a', 'cur/b')
        self.assertFine()

    def test_equal_files_that_were_linked(self):
        self.twin('new/a', 'failed/b', 'cur/c')
        self.assertFine()

    def test_linked_where_moves_leave_no_names(self):
        self.twin('new/a', 'work/a', 'failed/a', 'cur/a', 'tmp/123.M456')
        noreplace = gocept.filestore.disk.move.noreplace
        noreplace.__defaults__ = gocept.filestore.disk.move.renameat2,
        self.assertFine()

    def test_second_name_outside(self):
        os.link(self.put('new', 'a'), self.directory / 'a')
        self.assertFine()

    def test_move_that_goes_on(self):
        self.twin('tmp/123.M456', 'new/a')
        self.assertFine(
            sleep=lambda seconds: os.unlink(self.path_in('tmp/123.M456')))

    def test_file_that_goes_on(self):
        # Its old name is met in `new`, then its new one in `work`.
        self.twin('new/a', 'work/a')
        self.assertFine(
            sleep=lambda seconds: os.unlink(self.path_in('new/a')))

    def test_process_that_lives(self):
        self.twin('new/a', 'work/a')
        child = self.child()
        child.run('import fcntl\n'
                  'file = open(store.path + "/new/a")\n'
                  'fcntl.flock(file, fcntl.LOCK_EX)')
        self.assertFine()
        child.kill()
        self.assertSettled('work/a')

    @gocept.filestore.tests.case.needs_root('make a file of somebody else')
    def test_not_to_be_read(self):
        self.twin('tmp/123.M456', 'new/a')
        (self.path / 'new' / 'a').chmod(0)
        with self.be_nobody():
            self.assertIn("'tmp/123.M456'", self.look('content')[0][1])


class Touched(Case):
    """Who changes a file in its place has changed its order and age, too."""

    def touched(self, space, *program):
        path = self.put(space, 'a')
        os.utime(path, (0, 0))
        os.utime(path.parent, (0, 0))  # as if it had come long ago
        subprocess.check_call([*program, path])
        (verdict, sentence, remedy), = self.look('content')
        self.assertEqual('note', verdict)
        self.assertIn("'%s', copied, or changed by chown(1)" % path.parent,
                      sentence)

    def test_owner(self):
        for space in 'new', 'failed', 'cur':
            self.touched(space, 'chown', str(os.getuid()))
            (self.path / space / 'a').unlink()

    def test_rights(self):
        self.touched('new', 'chmod', '644')

    def test_written_in_its_place(self):
        path = self.put('new', 'a')
        os.utime(path.parent, (0, 0))
        self.assertFine()


class Attempts(Case):

    def setUp(self):
        super().setUp()
        self.store = self.open_store(
            retry_policy=gocept.filestore.RetryPolicy(attempts=1))

    def give_up(self, name='a'):
        with self.store.publish(name):
            pass
        self.store.claim().fail('broken')

    def path_of(self, name='a'):
        return self.path_in('attempts', name)

    def assertAlone(self, name='a'):
        self.assertFinds(
            'note', '1 attempts file in %r, whose file is nowhere: %r' % (
                self.path_in('attempts'), name), 'rm ' + self.path_of(name))

    def test_of_a_file_that_has_failed(self):
        self.give_up()
        self.assertFine()

    def test_of_a_file_that_waits(self):
        self.give_up()
        self.store.retry('a')
        self.assertFine()

    def test_of_a_file_in_work(self):
        self.give_up()
        self.store.retry('a')
        with self.store.claim():
            self.assertFine()
        self.assertFine()

    def test_of_a_file_that_was_removed_by_hand(self):
        self.give_up()
        (self.path / 'failed' / 'a').unlink()
        self.assertAlone()

    def test_of_files_that_have_got_a_number(self):
        for _ in range(3):
            self.give_up()
        for name in ('a', 'a.~1~'):
            (self.path / 'failed' / name).unlink()
        self.assertFine()
        (self.path / 'failed' / 'a.~2~').unlink()
        self.assertAlone()

    def test_number_of_another_file(self):
        self.give_up()
        self.put('failed', 'b.~1~')
        (self.path / 'failed' / 'a').unlink()
        self.assertAlone()

    def test_of_a_file_that_is_done(self):
        self.store.write_text('a', 'text', metadata={'is': 'text'})
        self.assertFine()
        self.store.claim().finish()
        self.assertFine()
        (self.path / 'cur' / 'a').unlink()
        self.assertAlone()

    def test_of_a_draft_in_a_batch(self):
        batch = self.store.batch(two_phase=True)
        batch.write_text('a', 'text', metadata={'is': 'text'})
        batch.vote()
        self.assertEqual(['a'], self.tree()['attempts'])
        self.assertFine()
        batch.abort()

    def test_file_that_goes_on_while_we_look(self):
        # It is not in `new` any more, and not in `work` yet.
        path = self.put('attempts', 'a', '')
        self.assertFine(sleep=lambda seconds: self.put('new', 'a'))
        self.assertTrue(path.exists())

    def test_attempts_that_have_gone(self):
        path = self.put('attempts', 'a', '')
        self.assertFine(sleep=lambda seconds: path.unlink())

    def spoil(self, line):
        self.give_up()
        with open(self.path_of(), 'a') as file:
            file.write(line)

    @gocept.filestore.tests.case.slow
    def test_spoilt(self):
        for line in ('{"event"', 'null', '[]', '{}', ''):
            with self.subTest(line):
                self.spoil(line + '\n')
                self.assertFinds(
                    'note', '1 attempts file in %r, with lines that are no '
                    "events: 'a'" % self.path_in('attempts'),
                    'mv -n -t %s %s' % (self.directory, self.path_of()))
                (self.directory / 'a').unlink()

    def test_no_event_of_ours(self):
        self.spoil('{"event": "", "time": "", "inode": []}\n')
        self.assertFine()
        for name in os.listdir(self.path / 'failed'):
            (self.path / 'failed' / name).unlink()
        self.assertAlone()

    def test_spoilt_and_alone(self):
        self.put('attempts', 'a', '{')
        self.assertAlone()


class Probes(Case):
    """What an examination has left behind that was killed."""

    def probe(self, space='new'):
        name = (gocept.filestore.disk.probe.PREFIX
                + gocept.filestore.disk.name.unique())
        return self.put(space, name)

    def assertLeft(self, path, space):
        self.assertFinds(
            'note', '1 file in %r, left by a doctor that was killed: %r' % (
                str(self.path / space), path.name), 'rm %s' % path)

    def test_left(self):
        self.assertLeft(self.probe(), 'new')

    def test_left_in_the_store(self):
        self.assertLeft(self.probe(''), '')

    def test_is_locked_as_long_as_it_is_there(self):
        tmp = gocept.filestore.disk.space.Space(
            str(self.path), 'tmp', str(self.path / 'tmp'), False)
        with gocept.filestore.disk.probe.probe(tmp) as (name, _):
            self.assertEqual([name], os.listdir(self.path / 'tmp'))
            self.assertIsNone(gocept.filestore.disk.lock.hold(tmp, name))
        self.assertEqual([], os.listdir(self.path / 'tmp'))

    def test_of_one_that_is_still_at_work(self):
        path = self.probe()
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.assertFine()
        self.assertLeft(path, 'new')

    def test_made_and_not_locked_yet(self):
        path = self.probe()
        self.assertFine(sleep=lambda seconds: path.unlink())

    @gocept.filestore.tests.case.needs_root('make a file of somebody else')
    def test_of_somebody_else(self):
        self.probe().chmod(0o600)
        with self.be_nobody():
            self.assertFine()

    @gocept.filestore.tests.case.slow
    def test_of_two_at_once(self):
        child = self.child()
        child.send(
            'import gocept.filestore.doctor.examination\n'
            'answer = [\n'
            '    finding.sentence for _ in range(10) for finding in\n'
            '    gocept.filestore.doctor.examination.examine(store.path)\n'
            '          if finding.subject == "content"]')
        ours = [
            finding.sentence for _ in range(10) for finding in
            gocept.filestore.doctor.examination.examine(self.path)
            if finding.subject == 'content'
        ]
        self.assertEqual(
            {'everything in %r belongs there' % str(self.path)},
            {*ours, *child.answer()})


class Alive(Case):
    """A store in full use, of which there is nothing to tell."""

    pauses = 0
    work = """
import itertools, os, random
import gocept.filestore
import gocept.filestore.disk.move, gocept.filestore.tests.case as case
if %r:
    gocept.filestore.disk.move.noreplace.__defaults__ = (case.invalid,)
for number in itertools.count():
    if os.path.exists(os.path.join(store.path, 'tmp', 'stop')):
        break
    name = str(random.randrange(100))
    try:
        with store.publish(name) as file:
            file.write('content')
    except FileExistsError:
        pass
    for claim in store.claims():
        if random.randrange(5):
            claim.finish(bool(random.randrange(2)))
        else:
            claim.fail(gocept.filestore.Reject('broken'))
    failed = store.list('failed')
    for path in random.sample(failed, min(3, len(failed))):
        try:
            store.retry(path)
        except (FileExistsError, FileNotFoundError):
            pass
answer = number
"""

    def use(self, by_link):
        for _ in range(3):
            # With a sync inside, a move by links takes its time.
            child = self.child(durable=by_link)
            child.send(self.work % by_link)
            yield child

    def pause(self, seconds):
        self.pauses += 1
        time.sleep(seconds)

    def examine_while_in_use(self, by_link):
        children = list(self.use(by_link))
        zope.testing.wait.wait(lambda: os.listdir(self.path / 'cur'))
        found, looks = set(), 0
        while looks < 5 or by_link and not self.pauses:
            looks += 1
            found |= {
                finding.sentence
                for finding in gocept.filestore.doctor.examination.examine(
                    self.path, sleep=self.pause)
                if finding.verdict == 'problem' or finding.subject == 'content'
            }
        self.put('tmp', 'stop')
        for child in children:
            self.assertGreater(child.answer(), 10)
        self.assertFine()
        return found

    @gocept.filestore.tests.case.slow
    def test_where_files_are_renamed(self):
        self.assertEqual(
            {'everything in %r belongs there' % str(self.path)},
            self.examine_while_in_use(False))

    @gocept.filestore.tests.case.slow
    def test_where_files_are_linked(self):
        self.assertEqual(
            {'everything in %r belongs there' % str(self.path)},
            self.examine_while_in_use(True))


class Entries(Case):

    def test_that_go_meanwhile(self):
        for name in 'abc':
            self.put('new', name)
        entries = gocept.filestore.doctor.entry.entries(
            self.store._layout['new'])
        next(entries)
        for path in self.store.list('new'):
            os.remove(path)
        self.assertEqual([], list(entries))
