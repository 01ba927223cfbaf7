"""An intake is killed at each of its steps, and another one goes on.

A step is a line of our code. Each time a process is forked that does the
same, one line more than the last time.
"""

import errno
import gocept.filestore.intake.tests.test_intake
import gocept.filestore.interfaces
import gocept.filestore.testing
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import os
import pathlib
import shutil
import tempfile
import unittest


OBSTACLE = gocept.filestore.testing.obstacle()
STEPS = """
import gocept.filestore.filestore as filestore
import gocept.filestore.tests.test_race as race
import os, signal, sys, warnings

race.VARIANTS[%r]()
warnings.simplefilter('ignore')

def dies(source, step):
    pid = os.fork()
    if not pid:
        names = {'store': filestore.FileStore(store.path, durable=False)}
        code = compile(source, 'action', 'exec')
        sys.settrace(killer(step))
        exec(code, names)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == signal.SIGKILL

def killer(step):
    def trace(frame, event, arg):
        nonlocal step
        if 'filestore' not in frame.f_code.co_filename:
            return None
        step -= event == 'line'
        if not step:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace
    return trace
"""


@gocept.filestore.tests.case.slow
class CrashCase(gocept.filestore.tests.case.Case):

    layer = gocept.filestore.tests.case.Slow
    variant = 'plain'

    marker = None

    def setUp(self):
        super().setUp()
        self.folder = self.directory / 'in'
        self.folder.mkdir()

    def each_step(self):
        """Yield once for each step at which a process has been killed."""
        source = 'store.intake(%r, 0, %r).take()' % (
            str(self.folder), self.marker)
        child = self.child()
        child.run(STEPS % self.variant)
        died, step = True, 0
        while died:
            step += 1
            shutil.rmtree(self.path)
            self.store = self.open_store()
            self.store.prepare()
            self.prepare()
            died = child.run('answer = dies(%r, %s)' % (source, step))
            yield step
        self.assertGreater(step, 10)

    def files(self, *spaces):
        """Return the contents of all files, each one once."""
        paths = [path for space in spaces
                 for path in (self.path / space).glob('[!.]*')]
        return sorted({os.stat(path).st_ino: path.read_text()
                       for path in paths}.values())

    def prepare(self):
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.drop('a', 'ours')

    def drop(self, name, content=''):
        (self.folder / name).write_text(content)

    def hide(self, content):
        """Leave a file behind as an intake does that dies."""
        (self.folder / '.filestore').mkdir()
        self.drop('.filestore/a', content)

    def go_on(self):
        return self.open_store().intake(self.folder, 0, self.marker).take()

    def everywhere(self):
        """Return the contents of all files, each one once."""
        return self.files(self.folder, self.folder / '.filestore', 'new')

    def outside(self):
        return sorted(set(os.listdir(self.folder)) - {'.filestore'})

    def check_taken(self):
        self.assertEqual(['ours'], self.files('new'))
        self.assertEqual([], self.files(self.folder / '.filestore'))
        self.assertEqual([], self.outside())

    def finish(self):
        self.open_store().claim().finish()


class Once:

    def test_folder(self):
        for _ in self.each_step():
            self.assertEqual(['ours'], self.everywhere())
            if not self.outside():
                self.drop('a', 'newer')
            self.go_on()
            self.assertEqual(['ours'], self.files('new'))
            self.finish()
            self.go_on()
            self.assertIn(self.files('new'), ([], ['newer']))
            self.assertEqual([], self.files(self.folder / '.filestore'))
            self.assertEqual([], self.outside())


class Plain(Once, CrashCase):
    pass


class ByLink(Once, CrashCase):

    variant = 'by_link'


class Several(CrashCase):
    """They are delivered together."""

    def prepare(self):
        super().prepare()
        self.drop('b', 'second')

    def test_once(self):
        for _ in self.each_step():
            self.assertEqual(['ours', 'second'], self.everywhere())
            self.go_on()
            self.assertEqual(['ours', 'second'], self.files('new'))
            self.assertEqual([], self.files(self.folder / '.filestore'))
            self.assertEqual([], self.outside())


class SeveralByLink(Several):

    variant = 'by_link'


class GoesOn(CrashCase):
    """The one who goes on dies as well."""

    def prepare(self):
        super().prepare()
        (self.folder / 'a').unlink()
        self.hide('ours')

    def test_hidden_file(self):
        for _ in self.each_step():
            self.assertEqual(['ours'], self.everywhere())
            self.go_on()
            self.check_taken()


