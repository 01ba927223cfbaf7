import gocept.filestore.disk.inotify
import gocept.filestore.disk.listing
import gocept.filestore.disk.process
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.queue.watch
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import inotify_simple
import itertools
import math
import os
import select
import signal
import subprocess
import sys
import threading
import zope.interface.verify


class WatchCase(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        self.watch = self.store.watch()

    def take(self, watch=None):
        with next(watch or self.watch) as claim:
            return claim.filename

    def dies(self, source):
        child = self.child()
        child.run(source)
        child.kill()


class Watch(WatchCase):

    def test_contract(self):
        zope.interface.verify.verifyObject(
            gocept.filestore.interfaces.IWatch, self.watch)
        self.assertIs(self.watch, iter(self.watch))

    def test_what_was_there_before(self):
        for name in 'ab':
            self.put('new', name)
        self.assertEqual(['a', 'b'], [self.take(), self.take()])

    @gocept.filestore.tests.case.slow
    def test_notification_does_not_wait_for_the_next_look(self):
        watch = self.store.watch(poll=3600)
        self.put('new', 'a')
        self.take(watch)
        self.assertTrue(watch.notifies)
        for source in ('with store.publish(): pass',
                       'store.move("a", "cur", "new")',
                       'open(store.path + "/new/dropped", "w").close()'):
            child = self.child()
            child.send('import time\ntime.sleep(.05)\n' + source)
            self.take(watch)

    @gocept.filestore.tests.case.slow
    def test_bursts(self):
        watch = self.store.watch(poll=3600)
        child = self.child()
        child.send('for number in range(10000):\n'
                   '    name = "%s/new/%05d" % (store.path, number)\n'
                   '    open(name, "w").close()')
        names = {self.take(watch) for _ in range(10000)}
        self.assertEqual(10000, len(names))

    def test_what_nobody_is_told_of(self):
        watch = self.store.watch(poll=.01)
        self.put('new', 'a')
        next(watch).fail(gocept.filestore.interfaces.Retry(after=.1))
        self.assertEqual('a', self.take(watch))
        self.put('new', 'b')
        self.dies('claim = store.claim()')
        self.assertEqual('b', self.take(watch))

    def test_store_that_is_exchanged(self):
        watch = self.store.watch(poll=.01)
        self.put('new', 'a')
        self.take(watch)
        os.rename(self.path, self.directory / 'aside')
        self.store.prepare()
        thread = threading.Timer(.05, self.put, ('new', 'b'))
        thread.start()
        self.assertEqual('b', self.take(watch))
        thread.join()

    def test_child_takes_nothing_away_from_its_parent(self):
        self.put('new', 'a')
        watch = self.store.watch(poll=3600)
        self.take(watch)
        self.put('new', 'b')
        process = os.fork()
        if not process:
            self.take(watch)
            watch._wait(0)
            os._exit(0)
        self.assertEqual(0, gocept.filestore.disk.process.wait(process))
        self.assertEqual(['a', 'b'], self.tree()['cur'])
        self.assertTrue(select.select(
            [watch._watcher.notifier], [], [], 0)[0])

    def test_store_that_is_not_there(self):
        os.rename(self.path, self.directory / 'aside')
        for _ in range(2):
            with self.assertRaises(gocept.filestore.interfaces.NotPrepared):
                next(self.watch)
        os.rename(self.directory / 'aside', self.path)
        self.put('new', 'a')
        self.assertEqual('a', self.take())

    def test_working_directory_that_changes(self):
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.directory)
        store = gocept.filestore.filestore.FileStore('store', durable=False)
        os.chdir('/')
        self.put('new', 'a')
        watch = store.watch()
        self.take(watch)
        self.assertTrue(watch.notifies)

    def test_other_times(self):
        for poll in (0, -1, math.inf, math.nan):
            with self.assertRaises(ValueError):
                self.store.watch(poll=poll)

    def test_another_thread_has_told_what_is_passed_over(self):
        with self.assertNoLogs('gocept.filestore'):
            gocept.filestore.queue.watch.Pauses().tell(None)

    def check_pause(self, pause, poll, duration):
        times = itertools.count(step=duration)
        store = self.open_store(now=lambda: next(times))
        # Only the watch asks for the time from now on.
        watch = gocept.filestore.queue.watch.Watch(
            self.store.claim, store._layout, poll)
        waits = []

        def wait(seconds):
            waits.append(seconds)
            watch.stop()

        watch._wait = wait
        self.assertEqual([], list(watch))
        self.assertEqual([pause], waits)

    def test_looks_take_a_small_share_of_the_time(self):
        self.check_pause(6.25, poll=1, duration=.125)
        self.check_pause(8, poll=8, duration=.125)

    def test_but_files_do_not_wait_too_long(self):
        self.check_pause(10, poll=1, duration=1)
        self.check_pause(60, poll=60, duration=1)

    def test_leaves_no_descriptor(self):
        with self.store.publish('a'):
            pass
        self.store.claim().finish()
        before = self.descriptors()
        for _ in range(3):
            watch = self.store.watch()
            watch.stop()
            list(watch)
            self.put('new', 'a')
            watch = self.store.watch()
            self.take(watch)
        del watch
        self.assertEqual(before, os.listdir('/proc/self/fd'))


