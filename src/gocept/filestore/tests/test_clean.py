import contextlib
import datetime
import errno
import fcntl
import gocept.filestore.clean
import gocept.filestore.disk.name
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.retry.removal
import gocept.filestore.retry.tests.test_attempt
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import math
import os
import random
import subprocess
import sys
import time


NO_PAPER = gocept.filestore.interfaces.Reject('no paper')
HOUR = 3600


class CleanCase(gocept.filestore.retry.tests.test_attempt.AttemptCase):

    def clean_at(self, clock, space, older_than=None):
        self.clock = clock
        return gocept.filestore.clean.clean(
            self.attempts, self.intents, space, older_than)

    def arrival(self, space, name):
        return os.stat(self.path / space / name).st_ctime

    def give_up(self, name='a', content='content'):
        self.put('new', name, content)
        for claim in self.store.claims():
            claim.fail(NO_PAPER)


class Age(CleanCase):

    def test_older_than(self):
        self.put('cur', 'a')
        arrival = self.arrival('cur', 'a')
        self.assertEqual([], self.clean_at(arrival + 9, 'cur', 10))
        self.assertEqual(['a'], self.clean_at(arrival + 11, 'cur', 10))
        self.assertEqual({}, self.tree())
        self.assertEqual([], self.clean_at(arrival + 11, 'cur', 10))

    def test_default_for_drafts(self):
        self.put('tmp', 'a')
        arrival = self.arrival('tmp', 'a')
        self.assertEqual([], self.clean_at(arrival + 36 * HOUR - 1, 'tmp'))
        self.assertEqual(['a'], self.clean_at(arrival + 36 * HOUR + 1, 'tmp'))

    def test_no_default_for_others(self):
        for space in ('cur', 'failed'):
            with self.assertRaises(ValueError) as raised:
                self.store.clean(space)
            self.assertIn(repr(space), str(raised.exception))

    def test_timedelta(self):
        self.put('cur', 'a')
        arrival = self.arrival('cur', 'a')
        age = datetime.timedelta(days=30)
        for clock, names in ((arrival + 30 * 24 * HOUR - 1, []),
                             (arrival + 30 * 24 * HOUR + 1, ['a'])):
            self.assertEqual(names, self.clean_at(clock, 'cur', age))

    def test_counts_from_when_it_came_there(self):
        # Whatever its mtime says.
        os.utime(self.put('new', 'a'), (0, 0))
        self.store.claim().finish()
        self.assertEqual([], self.store.clean('cur', HOUR))
        self.assertEqual(['a'], self.store.clean('cur', 0))

    def test_oldest_first(self):
        for name in 'cab':
            self.put('cur', name)
            gocept.filestore.tests.story.tick(self.path)
        self.assertEqual(['c', 'a', 'b'], self.store.clean('cur', 0))

    def test_all_and_none(self):
        self.put('cur', 'a')
        for age in (10 ** 12, math.inf, datetime.timedelta.max, math.nan):
            self.assertEqual([], self.store.clean('cur', age))
        self.assertEqual(['a'], self.store.clean('cur', -HOUR))

    def test_clock_that_jumps(self):
        self.put('cur', 'a')
        self.assertEqual([], self.clean_at(0, 'cur', 0))
        self.assertEqual(['a'], self.clean_at(10 ** 11, 'cur', HOUR))


