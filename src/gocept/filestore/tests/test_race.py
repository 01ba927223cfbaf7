"""Many processes at once, some of which are killed at random moments.

Each worker writes into a log, opened with O_APPEND, when it begins and ends
to own a file. The end is written before the claim is settled; of a worker
that was killed, the moment just before the signal was sent counts. So each
interval is shorter than the real one, and two that overlap prove that two
live processes have owned one file at once.
"""

import collections
import ctypes
import errno
import fcntl
import gocept.filestore.disk.move
import gocept.filestore.filestore
import gocept.filestore.queue.waiting
import gocept.filestore.tests.case
import hashlib
import os
import pathlib
import random
import re
import shutil
import subprocess
import time
import zope.testing.wait


WORK = .0005  # seconds


def main(variant, durable, keep, path, log):
    """Work until nothing is left, in one of several processes.

    Where the log lies, all see at once that the end has come.
    """
    VARIANTS[variant]()
    store = gocept.filestore.filestore.FileStore(
        path, durable=durable == 'True')
    end, log = end_of(log), os.open(log, os.O_WRONLY | os.O_APPEND)
    note(log, 'ready', '-', 0, '-')
    while not os.path.exists(end):
        work(store, log, keep == 'True')
        time.sleep(.001)  # leaves the processor to those who write
    work(store, log, keep == 'True')


def end_of(log):
    return '%s-end' % log


def work(store, log, keep):
    for claim in store.claims():
        begin = time.monotonic_ns()
        with claim.open('rb') as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        note(log, 'begin', claim.filename, begin, digest)
        time.sleep(WORK)
        note(log, 'end', claim.filename, time.monotonic_ns(), digest)
        claim.finish(keep)


def note(log, *words):
    os.write(log, ' '.join(map(str, (os.getpid(), *words, '\n'))).encode())


def plain():
    """Take the file store as it is."""


def contested():
    """Let all try each file, and leave none to others: more of them race."""
    gocept.filestore.queue.waiting.BLOCK = 0


def by_link():
    """Let each move be done as where the kernel can not do it."""
    contested()
    gocept.filestore.disk.move.noreplace.__defaults__ = (
        gocept.filestore.tests.case.invalid,)


def broken():
    """Let each process believe that it has got the lock.

    The work takes longer than to take over a file.
    """
    global WORK
    WORK = .01
    contested()
    fcntl.flock = lambda *args: None


VARIANTS = {'plain': plain, 'contested': contested, 'by_link': by_link,
            'broken': broken}


class Log:
    """What the workers have written, as intervals."""

    def __init__(self, path, kills):
        self.intervals = collections.defaultdict(list)
        self.digests = collections.defaultdict(list)
        self.runs = []  # pid, name, digest; in the order in which they began
        open_ones = {}
        for line in path.read_text().splitlines():
            pid, event, name, moment, digest = line.split()
            if event == 'begin':
                open_ones[pid, name] = int(moment)
                self.digests[name].append(digest)
                self.runs.append((int(pid), name, digest))
            elif event == 'end':
                begin = open_ones.pop((pid, name))
                self.intervals[name].append((begin, int(moment), pid))
        for (pid, name), begin in open_ones.items():
            self.intervals[name].append((begin, kills[int(pid)], pid))

    def double_owners(self):
        return [(name, first, second)
                for name, intervals in self.intervals.items()
                for first, second in pairs(sorted(intervals))
                if second[0] < first[1]]

    def again(self, kills):
        """Return what was worked on again, although its owner had lived.

        Of one that was killed, it can only be the last that he has begun.
        """
        last = {pid: (name, digest) for pid, name, digest in self.runs
                if pid in kills}
        seen, again = set(), []
        for pid, *run in self.runs:
            if (run := tuple(run)) in seen:
                again.append(run)
            if last.get(pid) != run:
                seen.add(run)
        return again


def pairs(items):
    return zip(items, items[1:], strict=False)


