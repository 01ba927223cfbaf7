import gocept.filestore.disk.layout
import gocept.filestore.doctor.examination
import gocept.filestore.doctor.finding
import gocept.filestore.doctor.mode
import gocept.filestore.doctor.space
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import gocept.filestore.tests.doctor
import json
import os
import pwd
import subprocess
import zope.interface.verify


class Examine(gocept.filestore.tests.doctor.Case):

    def test_findings_come_in_order(self):
        self.assertEqual(
            gocept.filestore.tests.doctor.SUBJECTS,
            [finding.subject for finding in self.examine()])

    def test_findings_keep_their_contract(self):
        (self.path / 'new' / 'link').symlink_to('nowhere')
        for finding in self.examine():
            zope.interface.verify.verifyObject(
                gocept.filestore.interfaces.IFinding, finding)
            self.assertIn(finding.verdict, ('ok', 'note', 'problem'))
            self.assertEqual(finding.verdict == 'ok', finding.remedy is None)

    def test_leaves_everything_as_it_is(self):
        self.put('new', 'a')
        before = self.state()
        self.examine()
        self.assertEqual(before, self.state())

    def state(self):
        names = gocept.filestore.tests.doctor.all_names(self.path)
        return names, (self.path / 'new' / 'a').stat()

    def test_leaves_no_file_open(self):
        self.examine()
        before = self.descriptors()
        self.examine()
        self.assertEqual(before, os.listdir('/proc/self/fd'))

    def test_leaves_nothing_when_it_is_dropped_half_way(self):
        before = gocept.filestore.tests.doctor.all_names(self.path)
        for number in range(len(gocept.filestore.tests.doctor.SUBJECTS)):
            findings = gocept.filestore.doctor.examination.examine(
                str(self.path))
            for _ in range(number):
                next(findings)
            findings.close()
            self.assertEqual(
                before, gocept.filestore.tests.doctor.all_names(self.path))

    def test_all_spaces(self):
        for name in gocept.filestore.disk.layout.ON_FIRST_USE:
            (self.path / name).mkdir()
        self.assertEqual([], [
            finding.sentence for finding in self.examine()
            if finding.verdict == 'problem'])
        self.assertEqual(
            '%r has tmp, new, cur, work, failed, attempts, voted, committed'
            % str(self.path), self.examine()[0].sentence)

    def test_path_like(self):
        self.assertEqual(
            len(gocept.filestore.tests.doctor.SUBJECTS),
            len(self.examine(self.path)))

    def test_path_can_not_be_empty(self):
        with self.assertRaises(ValueError):
            gocept.filestore.doctor.examination.examine('')


class Spaces(gocept.filestore.tests.doctor.Case):

    def only(self, path=None):
        (finding, *others) = self.examine(path)
        self.assertEqual([], others)
        self.assertEqual(('spaces', 'problem'),
                         (finding.subject, finding.verdict))
        return finding.sentence, finding.remedy

    def test_some_other_directory(self):
        (self.directory / 'other' / 'tmp').mkdir(parents=True)
        (self.directory / 'other' / 'etc').mkdir()
        path = str(self.directory / 'other')
        self.assertEqual(
            ('there is no new, cur in %r' % path,
             'filestore prepare ' + path), self.only(path))
        (self.directory / 'other' / 'tmp').rmdir()
        self.assertEqual(
            ('there is no file store in %r' % path,
             'filestore prepare ' + path), self.only(path))

    def test_no_store(self):
        path = str(self.directory / 'no store')
        sentence, remedy = self.only(path)
        self.assertEqual('there is no file store in %r' % path, sentence)
        self.assertEqual("filestore prepare '%s'" % path, remedy)
        self.follow(remedy)
        self.assertEqual([], self.look('spaces', path))

    def test_name_like_an_option(self):
        os.chdir(self.directory)
        self.addCleanup(os.chdir, '/')
        sentence, remedy = self.only('-rf')
        self.assertEqual('filestore prepare ./-rf', remedy)
        self.follow(remedy)
        self.assertEqual([], self.look('spaces', '-rf'))

    def test_link_that_leads_nowhere(self):
        path = self.directory / 'link'
        path.symlink_to('target')
        sentence, remedy = self.only(str(path))
        self.assertEqual('%r is a symbolic link that leads nowhere' % str(
            path), sentence)
        self.follow(remedy)
        self.assertEqual([], self.look('spaces', str(path)))
        self.assertEqual(
            ['cur', 'new', 'tmp'], sorted(os.listdir(
                self.directory / 'target')))

    def test_link_to_a_store(self):
        path = self.directory / 'link'
        path.symlink_to('store')
        self.assertEqual([], self.look('spaces', str(path)))

    def test_file(self):
        file = self.directory / 'file'
        file.write_text('')
        for path in (file, file / 'store'):
            self.assertEqual(
                ('%r is no directory, or does not lie in one' % str(path),
                 'name the directory of a store'), self.only(str(path)))

    def test_missing_space(self):
        (self.path / 'new').rmdir()
        (self.path / 'cur').rmdir()
        self.assertMends(
            'spaces', 'problem', 'there is no new, cur in %r' % str(self.path),
            'filestore prepare %s' % self.path)

    def test_link_in_place_of_a_space(self):
        (self.path / 'new').rename(self.directory / 'elsewhere')
        (self.path / 'new').symlink_to('../elsewhere')
        (self.directory / 'elsewhere' / 'a').write_text('a')
        self.assertMends(
            'spaces', 'problem', '%r is a symbolic link, and a store follows '
            "none; it leads to '../elsewhere'" % str(self.path / 'new'),
            'rm {0}/new && filestore prepare {0}'.format(self.path))
        self.assertEqual(['a'], os.listdir(self.directory / 'elsewhere'))

    def test_link_in_place_of_one_made_on_first_use(self):
        (self.path / 'work').symlink_to('nowhere')
        self.assertMends(
            'spaces', 'problem', '%r is a symbolic link, and a store follows '
            "none; it leads to 'nowhere'" % str(self.path / 'work'),
            'rm %s' % (self.path / 'work'))

    def test_file_in_place_of_a_space(self):
        (self.path / 'new').rmdir()
        (self.path / 'new').write_text('precious')
        self.assertMends(
            'spaces', 'problem', '%r is no directory' % str(
                self.path / 'new'),
            'mv -n -t {0} {1}/new && filestore prepare {1}'.format(
                self.directory, self.path))
        self.assertEqual('precious', (self.directory / 'new').read_text())