class Spaces(CleanCase):

    def test_each(self):
        for space in ('tmp', 'cur', 'failed'):
            self.put(space, 'a')
            self.put(space, 'b')
        self.put('new', 'a')
        self.put('attempts', 'x', '')
        for space in ('tmp', 'cur', 'failed'):
            self.assertEqual(
                ['a', 'b'], sorted(self.store.clean(space, 0)))
        self.assertEqual({'new': ['a'], 'attempts': ['x']}, self.tree())

    def test_others(self):
        self.put('work', 'a')
        for space in ('new', 'work', 'attempts', '', '..', 'nothing'):
            with self.assertRaises(
                    gocept.filestore.interfaces.InvalidSpace) as raised:
                self.store.clean(space, 0)
            self.assertIn('tmp, cur, failed', str(raised.exception))
        self.assertEqual({'work': ['a']}, self.tree())

    def test_not_made_yet(self):
        self.assertEqual([], self.store.clean('failed', 0))
        self.assertFalse((self.path / 'failed').exists())

    def test_store_that_is_not_there(self):
        store = gocept.filestore.filestore.FileStore('/nowhere/at/all')
        for space in ('tmp', 'cur', 'failed'):
            with self.assertRaises(gocept.filestore.interfaces.NotPrepared):
                store.clean(space, 0)

    def test_odd_names(self):
        names = ['a\nb', '\udcff', 'x' * 255, ' ', '-rf', '~', '*']
        for space in ('tmp', 'cur', 'failed'):
            for name in names:
                self.put(space, name)
            self.assertEqual(
                sorted(names), sorted(self.store.clean(space, 0)))


class Wanted(CleanCase):

    def test_by_name(self):
        for space in ('tmp', 'cur', 'failed'):
            for name in 'abc':
                self.put(space, name)
            self.assertEqual(
                ['b'], self.store.clean(space, 0, 'b'.__eq__))
            self.assertEqual(['a', 'c'], self.tree()[space])

    @gocept.filestore.tests.case.needs_root('be another user')
    def test_others_are_not_opened(self):
        (self.path / 'cur').chmod(0o777)
        (self.path / 'tmp').chmod(0o777)
        self.put('cur', 'a').chmod(0)
        self.put('cur', 'b').chmod(0o666)
        with self.be_nobody():
            self.assertEqual(['b'], self.store.clean('cur', 0, 'b'.__eq__))

    def test_dry_run(self):
        self.give_up()
        for space in ('tmp', 'cur'):
            self.put(space, 'a')
        before = self.tree()
        for space in ('tmp', 'cur', 'failed'):
            self.assertEqual(['a'], self.store.clean(space, 0, dry_run=True))
            self.assertEqual([], self.store.clean(
                space, 3600, dry_run=True))
        self.assertEqual(before, self.tree())
        self.assertEqual(['failed'], self.kinds())

    def test_dry_run_knows_what_is_in_use(self):
        with self.store.create('a'):
            self.assertEqual([], self.store.clean('tmp', 0, dry_run=True))


class KeptByNFS(CleanCase):
    """What an NFS client calls an open file that was removed."""

    def setUp(self):
        super().setUp()
        self.layout['tmp'].is_local = False
        self.left = self.put('new', '.nfs0001')
        self.arrival = self.left.stat().st_ctime

    def clean_tmp(self, hours):
        self.assertEqual([], self.clean_at(
            self.arrival + hours * HOUR, 'tmp'))
        return self.left.exists()

    def test_of_a_host_that_has_died(self):
        self.assertTrue(self.clean_tmp(35))
        self.assertFalse(self.clean_tmp(37))

    def test_stays_in_a_dry_run(self):
        self.clock = self.arrival + 37 * HOUR
        self.assertEqual([], gocept.filestore.clean.clean(
            self.attempts, self.intents, 'tmp', None, dry_run=True))
        self.assertTrue(self.left.exists())

    def test_open_in_a_process_that_works_with_it(self):
        with open(self.left) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.assertTrue(self.clean_tmp(37))
        self.assertFalse(self.clean_tmp(37))

    def test_that_can_not_be_opened_keeps_nothing(self):
        closed = self.put('cur', '.nfs0002')
        closed.chmod(0)
        with self.be_nobody():
            self.clean_tmp(37)
        self.assertTrue(closed.exists())

    def test_elsewhere_it_is_nobodys(self):
        self.layout['tmp'].is_local = True
        self.assertTrue(self.clean_tmp(37))

    def test_that_can_not_be_removed_keeps_nothing(self):
        self.forbid(self.path / 'new')
        self.put('tmp', 'a').chmod(0o666)
        self.path.joinpath('tmp').chmod(0o777)
        with self.be_nobody():
            self.assertEqual(['a'], self.clean_at(
                self.arrival + 37 * HOUR, 'tmp'))
        self.assertTrue(self.left.exists())


