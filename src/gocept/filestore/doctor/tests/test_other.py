"""A store as it is seen through two mounts."""

import gocept.filestore.doctor.other
import gocept.filestore.doctor.space
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import gocept.filestore.tests.doctor
import os
import shutil
import subprocess


ELSEWHERE = gocept.filestore.doctor.other.ELSEWHERE
SUBJECTS = ['mount', 'lock', 'arrival', 'departure', 'version']


class Case(gocept.filestore.tests.doctor.Case):

    def setUp(self):
        super().setUp()
        self.other = self.directory / 'other'

    def tearDown(self):
        # FUSE keeps a file that was removed until it hears of its last close.
        self.wait(lambda: not self.tree())

    def seen(self, **kw):
        """Return subject, verdict and sentence of what the other one shows."""
        found = [(finding.subject, finding.verdict, finding.sentence)
                 for finding in self.examine(other=str(self.other), **kw)]
        subjects = [subject for subject, _, _ in found]
        return found[subjects.index('mount'):]

    def assertRefused(self, sentence, other=None):
        """See that there is nothing to compare, and nothing is made."""
        before = gocept.filestore.tests.doctor.all_names(self.directory)
        other = str(other or self.other)
        self.assertEqual(
            ('problem', sentence.format(other, str(self.path)), ELSEWHERE),
            self.only('mount', other=other))
        self.assertEqual('mount', self.examine(other=other)[-1].subject)
        self.assertEqual(
            before, gocept.filestore.tests.doctor.all_names(self.directory))


class Nothing(Case):
    """What is no other mount of the store."""

    def test_same_path(self):
        self.assertRefused('{!r} is {!r}, through the same mount', self.path)

    def test_link(self):
        self.other.symlink_to('store')
        self.assertRefused('{!r} is {!r}, through the same mount')

    def test_copy(self):
        shutil.copytree(self.path, self.other)
        self.assertRefused('{!r} is another store than {!r}')

    def test_no_store(self):
        self.assertRefused('there is no file store in {!r}')
        self.other.mkdir()
        self.assertRefused('there is no file store in {!r}')

    def test_half_a_store(self):
        shutil.copytree(self.path, self.other)
        (self.other / 'new').rmdir()
        self.assertRefused('there is no new in {!r}')

    def test_file(self):
        self.other.write_text('')
        self.assertRefused(
            '{!r} is no directory, or does not lie in one')

    def test_no_path(self):
        with self.assertRaises(ValueError):
            self.examine(other='')

    def test_where_nothing_can_be_tried(self):
        shutil.rmtree(self.path / 'new')
        self.assertEqual(['spaces'], [
            finding.subject for finding in self.examine(other=self.other)])

    def test_name_like_an_option(self):
        os.chdir(self.directory)
        self.addCleanup(os.chdir, '/')
        self.assertEqual(
            "there is no file store in './-rf'",
            self.only('mount', other='-rf')[1])

    @gocept.filestore.tests.case.needs_root('become somebody else')
    def test_forbidden(self):
        shutil.copytree(self.path, self.other)
        for path in (self.path, *self.path.iterdir(),
                     self.other, *self.other.iterdir()):
            path.chmod(0o777)
        (self.other / 'new').chmod(0o755)
        with self.be_nobody():
            found = self.only('mount', other=str(self.other))
        self.assertIn("can not use '%s/new'" % self.other, found[1])
        self.assertIn("use the store as 'root'", found[2])

    def test_command(self):
        shutil.copytree(self.path, self.other)
        status, output, messages = self.filestore(
            'doctor', '--quiet', 'store', '--other', 'other')
        self.assertEqual((1, []), (status, messages))
        self.assertEqual(
            ["problem  mount: 'other' is another store than 'store'",
             '         remedy: ' + ELSEWHERE], output.decode().splitlines())