class Beside(gocept.filestore.tests.case.Case):

    def test_directory_in_which_a_store_lies(self):
        for store, expected in (
                ('store', '.'), ('a/store', 'a'), ('/a/store', '/a'),
                ('/store', '/'), ('./-rf', '.'), ('.', './..'),
                ('..', '../..'), ('store/', 'store/..'), ('/', '/..')):
            self.assertEqual(
                expected, gocept.filestore.doctor.finding.beside(store))


class Command(gocept.filestore.tests.case.Case):

    def shown(self, *words):
        line = gocept.filestore.doctor.finding.command(*words)
        self.assertTrue(line.isprintable(), line)
        return line

    def test_shell_gets_the_words(self):
        words = ['printf', r'%s\0', 'a b', "it's", '$HOME', '-x', 'ü', '',
                 'a\nb', '\x1b[31m', "\x01'\\", '\udcff', '\u202e', '\x7f']
        output = subprocess.check_output(
            ['bash', '-c', self.shown(*words)])
        self.assertEqual(
            [os.fsencode(word) for word in words[2:]],
            output.split(b'\0')[:-1])

    def test_plain_words_stay_as_they_are(self):
        self.assertEqual('rm store/a.xml ü', self.shown(
            'rm', 'store/a.xml', 'ü').replace("'", ''))


