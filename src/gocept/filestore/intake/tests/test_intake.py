import gocept.filestore.disk.writing
import gocept.filestore.intake.folder
import gocept.filestore.intake.intake
import gocept.filestore.intake.marker
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import os
import pathlib
import select
import shutil
import signal
import socket
import tempfile
import unittest
import zope.interface.verify
import zope.testing.wait


MEMORY = pathlib.Path('/dev/shm')
LONG = 3600  # seconds, a quiet period that does not pass


def has_second_device():
    return MEMORY.is_dir() and (
        os.stat(MEMORY).st_dev != os.stat(tempfile.gettempdir()).st_dev)


needs_second_device = unittest.skipUnless(
    has_second_device(), 'there is no second device at %s' % MEMORY)


class Clock:
    """A clock that goes on when it is told to."""

    time = 1000
    step = 0

    def __call__(self):
        self.time += self.step
        return self.time


class IntakeCase(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        self.folder = self.directory / 'in'
        self.folder.mkdir()

    def intake(self, quiet=0, **kw):
        return self.store.intake(self.folder, quiet, **kw)

    def timed(self, **kw):
        """Return an intake with a quiet period of 5, and its clock."""
        clock = Clock()
        layout = self.open_store(now=clock)._layout
        return clock, gocept.filestore.intake.intake.Intake(
            layout, gocept.filestore.intake.folder.Folder(
                self.folder, layout), **kw)

    def take(self, **kw):
        return self.intake(**kw).take()

    def drop(self, name, content='content'):
        path = self.folder / name
        path.write_text(content)
        return path

    def writer(self, name='a', mode='w'):
        """Start a process that writes a file and does not close it."""
        child = self.child()
        child.run('import os\n'
                  'file = open(%r, %r, buffering=1)\n'
                  'answer = file.write("begin\\n")' % (
                      str(self.folder / name), mode))
        return child

    def hidden(self):
        return sorted(set(os.listdir(self.folder / '.filestore')) - {'.lock'})

    def outside(self):
        return sorted(set(os.listdir(self.folder)) - {'.filestore'})

    def assertTaken(self, names, intake):
        self.assertEqual(names, intake.take())

    def assertWaiting(self, intake, **reasons):
        self.assertEqual([], intake.take())
        self.assertEqual(reasons, intake.waiting)
        self.assertEqual({}, intake.refused)

    def assertRefused(self, intake, name, class_, reason):
        self.assertEqual([], intake.take())
        self.assertEqual([name], list(intake.refused))
        error = intake.refused[name]
        self.assertIs(class_, type(error))
        self.assertIn(reason, str(error))
        self.assertIn(repr(name), str(error))
        self.assertIsNone(error.__traceback__)


class Rest(IntakeCase):
    """What is not ready costs nothing until something happens."""

    def setUp(self):
        super().setUp()
        # Looks of which nobody has told come after days.
        module = gocept.filestore.intake.intake
        self.addCleanup(setattr, module, 'LITTLE', module.LITTLE)
        module.LITTLE = 1e-9

    def watched(self, *args, **kw):
        intake = self.intake(*args, **kw)
        intake.watch()
        self.assertTaken([], intake)
        return intake

    def is_told(self, intake):
        return bool(select.select([intake.changes], [], [], 0)[0])

    def assertRests(self, intake):
        self.assertFalse(self.is_told(intake))
        self.assertLess(LONG, intake.pause)

    def assertTold(self, intake, *names):
        self.assertTrue(self.is_told(intake))
        self.assertTaken([*names], intake)

    def test_is_it_that_somebody_tells(self):
        intake = self.intake()
        self.assertTaken([], intake)
        self.assertIsNone(intake.changes)
        self.assertLess(intake.pause, LONG)

    def test_young(self):
        clock, intake = self.timed(quiet=LONG)
        intake.watch()
        self.drop('a')
        self.assertTaken([], intake)
        clock.step = .001
        for passed in (100, 3000):
            clock.time = 1000 + passed
            self.assertTaken([], intake)
            self.assertAlmostEqual(LONG - passed, intake.pause, delta=1)
        clock.time += intake.pause
        self.assertTaken(['a'], intake)
        self.assertRests(intake)

    def test_gone_since_they_were_listed(self):
        self.drop('a')
        intake = self.watched(marker='.done')
        entries = list(os.scandir(self.folder))
        (self.folder / 'a').unlink()
        self.assertEqual([], list(intake._looked_at(entries)))
        self.assertEqual({}, intake.refused)
        self.assertEqual(gocept.filestore.intake.marker.MISSING,
                         intake._marker.objection('a'))

    def test_without_a_marker(self):
        self.drop('a')
        (self.folder / 'directory').mkdir()
        intake = self.watched(marker='.done')
        self.assertRests(intake)
        self.drop('a.done')
        self.assertTold(intake, 'a')

    def test_excluded(self):
        path = self.drop('a.part')
        intake = self.watched(exclude=['*.part'])
        self.assertRests(intake)
        path.rename(self.folder / 'a')
        self.assertTold(intake, 'a')

    def test_hidden(self):
        path = self.drop('.a')
        intake = self.watched()
        self.assertRests(intake)
        path.rename(self.folder / 'a')
        self.assertTold(intake, 'a')

    def test_second_name(self):
        os.link(self.drop('a'), self.directory / 'elsewhere')
        intake = self.watched()
        self.assertTaken([], intake)  # its quiet period is over since then
        self.assertRests(intake)
        (self.directory / 'elsewhere').unlink()  # of which nobody tells
        self.assertTaken(['a'], intake)

    def test_written(self):
        with open(self.folder / 'a', 'w'):
            intake = self.watched()
            # Its writer may just be about to close it.
            self.assertEqual(0, intake.pause)
            self.assertTaken([], intake)
            self.assertRests(intake)
        self.assertTold(intake, 'a')

    def test_two_of_them(self):
        intake = self.watched()
        with intake._folder.lock():
            self.drop('a')
            self.assertTaken([], intake)
            self.assertEqual(0, intake.pause)

    def test_folder_that_is_exchanged(self):
        intake = self.watched()
        self.folder.rename(self.directory / 'aside')
        self.folder.mkdir()
        self.assertTaken([], intake)
        self.assertRests(intake)
        self.drop('a')
        self.assertTold(intake, 'a')

    def test_where_others_may_change_it_unseen(self):
        intake = self.intake()
        intake.watch()
        intake._folder.lock().release()
        intake._folder.inside.is_local = False
        self.assertTaken([], intake)
        self.assertIsNone(intake.changes)
        self.assertLess(intake.pause, LONG)

    def test_collector(self):
        child = self.child()
        child.send(COLLECTOR % str(self.folder))
        for name in ('a', 'b'):
            gocept.filestore.tests.story.wait(
                (self.folder / '.filestore' / '.lock').exists)
            self.drop('.' + name).rename(self.folder / name)
            gocept.filestore.tests.story.wait(
                (self.path / 'new' / name).exists)
        child.process.send_signal(signal.SIGTERM)
        self.assertEqual(2, child.answer())


COLLECTOR = """
import gocept.filestore.server.collector
import gocept.filestore.intake.intake
import signal
gocept.filestore.intake.intake.LITTLE = 1e-9
collector = gocept.filestore.server.collector.Collector(
    store.intake(%r, .05), .05, watch=True, poll=.01)
signal.signal(signal.SIGTERM, collector.stop)
collector.run()
answer = collector.taken
"""


class Take(IntakeCase):

    def test_moves_into_new(self):
        inode = os.stat(self.drop('a')).st_ino
        self.assertEqual(['a'], self.take())
        self.assertEqual({'new': ['a']}, self.tree())
        self.assertEqual(inode, os.stat(self.path / 'new' / 'a').st_ino)
        self.assertEqual([], self.outside())
        self.assertEqual([], self.hidden())

    def test_nothing_there(self):
        intake = self.intake()
        self.assertWaiting(intake)
        self.assertIsNone(intake.leases)

    def test_oldest_change_first(self):
        for name in 'cab':
            self.drop(name)
            gocept.filestore.tests.story.tick(self.folder)
        os.utime(self.folder / 'c')  # changes it, too
        self.assertEqual([*'abc'], self.take())

    def test_then_by_name(self):
        for number in range(50):
            self.drop('%02d' % number)
        found = sorted(
            os.scandir(self.folder),
            key=lambda entry: (entry.stat().st_ctime_ns, entry.name))
        names = [entry.name for entry in found if entry.name[0] != '.']
        self.assertEqual(names, self.take())

    def test_hidden_ones_first(self):
        intake = self.intake()
        self.put('new', 'z', 'older')
        self.drop('z')
        intake.take()
        self.drop('a')
        gocept.filestore.tests.story.tick(self.folder)
        os.utime(self.folder / '.filestore' / 'z')
        self.store.claim().finish()
        self.assertTaken(['z', 'a'], intake)

    def test_directories_and_hidden_files_are_no_files(self):
        (self.folder / 'directory').mkdir()
        self.drop('.hidden')
        intake = self.intake()
        self.assertWaiting(intake)
        self.assertEqual(['.hidden', 'directory'], self.outside())

    def test_patterns(self):
        for name in ('a.xml', 'b.XML', 'c.txt', 'd.xml', 'e.xml.part'):
            self.drop(name)
        self.assertEqual(['a.xml', 'c.txt'], sorted(self.take(
            include=['*.xml', '?.txt'], exclude=['d*', '*.part'])))
        self.assertEqual(['b.XML', 'd.xml', 'e.xml.part'], self.outside())

    def test_any_iterable_of_patterns(self):
        self.drop('a.xml')
        self.drop('b.txt')
        intake = self.intake(include=iter(['*.xml']), exclude=iter(['x']))
        self.assertTaken(['a.xml'], intake)
        self.assertTaken([], intake)

    def test_one_string_is_no_sequence_of_patterns(self):
        for option in ('include', 'exclude'):
            with self.assertRaises(TypeError):
                self.intake(**{option: '*.xml'})

    def test_odd_names(self):
        names = ['a b', 'a\nb', '-rf', '~', '\udcff', 'ä' * 127]
        for name in names:
            self.drop(name)
        self.assertEqual(sorted(names), sorted(self.take()))
        self.assertEqual([], self.outside())

    def test_folder_reached_through_a_link(self):
        self.drop('a')
        link = self.directory / 'link'
        link.symlink_to(self.folder)
        intake = self.store.intake(str(link), 0)
        self.assertTaken(['a'], intake)
        self.assertEqual(str(link), intake.directory)

    def test_relative_path_stays_where_it_was(self):
        self.drop('a')
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.directory)
        intake = self.store.intake('in', 0)
        os.chdir('/')
        self.assertTaken(['a'], intake)

    def test_folder_that_is_exchanged(self):
        intake = self.intake()
        intake.take()
        self.folder.rename(self.directory / 'aside')
        self.folder.mkdir()
        self.drop('a')
        self.assertTaken(['a'], intake)

    def test_hidden_directory_is_removed(self):
        intake = self.intake()
        intake.take()
        shutil.rmtree(self.folder / '.filestore')
        self.drop('a')
        self.assertTaken(['a'], intake)

    def test_lock_is_removed(self):
        intake = self.intake()
        intake.take()
        (self.folder / '.filestore' / '.lock').unlink()
        self.drop('a')
        self.assertTaken(['a'], intake)

    def test_leaves_no_descriptor(self):
        intake = self.intake()
        intake.take()
        before = self.descriptors()
        self.drop('a')
        (self.folder / 'link').symlink_to('a')
        self.put('new', 'b')
        self.drop('b')
        intake.take()
        self.assertEqual(before, os.listdir('/proc/self/fd'))

    def test_contract(self):
        self.assertTrue(zope.interface.verify.verifyObject(
            gocept.filestore.interfaces.IIntake, self.intake()))

    def test_claims_come_in_the_same_order(self):
        for name in 'cab':
            self.drop(name)
            gocept.filestore.tests.story.tick(self.folder)
        writer = self.writer('z')
        intake = self.intake()
        intake.take()
        gocept.filestore.tests.story.tick(self.folder)
        writer.run('file.close()')
        intake.take()
        found = []
        for claim in self.store.claims():
            found.append(claim.filename)
            claim.finish()
        self.assertEqual('z', found[-1])
        self.assertEqual([*'abc'], sorted(found[:-1]))


