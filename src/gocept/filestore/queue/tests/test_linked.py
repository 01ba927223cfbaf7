import gocept.filestore.doctor.examination
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import os
import shutil
import subprocess
import time


# Each makes equal files one, which has several names then.
PROGRAMS = (['hardlink', '-c'], ['rdfind', '-makehardlinks', 'true',
                           '-makeresultsfile', 'false'], ['jdupes', '-qrL'])
DRAFT = '1795436112.M39P29Q1.host'


def is_here(words):
    return gocept.filestore.tests.case.is_here(words[0])


class Linked(gocept.filestore.tests.case.Case):
    """Equal files were made one: by a program that looks for them, or by ln.
    """

    def fill(self):
        for space, name in (('new', 'a'), ('cur', 'a'), ('failed', 'a'),
                            ('failed', 'a.~1~'), ('failed', 'b'),
                            ('tmp', 'a'), ('tmp', DRAFT)):
            self.put(space, name)

    def link(self):
        paths = [path for path in self.path.glob('*/*')
                 if path.read_text() == 'content']
        for path in paths[1:]:
            path.unlink()
            os.link(paths[0], path)

    def others(self):
        return {space: names for space, names in self.tree().items()
                if space not in ('work', 'attempts', 'voted', 'committed')}

    def work_on(self):
        """See that a claim touches nothing but its name."""
        self.assertGreater(os.stat(self.path / 'new' / 'a').st_nlink, 4)
        child = self.child()
        self.assertEqual(
            1, child.run('claim = store.claim(); answer = claim.attempt'))
        left = self.others()
        self.assertEqual(['a', 'a.~1~', 'b'], left['failed'])
        child.kill()
        claim = self.store.claim()
        self.assertEqual(('a', 2), (claim.filename, claim.attempt))
        claim.finish(keep=False)
        self.assertEqual(left, self.others())
        return left

    def test_by_hand(self):
        self.fill()
        self.link()
        self.assertEqual([DRAFT, 'a'], self.work_on()['tmp'])
        self.assertIsNone(self.store.claim())

    @gocept.filestore.tests.case.slow
    def test_by_a_program(self):
        for words in filter(is_here, PROGRAMS):
            with self.subTest(program=words[0]):
                self.fill()
                subprocess.run([*words, self.path], check=True,
                               stdout=subprocess.DEVNULL, cwd=self.directory)
                self.work_on()
                shutil.rmtree(self.path)
                self.store.prepare()

    def test_draft_of_a_batch_where_moves_leave_names(self):
        self.move_by_link()
        batch = self.store.batch()
        with batch.publish('b') as file:
            file.write('content')
        batch.vote()
        self.put('new', 'a')
        self.put('failed', 'c')
        self.link()
        self.store.claim().finish(keep=False)
        batch.commit()
        self.assertEqual({'new': ['b'], 'failed': ['c']}, self.tree())

    def test_given_up_although_an_equal_one_was(self):
        # Their lock is the same.
        self.put('failed', 'a')
        self.put('new', 'a')
        self.link()
        begin = time.monotonic()
        self.store.claim().fail(gocept.filestore.interfaces.Reject('no'))
        self.assertLess(time.monotonic(), begin + 5)
        self.assertEqual(['a', 'a.~1~'], self.tree()['failed'])

    def test_listing_that_tells_other_inodes(self):
        tmp = self.store._layout['tmp']
        tmp.is_local, tmp.entries = False, lambda is_wanted: ()
        self.put('new', 'a')
        with self.assertRaisesRegex(OSError, 'use_ino'):
            self.store.claim()
        self.assertEqual({'new': ['a']}, self.tree())

    def test_draft_in_doubt(self):
        self.put('cur', 'a')
        self.child().run('batch = store.batch(two_phase=True)\n'
                         'with batch.publish("a") as file:\n'
                         '    file.write("content")\n'
                         'batch.vote()\n'
                         'batch._leave_to_others()')
        self.link()
        self.store.settle(commit=True)
        self.assertEqual({'new': ['a'], 'cur': ['a']}, self.others())

    def test_given_up_once_more(self):
        self.put('failed', 'a')
        self.put('failed', 'a.~1~')
        self.link()
        self.put('new', 'a', 'newer')
        self.store.claim().fail(gocept.filestore.interfaces.Reject('no'))
        self.assertEqual(['a', 'a.~1~', 'a.~2~'], self.tree()['failed'])


@gocept.filestore.tests.case.needs_mount('mergerfs')
class MadeUp(gocept.filestore.tests.case.Case):
    """The file system makes up other inodes for each way to ask."""

    def mount(self, *options):
        for name in 'one', 'two', 'mount':
            (self.directory / name).mkdir(exist_ok=True)
        subprocess.run(['mergerfs', *options, '%s:%s' % (
            self.directory / 'one', self.directory / 'two'),
            self.directory / 'mount'], check=True)
        self.addCleanup(
            subprocess.run, ['umount', '-l', self.directory / 'mount'])
        self.path = self.directory / 'mount' / 'store'
        self.store = self.open_store(prepare=True)
        with self.store.publish('a'):
            pass

    def test_is_told_before_anything_is_taken(self):
        self.mount()
        for _ in range(2):
            with self.assertRaises(OSError) as raised:
                self.store.claim()
            self.assertIn('another inode', str(raised.exception))
            self.assertEqual(str(self.path), raised.exception.filename)
        self.assertEqual({'new': ['a']}, self.tree())

    def test_the_doctor_tells(self):
        self.mount()
        self.assertIn('an open file has another inode', ' '.join(
            finding.sentence for finding
            in gocept.filestore.doctor.examination.examine(str(self.path))))

    def test_is_told_of_what_is_mounted_later(self):
        # A worker may start before the file system of its store is there.
        self.path = self.directory / 'mount' / 'store'
        store = self.open_store(prepare=True)
        self.assertIsNone(store.claim())
        self.mount('-o', 'nonempty')
        time.sleep(store._layout.interval)
        with self.assertRaises(OSError) as raised:
            store.claim()
        self.assertIn('another inode', str(raised.exception))

    def test_works_with_those_of_the_disk(self):
        self.mount('-o', 'use_ino')
        child = self.child()
        child.run('claim = store.claim()')
        child.kill()
        with self.store.claim() as claim:
            self.assertEqual(2, claim.attempt)