@gocept.filestore.tests.case.needs_root('become somebody else')
class Access(gocept.filestore.tests.doctor.Case):

    def as_nobody(self):
        with self.be_nobody():
            return self.look('access')

    def mode(self, mode, user=0, group=0):
        path = self.path / 'new'
        os.chown(path, user, group)
        path.chmod(mode)
        return path

    def setUp(self):
        super().setUp()
        for path in (self.path, self.path / 'tmp', self.path / 'cur'):
            path.chmod(0o777)
        self.nobody = gocept.filestore.tests.case.NOBODY
        self.name = pwd.getpwuid(self.nobody).pw_name

    def assertRefuses(self, remedy, path=None):
        path = str(path or self.path / 'new')
        self.assertEqual(
            [('problem', '%r can not use %r: Permission denied' % (
                self.name, path), remedy)], self.as_nobody())

    def assertLetsIn(self, remedy):
        self.assertRefuses(remedy)
        self.follow(remedy)
        self.assertEqual([], self.as_nobody())

    def test_of_us(self):
        self.assertLetsIn('chmod u+rwx %s' % self.mode(0o500, self.nobody))

    def test_of_us_and_not_to_be_read(self):
        self.assertLetsIn('chmod u+rwx %s' % self.mode(0o300, self.nobody))

    def test_of_our_group(self):
        self.assertLetsIn('chmod g+rwx %s' % self.mode(
            0o750, group=self.nobody))

    def test_of_somebody_else(self):
        self.mode(0o755)
        self.assertRefuses(
            "use the store as 'root', or share it by a group, with "
            'directories of mode 2770')

    def test_store_that_can_not_be_entered(self):
        os.chown(self.path, self.nobody, 0)
        self.path.chmod(0o600)
        with self.be_nobody():
            self.assertEqual(
                '%r has no space that can be looked at' % str(self.path),
                self.examine()[0].sentence)
        self.assertRefuses('chmod u+rwx %s' % self.path, self.path)

    def test_store_below_what_can_not_be_entered(self):
        self.path.chmod(0o700)
        with self.be_nobody():
            remedy = self.only('access', str(self.path / 'tmp'))[2]
        self.assertIn("use the store as 'root'", remedy)

    def test_no_room_for_further_spaces(self):
        self.mode(0o777)
        self.path.chmod(0o755)
        with self.be_nobody():
            self.assertEqual(
                "'%s' can not use '%s/': Permission denied" % (
                    self.name, self.path), self.only('access')[1])

    def test_all_spaces_need_no_further_room(self):
        for name in gocept.filestore.doctor.space.ALL:
            (self.path / name).mkdir(exist_ok=True)
            (self.path / name).chmod(0o777)
        self.path.chmod(0o755)
        self.assertEqual([], self.as_nobody())

    def test_where_nothing_can_be_tried_the_rest_is_looked_at(self):
        for path in (self.path, self.path / 'tmp', self.path / 'cur'):
            path.chmod(0o755)
        (self.path / 'new' / 'link').symlink_to('nowhere')
        with self.be_nobody():
            findings = self.examine()
        self.assertEqual(
            ['spaces'] + 4 * ['access'] + ['modes', 'intents', 'content'],
            [finding.subject for finding in findings])

    def test_group_without_a_name(self):
        self.assertEqual('54321', gocept.filestore.doctor.mode.group(54321))

    def test_user_without_a_name(self):
        os.chown(self.path / 'new', 54321, 54321)
        (self.path / 'new').chmod(0o700)
        with self.be_nobody():
            self.assertIn("use the store as '54321'", self.only('access')[2])


@gocept.filestore.tests.case.needs_mount()
class Mounted(gocept.filestore.tests.doctor.Case):
    """Something is mounted in the store, for one process and its children."""

    def mounted(self, subject, line):
        """Mount, and return exit status and lines as `told`."""
        return self.told(subject, 'unshare', '--mount', 'bash', '-c',
                         '%s && exec "$@"' % line, 'bash')

    def test_two_devices(self):
        self.assertEqual(
            (1, ["no file can be moved between 'store/tmp' and 'store/new': "
                 'they lie on two devices',
                 'take the files out of what is mounted there, then: umount '
                 'store/new']),
            self.mounted('device', 'mount -t tmpfs tmpfs store/new'))

    def test_two_mounts_of_one_device(self):
        # st_dev is the same, and rename(2) answers EXDEV.
        (self.path / 'work').mkdir()
        self.assertEqual(
            (1, ["no file can be moved between 'store/tmp' and 'store/work': "
                 'they are two mounts of one device',
                 'take the files out of what is mounted there, then: umount '
                 'store/work']),
            self.mounted('device', 'mount --bind store/work store/work'))

    def test_all_spaces_apart_from_the_store(self):
        (self.path / 'elsewhere').mkdir()
        line = ('mount -t tmpfs tmpfs store/elsewhere'
                ' && mkdir store/elsewhere/{tmp,new,cur}'
                ' && for i in tmp new cur'
                '; do mount --bind store/elsewhere/$i store/$i; done')
        status, found = self.mounted('device', line)
        self.assertEqual(1, status)
        apart = 'they are two mounts of one device'
        self.assertEqual([
            "no file can be moved between 'store/tmp' and '%s': %s" % words
            for words in (('store/new', apart), ('store/cur', apart),
                          ('store/', 'they lie on two devices'))], found[::2])
        self.assertEqual(
            'take the files out of what is mounted there, then: umount '
            'store/tmp', found[-1])

    def test_remedy(self):
        status, output, messages = self.filestore(
            '--mount', 'bash', '-c', 'mount --bind store/new store/new; '
            '"$@"; echo "exit status $?"; umount store/new; "$@"', 'bash',
            *gocept.filestore.tests.command.FILESTORE, 'doctor', '-q',
            'store', command=['unshare'])
        first, second = output.decode().split('exit status 1\n')
        self.assertIn('umount store/new', first)
        self.assertNotIn('device', second)

    def test_read_only(self):
        line = ('mount --bind store store'
                ' && mount -o remount,bind,ro store store')
        status, found = self.mounted('access', line)
        self.assertEqual(1, status)
        self.assertIn("can not use 'store/tmp': Read-only file system",
                      found[0])
        self.assertEqual(
            'mount -o remount,rw '
            '"$(findmnt -n -o TARGET -T store/tmp)"', found[1])
        status, found = self.mounted(
            'access', '%s && %s' % (line, found[1]))
        self.assertEqual([], found)

    def test_full(self):
        status, found = self.mounted(
            'access', 'mount -t tmpfs -o nr_inodes=4 tmpfs store'
            ' && mkdir store/{tmp,new,cur}')
        self.assertEqual(1, status)
        self.assertIn("can not use 'store/tmp': No space left on device",
                      found[0])
        self.assertEqual(
            'make room; this tells how much is left: df -h store/tmp',
            found[1])