class Twins(CrashCase):
    """A half-done move into `new` is found, and its finder dies as well."""

    variant = 'by_link'

    def prepare(self):
        super().prepare()
        (self.folder / 'a').unlink()
        self.hide('ours')
        os.link(self.folder / '.filestore' / 'a', self.path / 'new' / 'a')

    def test_second_step(self):
        for _ in self.each_step():
            self.assertEqual(['ours'], self.files('new'))
            self.go_on()
            self.check_taken()
            self.finish()
            self.assertEqual([], self.go_on())


class Marker(CrashCase):
    """What a dead process leaves behind releases no half-written file."""

    marker = '.done'

    def prepare(self):
        super().prepare()
        self.drop('a.done')
        gocept.filestore.tests.story.tick(self.folder)

    def test_writer_that_waits_until_one_of_the_two_is_gone(self):
        for _ in self.each_step():
            outside = self.outside()
            self.assertNotEqual(['a'], outside)
            if 'a' in outside:
                self.go_on()
                self.check_taken()
            else:
                self.check_half()

    def check_half(self):
        """Write a newer one, half of it first, and its marker last."""
        self.drop('a', 'half')
        self.go_on()
        self.check_new('ours')
        self.assertEqual([], self.go_on())
        self.drop('a', 'whole')
        self.drop('a.done')
        self.go_on()
        self.check_new('whole')

    def test_writer_that_is_ready_before_somebody_goes_on(self):
        for _ in self.each_step():
            if 'a' not in self.outside():
                gocept.filestore.tests.story.tick(self.folder)
                self.drop('a', 'whole')
                self.drop('a.done')
                self.go_on()
                self.check_new('ours')
                self.go_on()
                self.check_new('whole')

    def check_new(self, text):
        self.assertEqual([text], self.files('new'))
        self.finish()


@gocept.filestore.intake.tests.test_intake.needs_second_device
class AnotherDevice(CrashCase):

    def setUp(self):
        super().setUp()
        memory = gocept.filestore.intake.tests.test_intake.MEMORY
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=memory))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_at_least_once(self):
        for _ in self.each_step():
            self.assertEqual({'ours'}, set(self.everywhere()))
            # If it has been copied, it goes on when the name is free.
            while self.files('new') or self.go_on():
                self.assertEqual(['ours'], self.files('new'))
                self.finish()
            self.assertEqual([], self.everywhere())
            self.assertEqual('ours', self.read('cur', 'a'))


@unittest.skipIf(OBSTACLE, OBSTACLE)
class Fault(CrashCase):
    """Each call to the file system is answered with an error."""

    options = {'durable': True}

    def prepare(self):
        super().prepare()
        shutil.rmtree(self.path)
        self.open_store().prepare()

    def each_fault(self, times):
        """Yield each call that has failed while somebody took so often."""
        def act():
            intake, errors = self.open_store().intake(self.folder, 0), []
            for _ in range(times):
                try:
                    intake.take()
                except OSError as error:
                    errors.append(error)
            for error in [*errors, *intake.refused.values()][-1:]:
                raise error

        for call in gocept.filestore.testing.each_call(
                act, self.prepare, 'EIO'):
            with self.subTest(call):
                yield call
                self.assertEqual(['ours'], self.everywhere())
                self.go_on()
                self.check_taken()

    def test_order_of_what_a_power_cut_asks_for(self):
        calls = gocept.filestore.testing.calls(
            self.open_store().intake(self.folder, 0).take, self.prepare)
        self.assertEqual(
            ['mkdir', 'fsync', 'renameat2', 'fsync', 'renameat2', 'fsync'],
            [name for name in names(calls)
             if name in ('mkdir', 'fsync', 'renameat2')])
        directory, file, new = [
            call.text for call in calls if call.name == 'fsync']
        self.assertIn('/in>', directory)
        self.assertIn('/.filestore/a>', file)
        self.assertIn('/store/new>', new)

    def test_disk_that_fails(self):
        for call in self.each_fault(1):
            if call.name == 'fsync':
                self.assertIsInstance(
                    call.error, gocept.filestore.interfaces.NotSynced)
                self.assertNotIn('fsync', names(call.later))
            if call.error is None:
                self.check_taken()
            else:
                self.assertEqual(errno.EIO, call.error.errno)
                self.assertIsInstance(call.error.filename, str)

    def test_sync_that_has_failed_is_not_tried_again(self):
        found = []
        for call in self.each_fault(2):
            if call.name == 'fsync' and '/a>' in call.text:
                found.append(call)
                # The second time others do not wait for it any more.
                self.assertIs(OSError, type(call.error))
                self.assertEqual(errno.EIO, call.error.errno)
                self.assertNotIn('fsync', names(call.later))
        self.assertEqual(1, len(found))


def names(calls):
    return [call.name for call in calls]