class Rest(WatchCase):
    """Nothing lies anywhere, and has not for so long that ctimes tell it."""

    def setUp(self):
        super().setUp()
        kind = gocept.filestore.disk.listing.CachedListing
        self.addCleanup(setattr, kind, 'coarse', kind.coarse)
        kind.coarse = -1
        self.store = self.open_store(in_doubt='commit')
        self.watch = self.store.watch(poll=.005)

    def during_the_rest(self, action):
        """Let something happen that nobody tells of."""
        waits, wait = itertools.count(), self.watch._wait

        def wait_once(seconds):
            if next(waits) == 5:
                action()
            return wait(seconds)

        self.watch._wait = wait_once

    def test_file_of_a_dead_process(self):
        for name in 'ab':  # at first there is no space for it
            self.during_the_rest(lambda name=name: self.put('work', name))
            self.assertEqual(name, self.take())
            gocept.filestore.tests.story.tick(self.path)

    def test_batch_of_a_dead_process(self):
        self.during_the_rest(lambda: self.dies(
            'batch = store.batch(two_phase=True)\n'
            'with batch.publish("a"): pass\n'
            'batch.vote()'))
        self.assertEqual('a', self.take())

    def test_store_that_goes_away(self):
        self.during_the_rest(
            lambda: os.rename(self.path, self.directory / 'aside'))
        with self.assertRaises(gocept.filestore.interfaces.NotPrepared):
            next(self.watch)

    @gocept.filestore.tests.case.slow
    def test_lists_nothing(self):
        self.put('new', 'a')
        looks = self.child().run(IDLE)
        self.assertEqual(100, len(looks))
        self.assertEqual({looks[-1]}, set(looks[5:]))


IDLE = """
import gocept.filestore.disk.listing
import sys

def hook(event, args):
    listings[0] += event in ('os.listdir', 'os.scandir')

def wait_once(seconds):
    answer.append(listings[0])
    if len(answer) == 100:
        watch.stop()
    return wait(seconds)

gocept.filestore.disk.listing.CachedListing.coarse = -1
listings, answer = [0], []
watch = store.watch(poll=.001)
next(watch).finish()
wait, watch._wait = watch._wait, wait_once
sys.addaudithook(hook)
_ = list(watch)
"""