class CommandLine(gocept.filestore.tests.doctor.Case):

    def doctor(self, *args):
        status, output, messages = self.filestore('doctor', *args)
        self.assertEqual([], messages)
        return status, output.decode().splitlines()

    def test_healthy(self):
        status, lines = self.doctor('store')
        self.assertEqual(0, status)
        self.assertIn("ok       spaces: 'store' has tmp, new, cur", lines)
        self.assertRegex(lines[-1], '^[0-9]+ ok, [0-9]+ to note, 0 wrong$')

    def test_problem(self):
        (self.path / 'new' / 'link').symlink_to('nowhere')
        status, lines = self.doctor('store')
        self.assertEqual(1, status)
        self.assertEqual([
            "problem  content: 1 symbolic link in 'store/new', never "
            "followed: 'link'",
            '         remedy: rm store/new/link'], lines[-3:-1])
        self.assertRegex(lines[-1], '^[0-9]+ ok, [0-9]+ to note, 1 wrong$')

    def test_json(self):
        (self.path / 'new' / 'link').symlink_to('nowhere')
        problem = {
            'verdict': 'problem', 'subject': 'content',
            'sentence': "1 symbolic link in 'store/new', never followed: "
                        "'link'",
            'remedy': 'rm store/new/link'}
        status, [line] = self.doctor('store', '--json')
        self.assertEqual(1, status)
        found = json.loads(line)
        self.assertIn(problem, found)
        self.assertIn('ok', {finding['verdict'] for finding in found})
        status, [line] = self.doctor('store', '--json', '-q')
        self.assertIn(problem, json.loads(line))
        self.assertNotIn('"ok"', line)

    def test_note_is_no_problem(self):
        (self.path / 'README').write_text('')
        status, lines = self.doctor('store')
        self.assertEqual(0, status)
        self.assertIn(
            "note     content: 1 thing in 'store', not a space: 'README'",
            lines)

    @gocept.filestore.tests.case.slow
    def test_quiet(self):
        (self.path / 'new' / 'link').symlink_to('nowhere')
        for option in ('-q', '--quiet'):
            status, lines = self.doctor(option, 'store')
            self.assertEqual(1, status)
            self.assertFalse([
                line for line in lines if line[:5] not in (
                    'note ', 'probl', '     ')])

    @gocept.filestore.tests.case.slow
    def test_usage(self):
        for args in ([], [''], ['store', 'store'], ['--loud', 'store']):
            status, output, messages = self.filestore('doctor', *args)
            self.assertEqual((2, b''), (status, output))

    def test_no_store(self):
        self.assertEqual(
            (1, ["problem  spaces: there is no file store in 'stroe'",
                 '         remedy: filestore prepare stroe',
                 '0 ok, 0 to note, 1 wrong']), self.doctor('stroe'))

    def test_names_do_not_garble_the_terminal(self):
        name = '\x1b[2J\n\x07\udcff\u202e'
        (self.path / 'new' / name).symlink_to('\x1b[2J')
        status, lines = self.doctor('store')
        for line in lines:
            self.assertTrue(line.isprintable(), line)
        self.follow(lines[-2].partition(': ')[2])
        self.assertEqual([], os.listdir(self.path / 'new'))

    @gocept.filestore.tests.case.slow
    def test_name_like_an_option(self):
        self.path.rename(self.directory / '-rf')
        (self.directory / '-rf' / 'new' / 'link').symlink_to('nowhere')
        self.assertIn('         remedy: rm ./-rf/new/link',
                      self.doctor('--', '-rf')[1])

    def test_nobody_reads_on(self):
        status, output, messages = self.sh('filestore doctor store | head -1')
        self.assertEqual(([], 1), (messages, len(output.splitlines())))