class Writing(IntakeCase):

    def test_open_file_keeps_its_path_until_it_is_closed(self):
        writer = self.writer()
        intake = self.intake()
        self.assertWaiting(intake, a=gocept.filestore.intake.intake.WRITTEN)
        self.assertIs(True, intake.leases)
        self.assertEqual(['a'], self.outside())
        writer.run('file.write("end")\n'
                   'os.chmod(file.name, 0o640)\n'
                   'os.rename(file.name, file.name + ".xml")')
        self.assertWaiting(
            intake, **{'a.xml': gocept.filestore.intake.intake.WRITTEN})
        writer.run('file.close()')
        self.assertTaken(['a.xml'], intake)
        self.assertEqual('begin\nend', self.read('new', 'a.xml'))

    def test_file_that_is_opened_while_it_is_taken(self):
        self.drop('a')
        intake, writer = self.intake(), self.child()
        hide = intake._folder._hide

        def slowly(filename):
            writer.send('import os\n'
                        'file = open(%r, "a")\n'
                        'os.chmod(file.name, 0o640)\n'
                        'answer = "done"' % str(self.folder / 'a'))
            with open(self.folder / 'a') as file:
                zope.testing.wait.wait(lambda: self.is_awaited(file))
            hide(filename)

        intake._folder._hide = slowly
        self.assertWaiting(intake, a=gocept.filestore.intake.intake.WRITTEN)
        self.assertEqual((['a'], []), (self.outside(), self.hidden()))
        self.assertEqual('done', writer.answer())
        self.assertMode(0o640, self.folder / 'a')

    def is_awaited(self, file):
        """Tell whether a lease is about to be broken, on this one's inode."""
        inode = ':%s ' % os.stat(file.fileno()).st_ino
        with open('/proc/locks') as locks:
            return any(
                inode in line and 'BREAKING' in line for line in locks)

    def hide(self, name='a'):
        """Hide a file as an intake does."""
        (self.folder / name).rename(self.folder / '.filestore' / name)

    def test_hidden_one_gets_its_path_back(self):
        intake = self.intake()
        intake.take()
        writer = self.writer()
        self.hide()
        self.assertWaiting(intake, a=gocept.filestore.intake.intake.WRITTEN)
        self.assertEqual((['a'], []), (self.outside(), self.hidden()))
        writer.run('file.close()')
        self.assertTaken(['a'], intake)

    def test_whether_its_name_is_taken_or_not(self):
        intake = self.intake()
        intake.take()
        self.writer()
        self.hide()
        self.put('new', 'a', 'older')
        self.assertWaiting(intake, a=gocept.filestore.intake.intake.WRITTEN)
        self.assertEqual(['a'], self.outside())

    def test_does_not_wait_for_its_writer(self):
        self.writer()
        self.drop('b')
        with self.no_blocking():
            self.assertEqual(['b'], self.take())

    def test_writer_with_a_lease(self):
        # As a Samba server has: who opens the file would have to wait.
        path = self.drop('a')
        child = self.child()
        child.run('import fcntl, signal\n'
                  'signal.signal(signal.SIGIO, signal.SIG_IGN)\n'
                  'file = open(%r, "r+")\n'
                  'fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)'
                  % str(path))
        intake = self.intake()
        with self.no_blocking():
            self.assertWaiting(intake,
                               a=gocept.filestore.intake.intake.WRITTEN)
        self.assertEqual(['a'], self.outside())
        child.kill()
        self.assertTaken(['a'], intake)

    def test_another_intake_goes_on(self):
        self.put('new', 'a', 'older')
        self.drop('a')
        self.intake().take()
        self.store.claim().finish()
        self.assertTaken(['a'], self.intake(quiet=LONG))

    def test_newer_one_of_its_name_waits_in_the_folder(self):
        intake = self.intake()
        intake.take()
        writer = self.writer()
        self.hide()
        self.drop('a', 'newer')
        self.assertWaiting(intake, a=gocept.filestore.intake.intake.WRITTEN)
        self.assertEqual(['a'], self.outside())
        writer.run('file.close()')
        self.assertTaken(['a'], intake)
        self.assertEqual('begin\n', self.read('new', 'a'))
        self.assertWaiting(intake, a=gocept.filestore.intake.intake.TAKEN)
        self.store.claim().finish()
        self.assertTaken(['a'], intake)
        self.assertEqual('newer', self.read('new', 'a'))