class Kept(CleanCase):
    """What nobody may remove."""

    def test_others_than_files(self):
        outside = self.directory / 'outside'
        outside.write_text('outside')
        for space in ('tmp', 'cur', 'failed'):
            path = self.path / space
            path.mkdir(exist_ok=True)
            (path / 'link').symlink_to(outside)
            (path / 'dangling').symlink_to('nowhere')
            (path / 'directory').mkdir()
            os.mkfifo(path / 'pipe')
            (path / '.nfs0001').write_text('')
            before = self.tree()
            with self.no_blocking():
                self.assertEqual([], self.store.clean(space, 0))
            self.assertEqual(before, self.tree())
        self.assertEqual('outside', outside.read_text())

    def test_draft_of_a_live_process(self):
        child = self.child()
        child.run('file = store.create("a"); file.write("content")\n'
                  'publication = store.publish("b").__enter__()')
        self.put('tmp', 'c')
        self.assertEqual(['c'], self.store.clean('tmp', 0))
        self.assertEqual(2, len(self.store.list('tmp')))
        child.kill()
        self.assertEqual(2, len(self.store.clean('tmp', 0)))
        self.assertEqual({}, self.tree())

    def test_draft_of_who_knows_nothing_of_locks(self):
        child = self.child()
        child.run('file = open(store.path + "/tmp/a", "w")')
        self.assertEqual([], self.store.clean('tmp', 0))
        child.kill()
        self.assertEqual(['a'], self.store.clean('tmp', 0))

    def test_draft_that_is_closed_can_be_cleaned(self):
        self.store.create('a').close()
        self.assertEqual(['a'], self.store.clean('tmp', 0))

    def test_locked_by_another(self):
        for space in ('tmp', 'cur', 'failed'):
            path = self.put(space, 'a')
            with open(path) as file:
                fcntl.flock(file, fcntl.LOCK_SH)
                self.assertEqual([], self.store.clean(space, 0))
            self.assertEqual(['a'], self.store.clean(space, 0))

    def test_claimed(self):
        # A crash has left a second name; the file is still being worked on.
        self.put('new', 'a')
        child = self.child()
        child.run('claim = store.claim()')
        os.link(self.path / 'work' / 'a', self.path / 'cur' / 'a')
        self.assertEqual([], self.store.clean('cur', 0))
        child.run('claim.finish()')
        self.assertEqual(['a'], self.store.clean('cur', 0))

    def test_second_name_elsewhere(self):
        elsewhere = self.directory / 'elsewhere'
        for space in ('tmp', 'cur', 'failed'):
            os.link(self.put(space, 'a'), elsewhere)
            self.assertEqual(['a'], self.store.clean(space, 0))
            self.assertEqual('content', elsewhere.read_text())
            elsewhere.unlink()
        self.assertEqual({}, self.tree())

    def test_newer_one_than_the_listing_has_shown(self):
        limit = time.time_ns() - HOUR * 10 ** 9
        for space in ('tmp', 'cur', 'failed'):
            self.put(space, 'a')
            self.assertFalse(gocept.filestore.clean.clean_one(
                self.attempts, self.intents, self.layout[space], 'a', limit))
            self.assertEqual(['a'], self.tree()[space])