@gocept.filestore.tests.case.slow
class RaceCase(gocept.filestore.tests.case.Case):

    layer = gocept.filestore.tests.case.Slow
    workers = 4
    variant = 'contested'
    durable = False
    keep = True

    def setUp(self):
        super().setUp()
        self.stderr = self.enterContext(
            open(self.directory / 'stderr', 'a+b'))
        self.log = self.directory / 'log'
        self.log.write_text('')
        self.kills = {}
        self.running = []
        self.addCleanup(self.stop)

    def start(self):
        self.running.append(gocept.filestore.tests.case.start(
            __name__, self.variant, str(self.durable), str(self.keep),
            str(self.host()), str(self.log), stderr=self.stderr))

    def host(self):
        """Return where the next process finds the store."""
        return self.path

    def start_all(self, count):
        """Start several and wait until they are at work."""
        for _ in range(count):
            self.start()
        zope.testing.wait.Wait(timeout=60, wait=.01)(
            lambda: self.log.read_text().count(' ready ') >= count)

    def stop(self):
        for process in self.running:
            process.kill()
            process.wait()

    def kill_one(self, choose):
        process = self.running.pop(choose.randrange(len(self.running)))
        self.kills[process.pid] = time.monotonic_ns()
        process.kill()
        process.wait()
        self.start()

    def end(self):
        self.let_end()
        for process in self.running:
            self.assertEqual(0, process.wait(300), self.said())

    def said(self):
        """Return the last of what the workers have said."""
        self.stderr.seek(0)
        return self.stderr.read().decode(errors='replace')[-5000:]

    def let_end(self):
        pathlib.Path(end_of(self.log)).touch()

    def publish(self, count):
        digests = {}
        for number in range(count):
            name, content = 'file-%s' % number, os.urandom(100)
            with self.store.publish(name, 'wb') as file:
                file.write(content)
            digests[name] = hashlib.sha256(content).hexdigest()
        return digests

    def done(self):
        return len(os.listdir(self.path / 'cur'))

    def files(self):
        """Return what lies where, but for what the killed ones were writing.

        That is the draft of a death or of a failure, which `clean` removes.
        """
        found = {
            space: [name for name in names if not self.is_of_killed(name)]
            for space, names in self.tree().items() if space != 'attempts'}
        return {space: names for space, names in found.items() if names}

    def is_of_killed(self, name):
        found = re.search(r'\.M\d+P(\d+)Q', name)
        return found and int(found[1]) in self.kills

    def race(self, count, kills):
        """Publish, work and kill; return what should and what did come."""
        choose = random.Random()
        digests = self.publish(count)
        for _ in range(self.workers):
            self.start()
        # Spread evenly over the work, at a random moment each.
        marks = sorted(choose.uniform(0, .95) for _ in range(kills))
        for mark in marks:
            while self.done() < mark * count:
                os.sched_yield()
            self.kill_one(choose)
        self.end()
        return digests, Log(self.log, self.kills)

    def check(self, digests, log):
        self.assertEqual([], log.double_owners())
        self.assertEqual({'cur': sorted(digests)}, self.files())
        for name, digest in digests.items():
            self.assertEqual({digest}, set(log.digests[name]))
            content = (self.path / 'cur' / name).read_bytes()
            self.assertEqual(digest, hashlib.sha256(content).hexdigest())
            self.assertEqual(1, os.stat(self.path / 'cur' / name).st_nlink)


class Kernel(RaceCase):

    def test_nothing_is_lost_and_nothing_is_owned_twice_at_once(self):
        self.check(*self.race(10_000, 50))

    def test_twice_only_what_a_dead_process_has_had(self):
        digests, log = self.race(2000, 0)
        self.check(digests, log)
        self.assertEqual({1}, {len(log.intervals[name]) for name in digests})


class Blocks(RaceCase):

    variant = 'plain'

    def test_nothing_is_lost_and_nothing_is_owned_twice_at_once(self):
        self.check(*self.race(3000, 30))


class Link(RaceCase):

    variant = 'by_link'

    def test_nothing_is_lost_and_nothing_is_owned_twice_at_once(self):
        self.check(*self.race(3000, 30))