class Unsure(IntakeCase):
    """Nobody can tell who writes: the files are somebody else's."""

    def setUp(self):
        super().setUp()
        self.folder.chmod(0o777)
        for space in ('tmp', 'new', 'cur'):
            (self.path / space).chmod(0o777)

    @gocept.filestore.tests.case.needs_root('be two users')
    def test_second_quiet_period(self):
        self.drop('a')
        clock, intake = self.timed()
        with self.be_nobody():
            self.assertWaiting(intake,
                               a=gocept.filestore.intake.intake.CHANGED)
            clock.time += 5
            self.assertWaiting(intake, a=gocept.filestore.intake.intake.UNSURE)
            self.assertIs(False, intake.leases)
            self.assertEqual([], self.outside())
            clock.time += 4
            self.assertWaiting(intake, a=gocept.filestore.intake.intake.UNSURE)
            clock.time += 1
            self.assertTaken(['a'], intake)
        self.assertEqual({}, intake._parked._seen)

    @gocept.filestore.tests.case.needs_root('be two users')
    def test_is_put_back_when_it_changes(self):
        writer = self.writer()
        clock, intake = self.timed()
        with self.be_nobody():
            intake.take()
            clock.time += 5
            self.assertWaiting(intake, a=gocept.filestore.intake.intake.UNSURE)
            self.assertEqual(['a'], self.hidden())
            clock.time += 4
            writer.run('file.write("more")\nfile.flush()')
            self.assertWaiting(
                intake, a=gocept.filestore.intake.intake.WRITTEN)
            self.assertEqual(['a'], self.outside())
            writer.run('os.rename(file.name, file.name + ".xml")')
            for reason in (gocept.filestore.intake.intake.CHANGED,
                           gocept.filestore.intake.intake.UNSURE):
                self.assertWaiting(intake, **{'a.xml': reason})
                clock.time += 5
            self.assertTaken(['a.xml'], intake)

    @gocept.filestore.tests.case.needs_root('be two users')
    def test_is_hidden_again_after_that(self):
        writer = self.writer()
        clock, intake = self.timed()
        with self.be_nobody():
            intake.take()
            clock.time += 5
            for _ in range(3):
                self.assertWaiting(
                    intake, a=gocept.filestore.intake.intake.UNSURE)
                writer.run('file.write("more")\nfile.flush()')
                self.assertWaiting(
                    intake, a=gocept.filestore.intake.intake.WRITTEN)
                clock.time += 5
            self.assertWaiting(intake, a=gocept.filestore.intake.intake.UNSURE)
            clock.time += 5
            self.assertTaken(['a'], intake)

    @gocept.filestore.tests.case.needs_root('be two users')
    def test_marker_is_believed(self):
        self.drop('a')
        self.drop('a.done')
        with self.be_nobody():
            intake = self.intake(quiet=LONG, marker='.done')
            self.assertTaken(['a'], intake)
        self.assertIs(False, intake.leases)

    @gocept.filestore.tests.case.needs_root('be two users')
    def test_file_mode_makes_a_copy(self):
        self.drop('a').chmod(0o644)
        inode = os.stat(self.folder / 'a').st_ino
        self.store = self.open_store(file_mode=0o660)
        with self.be_nobody():
            self.assertEqual(['a'], self.take())
        self.assertMode(0o660, self.path / 'new' / 'a')
        self.assertNotEqual(inode, os.stat(self.path / 'new' / 'a').st_ino)
        self.assertEqual('content', self.read('new', 'a'))
        self.assertEqual([], self.hidden())
        self.assertEqual({'new': ['a']}, self.tree())