class Attempts(CleanCase):

    def test_go_with_the_file(self):
        self.give_up()
        self.assertEqual(['a'], self.store.clean('failed', 0))
        self.assertEqual({}, self.tree())

    def test_those_of_another_file_of_the_name_stay(self):
        self.give_up()
        self.put('new', 'a', 'newer')
        self.store.claim().fail('no ink')
        self.assertEqual(['a'], self.store.clean('failed', 0))
        self.assertEqual(['no ink'],
                         [event['error'] for event in self.events()])
        self.assertIsNone(self.store.claim())  # it still waits

    def test_of_a_file_with_a_number(self):
        for name in ('a', 'x' * 255):
            self.give_up(name, '1')
            gocept.filestore.tests.story.tick(self.path)
            self.give_up(name, '2')
            backup = gocept.filestore.disk.name.backup(name, 1)
            arrival = self.arrival('failed', backup)
            while self.arrival('failed', name) < arrival + .002:
                (self.path / 'failed' / name).chmod(0o600)  # makes it younger
            self.assertEqual(
                [backup], self.clean_at(arrival + .001, 'failed', 0))
            self.assertEqual([name], self.names())
            self.assertEqual('2', self.read('failed', name))
            self.assertEqual(['failed'], self.kinds(name))
            self.assertEqual(
                'Reject: no paper', self.store.failures()[0]['error'])
            self.assertEqual([name], self.store.clean('failed', 0))
            self.assertEqual([], self.store.list('attempts'))

    def names(self):
        return [os.path.basename(path) for path in self.store.list('failed')]

    def test_of_a_file_that_is_done_are_gone_already(self):
        self.put('new', 'a')
        self.store.claim().fail(gocept.filestore.interfaces.Retry(after=0))
        self.store.claim().finish()
        self.assertEqual(['a'], self.store.clean('cur', 0))
        self.assertEqual({}, self.tree())

    def test_removing_a_file(self):
        self.give_up()
        self.give_up(content='2')
        self.store.remove('a.~1~', 'failed')
        self.assertEqual(1, len(self.events()))
        self.store.remove('a', 'failed')
        self.assertEqual({}, self.tree())

    def test_removing_a_file_of_another_space(self):
        self.give_up()
        for space in ('tmp', 'new', 'cur'):
            self.put(space, 'a')
            self.store.remove('a', space)
        self.assertEqual(['failed'], self.kinds())

    def test_removing_a_link(self):
        self.give_up()
        (self.path / 'failed' / 'b').symlink_to('a')
        self.store.remove('b', 'failed')
        self.assertEqual({'failed': ['a'], 'attempts': ['a']}, self.tree())

    def test_removing_what_is_not_there(self):
        self.give_up()
        with self.assertRaises(gocept.filestore.interfaces.NoSuchFile):
            self.store.remove('b', 'failed')


class OneBadFile(CleanCase):

    def test_does_not_keep_others(self):
        for name in 'abc':
            self.give_up(name)
        os.remove(self.path / 'attempts' / 'b')
        os.mkfifo(self.path / 'attempts' / 'b')
        with self.no_blocking(), self.assertRaises(
                gocept.filestore.interfaces.NotRegular) as raised:
            self.store.clean('failed', 0)
        self.assertEqual('b', raised.exception.filename)
        self.assertEqual({'failed': ['b'], 'attempts': ['b']}, self.tree())

    @gocept.filestore.tests.case.needs_root('be another user')
    def test_that_may_not_be_read(self):
        for space in ('tmp', 'cur'):
            (self.path / space).chmod(0o777)
        for name in 'abc':
            self.put('cur', name).chmod(0o644)
            gocept.filestore.tests.story.tick(self.path)
        for name in 'ab':
            (self.path / 'cur' / name).chmod(0)
        with self.be_nobody(), self.assertRaises(
                PermissionError) as raised:
            self.store.clean('cur', 0)
        # `c` is the oldest now; the first error is that of `a`.
        self.assertEqual(str(self.path / 'cur' / 'a'),
                         raised.exception.filename)
        self.assertEqual({'cur': ['a', 'b']}, self.tree())

    def test_space_that_is_missing(self):
        self.put('cur', 'a')
        (self.path / 'tmp').rmdir()
        with self.assertRaises(gocept.filestore.interfaces.NotPrepared):
            self.store.clean('cur', 0)
        self.assertEqual({'cur': ['a']}, self.tree())