class Stop(WatchCase):

    def test_while_it_waits(self):
        watch = self.store.watch(poll=3600)
        thread = threading.Timer(.05, watch.stop)
        thread.start()
        self.assertEqual([], list(watch))
        thread.join()

    @gocept.filestore.tests.case.slow
    def test_before_and_often(self):
        self.put('new', 'a')
        for _ in range(100_000):  # more than a pipe holds
            self.watch.stop()
        self.assertEqual([], list(self.watch))
        self.assertEqual(['a'], self.tree()['new'])

    def test_in_the_block(self):
        for name in 'ab':
            self.put('new', name)
        for claim in self.watch:
            with claim:
                self.watch.stop()
        self.assertEqual({'new': ['b'], 'cur': ['a']}, self.tree())

    def test_by_a_signal(self):
        child = self.child()
        child.send('import signal\n'
                   'watch = store.watch(poll=3600)\n'
                   'signal.signal(signal.SIGTERM, watch.stop)\n'
                   'open(store.path + "/cur/ready", "w").close()\n'
                   'answer = [claim.filename for claim in watch]')
        gocept.filestore.tests.story.wait(
            (self.path / 'cur' / 'ready').exists)
        child.process.send_signal(signal.SIGTERM)
        self.assertEqual([], child.answer())


@gocept.filestore.tests.case.needs_root('become somebody else')
class WithoutNotification(WatchCase):

    def test_here(self):
        (self.path / 'tmp').chmod(0o777)
        (self.path / 'new').chmod(0o777)
        tmp, new = map(self.store._layout.__getitem__, ('tmp', 'new'))
        self.put('new', 'a')
        watch = self.store.watch(poll=.01)
        instances = []
        try:
            with self.be_nobody():
                with self.assertRaises(OSError):
                    while True:
                        instances.append(inotify_simple.INotify())
                self.assertEqual(
                    (None, 'Too many open files'),
                    gocept.filestore.disk.inotify.proven(tmp, new))
                watch._watch()
        finally:
            for instance in instances:
                instance.close()
        self.assertFalse(watch.notifies)
        self.take(watch)
        thread = threading.Timer(.05, self.put, ('new', 'b'))
        thread.start()
        self.assertEqual('b', self.take(watch))
        thread.join()

    def test_directory_of_which_nobody_tells(self):
        # It is not the one to which the path leads.
        tmp, new = map(self.store._layout.__getitem__, ('tmp', 'new'))
        os.rename(self.path / 'new', self.directory / 'aside')
        (self.path / 'new').mkdir()
        self.assertEqual(
            (None, 'nobody is told of a file that comes'),
            gocept.filestore.disk.inotify.proven(tmp, new))

    def test_without_the_package(self):
        output = subprocess.run(
            [sys.executable, '-c', WITHOUT, str(self.path)], text=True,
            check=True, stdout=subprocess.PIPE,
            env=gocept.filestore.tests.case.environment()).stdout
        self.assertEqual(
            "(None, 'inotify_simple is not installed')\n", output)

    def test_looks_now_and_then(self):
        # Nobody may have more instances of inotify than a certain number.
        for path in (self.path, *self.path.iterdir()):
            path.chmod(0o777)
        self.put('new', 'a').chmod(0o666)
        child = self.child()
        answer = child.run(EXHAUSTED)
        self.assertEqual(('a', 'b', False), answer[:3])
        self.assertIn('every 0.05 seconds: Too many open files', answer[3])


WITHOUT = """
import sys
sys.modules['inotify_simple'] = None
import gocept.filestore
import gocept.filestore.disk.inotify
print(gocept.filestore.disk.inotify.proven(None, None))
"""

EXHAUSTED = """
import inotify_simple, logging, io, os
log = io.StringIO()
logging.basicConfig(stream=log, level=logging.INFO)
os.setgid(65534)
os.setuid(65534)
instances = []
try:
    while True:
        instances.append(inotify_simple.INotify())
except OSError:
    pass
watch = store.watch(poll=.05)
first = next(watch)
first.finish()
pid = os.fork()
if pid == 0:
    with store.publish('b'):
        pass
    os._exit(0)
second = next(watch)
answer = first.filename, second.filename, watch.notifies, log.getvalue()
second.finish()
_ = os.waitpid(pid, 0)
"""