class QuietPeriod(IntakeCase):

    def setUp(self):
        super().setUp()
        self.clock, self.timed_intake = self.timed()

    def assertChanged(self):
        self.assertWaiting(
            self.timed_intake, a=gocept.filestore.intake.intake.CHANGED)

    def test_from_when_it_was_first_seen(self):
        os.utime(self.drop('a'), (1, 1))
        self.assertChanged()
        self.clock.time += 4.9
        self.assertChanged()
        self.assertEqual(['a'], self.outside())
        self.clock.time += 0.1
        self.assertTaken(['a'], self.timed_intake)

    def assertBeginsAnew(self, change):
        self.drop('a')
        self.assertChanged()
        self.clock.time += 4
        gocept.filestore.tests.story.tick(self.folder)
        change(self.folder / 'a')
        self.assertChanged()
        self.clock.time += 4
        self.assertChanged()
        self.clock.time += 1
        self.assertTaken(['a'], self.timed_intake)

    def test_writer_that_opens_it_again(self):
        def append(path):
            with open(path, 'a') as file:
                file.write('more')

        self.assertBeginsAnew(append)

    def test_same_size(self):
        self.assertBeginsAnew(lambda path: path.write_text('CONTENT'))

    def test_size_and_mtime_as_before(self):
        status = os.stat(self.drop('a'))

        def disguise(path):
            path.write_text('CONTENT')
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

        os.utime(self.folder / 'a', ns=(1, status.st_mtime_ns))
        self.assertBeginsAnew(disguise)

    def test_another_file(self):
        def replace(path):
            other = self.directory / 'other'
            other.write_text('content')
            other.replace(path)

        self.assertBeginsAnew(replace)

    def test_file_that_was_away(self):
        path = self.drop('a')
        self.assertChanged()
        self.clock.time += 4
        path.rename(self.folder / '.a')
        self.assertWaiting(self.timed_intake)
        (self.folder / '.a').rename(path)
        self.clock.time += 1
        self.assertChanged()

    def test_goes_on_while_others_are_taken(self):
        self.drop('a')
        self.assertChanged()
        self.clock.time += 3
        self.drop('b')
        self.timed_intake.take()
        self.clock.time += 2
        self.assertTaken(['a'], self.timed_intake)
        self.clock.time += 3
        self.assertTaken(['b'], self.timed_intake)

    def test_by_default_five_seconds_of_a_real_clock(self):
        self.drop('a')
        intake = self.store.intake(self.folder)
        self.assertWaiting(intake, a=gocept.filestore.intake.intake.CHANGED)

    def test_remembers_no_file_that_is_gone(self):
        self.drop('a')
        self.timed_intake.take()
        self.clock.time += 5
        self.assertTaken(['a'], self.timed_intake)
        self.timed_intake.take()
        self.assertEqual({}, self.timed_intake._outside._seen)

    def test_forgets_what_is_gone(self):
        quiet = gocept.filestore.disk.writing.Quiet(5, self.clock)
        status = os.stat(self.folder)
        quiet.has_passed('a', status)
        quiet.has_passed('b', status)
        self.clock.time += 5
        quiet.keep(['b'])
        self.assertFalse(quiet.has_passed('a', status))
        self.assertTrue(quiet.has_passed('b', status))