class Replaced(CleanCase):
    """A newer file takes the place of one that is just being removed."""

    def race(self, space, prepare, replace, often=3, least=0):
        """Do both at once, until the newer one was taken aside so often.

        It has to survive each time, and the older one must not come back.
        """
        child = self.child()
        child.run('import gocept.filestore')
        space = self.layout.made(space)
        aside, rounds = [], 0
        self.addCleanup(sys.setprofile, None)
        with self.no_blocking(60):
            while len(aside) < often or rounds < least:
                rounds += 1
                old = self.put(space.name, 'a', 'old')
                child.run(prepare)
                gocept.filestore.tests.story.tick(self.path)
                limit = os.stat(old).st_ctime_ns
                child.send(replace)
                sys.setprofile(
                    lambda frame, event, arg: event == 'call'
                    and frame.f_code.co_name == 'bring_back'
                    and aside.append(frame))
                self.clean_at_any_moment(space, limit)
                sys.setprofile(None)
                child.answer()
                self.check(space)
        return len(aside)

    def clean_at_any_moment(self, space, limit):
        begin, wait = time.perf_counter(), random.uniform(0, .001)
        while time.perf_counter() < begin + wait:
            pass
        with contextlib.suppress(gocept.filestore.interfaces.NoSuchFile):
            gocept.filestore.clean.clean_one(
                self.attempts, self.intents, space, 'a', limit)

    def check(self, space):
        contents = [path.read_text()
                    for path in sorted((self.path / space.name).iterdir())]
        self.assertEqual('newer', contents[0])
        self.assertNotIn('newer', contents[1:])
        for path in (self.path / space.name).iterdir():
            path.unlink()
        self.assertEqual([], self.store.list('tmp'))

    def test_finish(self):
        self.race('cur', TAKE, 'claim.finish()')

    @gocept.filestore.tests.case.slow
    def test_finish_by_another_verb(self):
        self.race('cur', 'with store.publish("a") as file:\n'
                         '    _ = file.write("newer")',
                  'store.move("a", "new", "cur")')

    def test_fail(self):
        # That asks for the lock of the older one, so none goes aside.
        self.assertEqual(0, self.race(
            'failed', TAKE, 'claim.fail(gocept.filestore.Reject("no paper"))',
            often=0, least=20))
        self.assertEqual({'attempts'}, set(self.tree()))

    def test_fail_by_another_verb(self):
        self.race('failed', 'with store.publish("a") as file:\n'
                            '    _ = file.write("newer")',
                  'store.move("a", "new", "failed")')

    def test_one_of_failed_keeps_its_reasons(self):
        # It was taken aside, and comes back under its name.
        self.give_up()
        self.give_up(content='newer')
        failed, tmp = self.layout['failed'], self.layout['tmp']
        failed.replace('a', tmp, 'aside')
        gocept.filestore.retry.removal.bring_back(tmp, 'aside', failed, 'a')
        self.assertEqual(['a', 'a.~1~'], self.tree()['failed'])
        self.assertEqual(
            ['Reject: no paper'] * 2,
            [failure['error'] for failure in self.store.failures()])

    def test_by_an_even_newer_one(self):
        # Which has come before the newer one could be brought back.
        for space, names in (('cur', ['a']), ('failed', ['a', 'a.~1~'])):
            self.put(space, 'a', 'even newer')
            self.put('tmp', 'aside', 'newer')
            gocept.filestore.retry.removal.bring_back(
                self.layout['tmp'], 'aside', self.layout[space], 'a')
            self.assertEqual(names, self.tree()[space])
            self.assertEqual([], self.store.list('tmp'))
        self.assertEqual('even newer', self.read('cur', 'a'))
        self.assertEqual('newer', self.read('failed', 'a'))
        self.assertEqual('even newer', self.read('failed', 'a.~1~'))

    def test_draft(self):
        self.race(
            'tmp', 'with store.create("b") as file:\n'
                   '    _ = file.write("newer")',
            'import os\n'
            'os.rename(store.path + "/tmp/b", store.path + "/tmp/a")')


