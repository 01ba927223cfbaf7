import gocept.filestore
import gocept.filestore.doctor.examination
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import json
import os
import shutil
import subprocess


Reject = gocept.filestore.interfaces.Reject
# tar(1) in its own format keeps whole seconds.
COPIES = ('cp -a store target', 'rsync -a store target',
          'tar c store | tar x -C target',
          'tar c --format=posix store | tar x -C target',
          'cp -r --preserve=timestamps store target')


def is_here(line):
    return gocept.filestore.tests.case.is_here(line.split()[0])


class CopiedCase(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        self.target = self.directory / 'target' / 'store'
        self.target.parent.mkdir()

    def copy(self, line='cp -a store target'):
        """Copy the store with a program, and go on with the copy."""
        subprocess.run(['bash', '-c', line], check=True, cwd=self.directory)
        # If nothing is freed, no inode is that of before.
        self.path.rename(self.directory / 'original')
        self.go_on()

    def go_on(self):
        self.path = self.target
        self.store = self.open_store()

    def give_up(self, name, content, error):
        path = self.put('new', name, content)
        os.utime(path, (0, len(content)))
        self.store.claim().fail(error)

    def events(self):
        lines = (self.path / 'attempts' / 'a').read_text().splitlines()
        return list(map(json.loads, lines))

    def claimed(self):
        found = {claim.filename: (claim.attempt, claim.finish())
                 for claim in self.store.claims()}
        return {name: attempt for name, (attempt, _) in found.items()}


class Programs(CopiedCase):

    def fill(self):
        for content in 'old', 'newer':
            self.give_up('a', content, Reject(content))
        self.give_up('waits', '', 'no paper')
        self.put('new', 'kills')
        killed = self.child()
        killed.run('claim = store.claim()')
        for commit, name in (False, 'doubt'), (True, 'decided'):
            self.put('new', name)
            self.put('cur', name + '-removed')
            child = self.child()
            child.run(
                'batch = store.batch(two_phase=True)\n'
                'batch.finish(store.claim())\n'
                'with batch.publish("%s-answer") as file:\n'
                '    _ = file.write("!")\n'
                'batch.remove("%s-removed", "cur")\n'
                'batch.vote()\n'
                '%r and batch._intent.mark()' % (name, name, commit))
            child.kill()
        killed.kill()

    def check(self):
        self.assertEqual(
            {'a': (1, 'newer'), 'a.~1~': (1, 'old')},
            {failure['filename']: (
                failure['attempts'], failure['error'].split()[-1])
             for failure in self.store.failures()})
        self.assertTrue(50 < self.store.status()['waiting']['next'] <= 60)
        self.store.retry('a')
        self.assertEqual({'a': 1, 'kills': 2, 'decided-answer': 1},
                         self.claimed())
        self.assertEqual(['doubt', 'waits'], self.tree()['work'])
        self.store.settle(commit=True)
        self.store.retry('waits')
        self.assertEqual({'doubt-answer': 1, 'waits': 1}, self.claimed())
        self.assertEqual(
            {'cur': ['a', 'decided', 'decided-answer', 'doubt', 'doubt-answer',
                     'kills', 'waits'],
             'attempts': ['a'], 'failed': ['a.~1~']}, self.tree())
        self.store.retry('a.~1~')
        self.assertEqual({'a': 1}, self.claimed())
        self.assertEqual({'cur'}, set(self.tree()))

    @gocept.filestore.tests.case.slow
    def test_not_at_all(self):
        self.fill()
        self.check()

    @gocept.filestore.tests.case.slow
    def test_copied(self):
        for line in filter(is_here, COPIES):
            with self.subTest(line=line):
                self.fill()
                self.copy(line)
                self.check()
                shutil.rmtree(self.target)
                self.path = self.directory / 'store'
                self.store = self.open_store()
                shutil.rmtree(self.directory / 'original')
                self.store.prepare()

    @gocept.filestore.tests.case.slow
    def test_restored_in_place(self):
        self.fill()
        self.target = self.path
        subprocess.run(['bash', '-c', 'tar cf s.tar store; rm -r store\n'
                        'tar xf s.tar'], check=True, cwd=self.directory)
        self.store = self.open_store()
        self.check()

    @gocept.filestore.tests.case.slow
    def test_copied_again(self):
        self.fill()
        self.copy()
        self.path = self.target.parent / 'again'
        shutil.copytree(self.target, self.path)
        self.store = self.open_store()
        self.check()


class Newer(CopiedCase):
    """A newer file of a name is never taken for an older one."""

    def die_with(self, time):
        """Let a process die with a newer file, sent again as it was.

        That counts as the first attempt of this one; the second finishes it.
        """
        path = self.put('new', 'a', 'old')
        os.utime(path, ns=(time, time))
        child = self.child()
        child.run('claim = store.claim()')
        child.kill()
        claim = self.store.claim()
        self.assertEqual(2, claim.attempt)
        claim.finish()

    def test_sent_again_with_its_time(self):
        self.give_up('a', 'old', Reject('no paper'))
        self.die_with(3 * 10 ** 9)
        self.assertEqual(1, self.store.failures()[0]['attempts'])

    def test_sent_again_with_its_time_after_the_store_was_copied(self):
        self.give_up('a', 'old', Reject('no paper'))
        self.copy()
        self.die_with(3 * 10 ** 9)
        self.assertEqual(1, self.store.failures()[0]['attempts'])

    def test_sent_again_after_the_older_one_was_removed_by_hand(self):
        self.give_up('a', 'old', Reject('no paper'))
        (self.path / 'failed' / 'a').unlink()
        self.die_with(3 * 10 ** 9)

    def test_finished_in_a_batch_that_was_carried_out(self):
        # Its process has died before it could remove the intent.
        self.put('new', 'a', 'old')
        child = self.child()
        child.run('batch = store.batch()\n'
                  'batch.finish(store.claim())\n'
                  'batch.vote()\n'
                  'batch._intent.mark()')
        child.kill()
        os.rename(self.path / 'work' / 'a', self.path / 'cur' / 'a')
        self.copy()
        time = os.stat(self.path / 'cur' / 'a').st_mtime_ns
        path = self.put('work', 'a', 'newer')
        os.utime(path, ns=(time + 1, time + 1))
        with self.store.claim() as claim:
            self.assertEqual('newer', self.text(claim))

    def test_inode_of_another_one(self):
        # A copy may give any inode to any file.
        self.give_up('a', 'old', Reject('no paper'))
        self.give_up('a', 'newer', Reject('no ink'))
        self.copy()
        numbers = {status.st_ino: other.st_ino for status, other in [
            (self.status('original', 'a'), self.status('target/store', name))
            for name in ('a.~1~',)]}
        path = self.path / 'attempts' / 'a'
        events = self.events()
        for event in events:
            event['inode'] = numbers.get(event['inode'], event['inode'])
        path.write_text('\n'.join(map(json.dumps, events)))
        self.assertEqual(
            [('a', 'Reject: no ink'), ('a.~1~', 'Reject: no paper')],
            sorted((failure['filename'], failure['error'])
                   for failure in self.store.failures()))

    def status(self, store, name):
        return os.stat(self.directory / store / 'failed' / name)

    def test_edited_before_it_was_put_back(self):
        self.give_up('a', 'old', Reject('no paper'))
        self.put('failed', 'a', 'edited')
        self.assertEqual('Reject: no paper', self.store.failures()[0]['error'])

    def test_number_that_the_doctor_knows(self):
        for content in 'old', 'newer':
            self.give_up('a', content, Reject('no paper'))
        (self.path / 'failed' / 'a').unlink()
        self.copy()
        self.assertEqual([], [
            finding.sentence for finding
            in gocept.filestore.doctor.examination.examine(str(self.path))
            if 'nowhere' in finding.sentence])