class NameTaken(IntakeCase):

    def test_stays_hidden_until_its_name_is_free(self):
        self.put('new', 'a', 'older')
        self.drop('a')
        intake = self.intake()
        self.assertWaiting(intake, a=gocept.filestore.intake.intake.TAKEN)
        self.assertEqual('older', self.read('new', 'a'))
        self.assertEqual(['a'], self.hidden())
        self.store.claim().finish()
        self.assertTaken(['a'], intake)

    def test_does_not_keep_others(self):
        self.put('new', 'a')
        self.drop('a')
        self.drop('b')
        self.assertEqual(['b'], self.take())

    def test_file_in_work_is_no_obstacle(self):
        self.put('new', 'a', 'older')
        claim = self.store.claim()
        self.drop('a', 'newer')
        self.assertEqual(['a'], self.take())
        self.assertEqual('newer', self.read('new', 'a'))
        claim.finish()

    def test_name_that_is_taken_at_the_last_moment(self):
        intake = self.intake()
        intake.take()
        path = self.folder / '.filestore' / 'a'
        path.write_text('newer')
        self.put('new', 'a', 'older')
        with intake._delivery.together(), open(path, 'rb') as file:
            intake._delivery.deliver('a', file)
        self.assertEqual(
            {'a': gocept.filestore.intake.intake.TAKEN}, intake.waiting)
        self.assertEqual(['a'], self.hidden())
        self.assertEqual('older', self.read('new', 'a'))