@gocept.filestore.tests.case.needs_mount('bindfs')
class MountedCase(RaceCase):
    """A real file system that answers EINVAL, of all workers together."""

    def setUp(self):
        super().setUp()
        (self.directory / 'disk').mkdir()
        (self.directory / 'mount').mkdir()
        self.mount()
        self.addCleanup(self.umount)
        self.path = self.directory / 'mount' / 'store'
        self.store = self.open_store()
        self.store.prepare()

    def mount(self):
        # Without the options, each name of a file has a lock of its own.
        subprocess.run(
            ['bindfs', '--multithreaded', '--enable-lock-forwarding',
             self.directory / 'disk', self.directory / 'mount'],
            check=True, timeout=20, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

    def umount(self):
        self.stop()
        subprocess.run(
            ['umount', '-l', self.directory / 'mount'], check=True)


class Mounted(MountedCase):

    def test_needs_the_fallback(self):
        directory = os.open(self.path / 'new', os.O_RDONLY)
        self.put('new', 'a')
        result = gocept.filestore.disk.move.renameat2(
            directory, b'a', directory, b'b', 1)
        os.close(directory)
        self.assertEqual(
            (-1, errno.EINVAL), (result, ctypes.get_errno()))

    def test_nothing_is_lost_and_nothing_is_owned_twice_at_once(self):
        self.check(*self.race(1000, 10))


class Broken(RaceCase):
    """The check can see what it is there to see."""

    variant = 'broken'

    def test_double_owners_are_seen(self):
        # Who stumbles ends; how soon is a matter of chance.
        self.assertTrue(any(self.double_owners() for _ in range(20)))

    def double_owners(self):
        self.log.write_text('')
        self.publish(500)
        self.start_all(self.workers)
        self.let_end()
        for process in self.running:
            process.wait()
        os.unlink(end_of(self.log))
        shutil.rmtree(self.path)
        self.store.prepare()
        return Log(
            self.log, collections.defaultdict(time.monotonic_ns)
        ).double_owners()


class Writers(RaceCase):
    """Some publish the same few names again and again, others work."""

    names = 5
    documents = 300
    rounds = 2000

    def write(self, source):
        """Let two processes write while the others work."""
        self.start_all(self.workers - 1)
        writers = [self.child() for _ in range(2)]
        for number, child in enumerate(writers):
            child.run(PREPARE[self.variant])
            child.run('writer, names, documents, rounds = %s, %s, %s, %s' % (
                number, self.names, self.documents, self.rounds))
        for child in writers:
            child.send(source)
        answers = [child.answer() for child in writers]
        self.end()
        log = Log(self.log, self.kills)
        self.assertEqual([], log.double_owners())
        self.assertEqual({'cur'}, set(self.tree()))
        return answers, log

    def test_last_version_of_each_name_comes_last(self):
        (first, second), log = self.write(WRITER)
        last = {**first, **second}
        self.assertEqual(sorted(last), self.tree()['cur'])
        self.check_versions(last)

    def check_versions(self, last):
        lost = {name: self.read('cur', name)[:20]
                for name, version in last.items()
                if self.read('cur', name) != version * 100}
        self.assertEqual({}, lost)

    def test_half_written_content_is_never_seen(self):
        (first, second), log = self.write(SHARER)
        seen = {digest for digests in log.digests.values()
                for digest in digests}
        self.assertLessEqual(seen, {*first, *second})
        self.assertGreater(len(seen), self.names)


class WritersByLink(Writers):
    """The older file is linked, then its name in `new` is removed.

    By then that name may lead to a newer file. In a durable store a sync lies
    between the two.
    """

    variant = 'by_link'
    durable = True


class WritersMounted(MountedCase, Writers):
    """The kernel says EEXIST without asking a file system if it can rename.

    So its answer does not tell that it can.
    """

    durable = True


PREPARE = {name: 'import %s as race; race.VARIANTS[%r]()' % (__name__, name)
           for name in VARIANTS}

# Each name has one writer, so that it is known which version is the last.
WRITER = """
answer = {}
for number in range(rounds):
    name = '%s-%s' % (writer, number * documents // rounds)
    version = '%08d' % number
    with store.publish(name, replace=True) as file:
        file.write(version * 100)
    answer[name] = version
"""

# Each name has several writers, some of which replace.
SHARER = """
import hashlib, os
answer = []
for number in range(rounds):
    content = os.urandom(8).hex() * 100
    name = str(number % names)
    try:
        with store.publish(name, replace=number % 3 > 0) as file:
            file.write(content)
    except FileExistsError:
        continue
    answer.append(hashlib.sha256(content.encode()).hexdigest())
"""