class Delay(Case):
    """How it is told that something takes its time."""

    def told(self, *delays):
        delays = iter(delays)
        spaces = gocept.filestore.doctor.space.Spaces(str(self.path), 0, 0)
        spaces.ways = 2 * [(*spaces.found[:2], spaces.found[1])]
        return [(finding.verdict, finding.sentence.replace(
                    str(self.path), 'store'), finding.remedy)
                for finding in gocept.filestore.doctor.other.told(
                    spaces, lambda *args: next(delays), 'it is seen', 'wait')]

    def test_at_once(self):
        self.assertEqual(
            [('ok', 'it is seen through the other mount after 2.5 ms', None)],
            self.told((0, .001), (.001, .0025)))

    def test_late(self):
        for delay in 2.2, 35:
            self.assertEqual(
                ('problem', "it is seen in 'store/new' after %.1f seconds or "
                 'more' % delay, 'wait'),
                self.told((0, .001), (delay, delay))[0])

    def test_slow(self):
        self.assertEqual(
            ('note', "it is seen in 'store/new' after 5.0 seconds or more",
             gocept.filestore.doctor.other.SLOW),
            self.told((0, 5), (0, .001))[0])

    def test_pauses(self):
        pauses = []
        spaces = gocept.filestore.doctor.space.Spaces(
            str(self.path), 0, pauses.append)
        delay = gocept.filestore.doctor.other.delay
        denied, seen = delay(spaces, lambda: len(pauses) == 3)
        self.assertTrue(0 < denied <= seen < 1, (denied, seen))
        self.assertEqual(0, delay(spaces, lambda: True)[0])
        self.assertEqual((35, 35), delay(spaces, lambda: False))
        self.assertEqual(35, round(sum(pauses[3:]), 6))

    def test_file_that_is_just_replaced(self):
        spaces = gocept.filestore.doctor.space.Spaces(str(self.path), 0, 0)
        self.assertIsNone(
            gocept.filestore.doctor.other.read(spaces.found[1], 'a'))

    def test_what_can_not_be_read(self):
        (self.path / 'new' / 'a').mkdir()
        spaces = gocept.filestore.doctor.space.Spaces(str(self.path), 0, 0)
        with self.assertRaises(gocept.filestore.interfaces.NotRegular):
            gocept.filestore.doctor.other.read(spaces.found[1], 'a')
        (self.path / 'new' / 'a').rmdir()


class Mounted(Case):

    def mount(self, *command):
        self.other.mkdir()
        subprocess.run(
            [*command, self.path, self.other], check=True, timeout=20,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(
            subprocess.run, ['umount', '-l', self.other], check=True)

    @gocept.filestore.tests.case.needs_mount()
    def test_second_mount_of_this_kernel(self):
        self.mount('mount', '--bind')
        found = self.seen()
        self.assertEqual(
            list(zip(SUBJECTS, ['note', 'ok', 'ok', 'ok', 'ok'], strict=True)),
            [(subject, verdict) for subject, verdict, _ in found])
        self.assertEqual(
            'this kernel takes %r and %r for one file system, and so what it '
            'remembers is the same' % (str(self.other), str(self.path)),
            found[0][2])

    @gocept.filestore.tests.case.needs_mount('bindfs')
    def test_locks_of_one_mount_only(self):
        self.mount('bindfs')
        self.assertEqual(
            ('mount', 'ok', '%r is %r, through another mount' % (
                str(self.other), str(self.path))), self.seen()[0])
        self.assertEqual(
            ('problem', 'a file that is locked in %r can be locked in %r as '
             'well' % (str(self.path / 'new'), str(self.other / 'new')),
             gocept.filestore.doctor.other.LOCKS),
            self.only('lock', other=str(self.other)))

    @gocept.filestore.tests.case.needs_mount('bindfs')
    def test_all_is_seen_although_the_kernel_remembers_what_was_there(self):
        self.mount_with_locks('entry_timeout=99')
        self.assertEqual(
            [(subject, 'ok') for subject in SUBJECTS],
            [(subject, verdict) for subject, verdict, _ in self.seen()])

    @gocept.filestore.tests.case.needs_mount('bindfs')
    def test_kernel_that_remembers_what_was_not_there(self):
        self.mount_with_locks('negative_timeout=99')
        path = str(self.other / 'new')
        self.assertEqual(
            [('arrival', 'problem', 'a file that comes is seen in %r after '
              '35.0 seconds or more' % path)],
            [found for found in self.seen() if found[1] != 'ok'])

    def mount_with_locks(self, options):
        self.mount('bindfs', '--multithreaded', '--enable-lock-forwarding',
                   '-o', options)