class Refused(IntakeCase):

    def test_symbolic_link(self):
        self.drop('a')
        (self.folder / 'link').symlink_to('/etc/passwd')
        intake = self.intake(exclude=['a'])
        self.assertRefused(
            intake, 'link', gocept.filestore.interfaces.NotRegular,
            "it is a symbolic link, in '%s'" % self.folder)
        self.assertEqual(['a', 'link'], self.outside())
        self.assertEqual([], self.hidden())

    def test_pipe(self):
        os.mkfifo(self.folder / 'pipe')
        with self.no_blocking():
            self.assertRefused(
                self.intake(), 'pipe',
                gocept.filestore.interfaces.NotRegular, 'no regular file')

    def test_socket(self):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(self.folder / 'socket'))
            self.assertRefused(
                self.intake(), 'socket',
                gocept.filestore.interfaces.NotRegular, 'a socket')

    @gocept.filestore.tests.case.needs_root('make a device')
    def test_device(self):
        os.mknod(self.folder / 'null', 0o020666, os.makedev(1, 3))
        self.assertRefused(
            self.intake(), 'null', gocept.filestore.interfaces.NotRegular,
            'no regular file')

    def test_file_with_another_name(self):
        other = self.directory / 'other'
        os.link(self.drop('a'), other)
        intake = self.intake()
        self.assertRefused(
            intake, 'a', gocept.filestore.interfaces.NotRegular,
            'it has another name elsewhere')
        other.unlink()
        self.assertTaken(['a'], intake)
        self.assertEqual({}, intake.refused)

    def test_its_quiet_period_begins_when_the_other_name_has_gone(self):
        other = self.directory / 'other'
        os.link(self.drop('a'), other)
        clock, intake = self.timed()
        intake.take()
        clock.time += 5
        self.assertRefused(
            intake, 'a', gocept.filestore.interfaces.NotRegular, 'elsewhere')
        other.unlink()
        self.assertWaiting(intake, a=gocept.filestore.intake.intake.CHANGED)

    def test_hidden_file_that_gets_another_name(self):
        other = self.directory / 'other'
        self.put('new', 'a', 'older')
        self.drop('a')
        intake = self.intake()
        intake.take()
        os.link(self.folder / '.filestore' / 'a', other)
        self.store.claim().finish(keep=False)
        self.assertRefused(
            intake, 'a', gocept.filestore.interfaces.NotRegular, 'elsewhere')
        self.assertEqual({}, self.tree())
        other.unlink()
        self.assertTaken(['a'], intake)

    def test_hidden_link(self):
        # The folder's file was replaced between looking and renaming.
        intake = self.intake()
        intake.take()
        (self.folder / '.filestore' / 'a').symlink_to('/etc/passwd')
        self.assertRefused(
            intake, 'a', gocept.filestore.interfaces.NotRegular,
            "it is a symbolic link, in '%s/.filestore'" % self.folder)
        self.assertEqual({}, self.tree())

    def test_does_not_keep_others(self):
        (self.folder / 'a').symlink_to('b')
        self.drop('b')
        intake = self.intake()
        self.assertTaken(['b'], intake)
        self.assertEqual(['a'], list(intake.refused))

    def test_file_that_may_not_be_read(self):
        self.folder.chmod(0o777)
        (self.path / 'new').chmod(0o777)
        path = self.drop('a')
        path.chmod(0o000)
        self.assertForbidden(self.intake(), path)
        self.assertEqual(['a'], self.outside())

    def assertForbidden(self, intake, path):
        with self.be_nobody():
            self.assertTaken([], intake)
        self.assertIs(PermissionError, type(intake.refused['a']))
        self.assertEqual(str(path), intake.refused['a'].filename)

    def test_name_that_a_store_can_not_have(self):
        # Some file systems have longer ones than others.
        intake = self.intake()
        intake.take()
        self.drop('.a')
        with self.assertRaises(gocept.filestore.interfaces.InvalidName):
            intake._folder.park('.a')
        self.assertEqual(['.a'], self.outside())

    def test_removed_in_between(self):
        intake = self.intake()
        intake.take()
        with intake._noted('a'):
            intake._folder.park('a')
        self.assertEqual(({}, {}), (intake.waiting, intake.refused))

    def test_new_may_not_be_written_to(self):
        self.folder.chmod(0o777)
        self.drop('a').chmod(0o644)
        intake = self.intake()
        self.forbid(self.path / 'new')
        self.assertForbidden(intake, self.folder / '.filestore' / 'a')
        (self.path / 'new').chmod(0o777)
        with self.be_nobody():
            self.assertTaken(['a'], intake)


class Meanwhile(IntakeCase):

    def test_changed_since_it_was_listed(self):
        clock, intake = self.timed(quiet=5)
        os.utime(self.drop('a'), (1, 1))
        second = self.drop('b')
        self.assertEqual([], intake.take())
        clock.time += 5
        publish = intake._publish

        def slowly(filename):
            second.write_text('more')
            return publish(filename)

        intake._publish = slowly
        self.assertEqual(['a'], intake.take())
        self.assertEqual(['b'], list(intake.waiting))

    def test_gone_since_it_was_listed(self):
        self.drop('a')
        second = self.drop('b')
        gocept.filestore.tests.story.tick(self.directory)
        second.chmod(0o600)
        intake = self.intake()
        publish = intake._publish

        def slowly(filename):
            second.unlink()
            return publish(filename)

        intake._publish = slowly
        self.assertEqual(['a'], intake.take())
        self.assertEqual({}, intake.waiting)