TAKE = """
with store.publish('a') as file:
    _ = file.write('newer')
claim = store.claim()
"""


class Gone(CleanCase):

    def test_in_the_middle(self):
        paths = [self.put('cur', name) for name in 'ab']
        self.attempts.settle = lambda *args: paths[0].unlink(missing_ok=True)
        self.assertEqual(['b'], self.clean_at(time.time(), 'cur', -60))
        self.assertEqual({}, self.tree())


class Race(CleanCase):

    @gocept.filestore.tests.case.slow
    def test_each_file_is_removed_by_one(self):
        for space in ('tmp', 'cur', 'failed'):
            names = sorted(map(str, range(300)))
            for name in names:
                self.put(space, name)
            children = [self.child() for _ in range(4)]
            for child in children[:2]:
                child.send('answer = store.clean(%r, 0)' % space)
            for child in children[2:]:
                child.send(REMOVE % (space, space))
            told = [name for child in children for name in child.answer()]
            self.assertEqual(names, sorted(told))
        self.assertEqual({}, self.tree())

    @gocept.filestore.tests.case.slow
    def test_drafts_of_others(self):
        # Who makes a draft anew, and who publishes, is not disturbed.
        writers = [self.child() for _ in range(2)]
        for writer in writers:
            writer.send('for number in range(300):\n'
                        '    with store.publish(replace=True) as file:\n'
                        '        _ = file.write("content")\n'
                        'answer = number')
        while not len(self.store.list('new')) == 600:
            self.assertEqual([], self.store.clean('tmp', 60))
        self.assertEqual([299, 299], [writer.answer() for writer in writers])

    @gocept.filestore.tests.case.slow
    def test_draft_with_a_name(self):
        # Each `create` begins anew what the last one has left, and removes
        # it just before `clean` locks it. No age is too young here: the clock
        # of ctime ticks too slowly to tell the two drafts apart.
        writer = self.child()
        writer.send(CREATE)
        removed = 0
        while not (self.path / 'cur' / 'end').exists():
            self.assertIsNone(writer.process.poll())
            removed += len(self.store.clean('tmp', -60))
        self.assertEqual(1999, writer.answer())
        self.assertGreater(removed, 0)


REMOVE = """
answer = []
for path in reversed(store.list(%r)):
    try:
        store.remove(path, %r)
    except (FileNotFoundError, FileExistsError):
        continue
    answer.append(path.rpartition('/')[2])
"""

# A file that is open is there; one that is closed may be removed.
CREATE = """
import gocept.filestore.interfaces, os
for number in range(2000):
    try:
        file = store.create('a')
    except gocept.filestore.interfaces.DraftInUse:
        continue
    with file:
        assert os.path.samestat(
            os.fstat(file.fileno()), os.stat(store.path + '/tmp/a'))
open(store.path + '/cur/end', 'w').close()
answer = number
"""


@gocept.filestore.tests.case.needs_mount()
class FullDisk(CleanCase):

    def test_makes_room(self):
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs',
                        self.path], check=True)
        self.addCleanup(subprocess.run, ['umount', '-l', self.path])
        self.store.prepare()
        self.give_up()
        self.put('cur', 'b', 'x' * 8192)
        with self.assertRaises(OSError) as raised, open(
                self.path / 'tmp' / 'c', 'wb', 0) as file:
            while True:
                file.write(b'x' * 4096)
        self.assertEqual(errno.ENOSPC, raised.exception.errno)
        for space, name in (('failed', 'a'), ('cur', 'b'), ('tmp', 'c')):
            self.assertEqual([name], self.store.clean(space, 0))
        self.assertEqual({}, self.tree())
