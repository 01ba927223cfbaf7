"""Scenes between two hosts, each with one right outcome; see `test_nfs.py`.

Whatever the kernel of a host remembers, the other one has just changed it.
"""

import contextlib
import gocept.filestore.disk.layout
import gocept.filestore.filestore
import gocept.filestore.tests.guest
import gocept.filestore.tests.host
import gocept.filestore.tests.test_distributed
import os
import pathlib
import shutil
import subprocess
import time
import zope.testing.wait


LEASE = 10  # seconds, as in `nfs/init.sh`


class Scene(gocept.filestore.tests.test_distributed.Case):

    first = 0  # seconds until a file that has failed is tried again

    def setUp(self):
        super().setUp()
        for path in (self.path, *self.path.iterdir()):
            path.chmod(0o777)
        self.a, self.b = map(self.host_at, self.paths)

    def host_at(self, path):
        host = gocept.filestore.tests.host.Host(path, self.first)
        self.addCleanup(host.close)
        return host

    def claimed(self, host):
        """Wait until there is something to claim; return its name."""
        names = []
        self.wait(lambda: names.append(host('claim')) or names[-1])
        return names[-1]

    def assertFiles(self, **spaces):
        """Compare with what lies where, as soon as all are closed."""
        self.wait(lambda: not self.hidden())
        self.assertEqual(spaces, self.files())

    def hidden(self):
        return [name for names in self.tree().values() for name in names
                if name.startswith('.nfs')]

    def seen(self):
        """Return what lies where, without what is hidden."""
        return {space: names for space, names in (
            (space, [name for name in names if not name.startswith('.')])
            for space, names in self.files().items()) if names}


class Memory(Scene):
    """What a host remembers of a name does not count."""

    def remember_and_halt(self):
        """Let B be about to open a file, which A has finished by then."""
        self.a('publish', 'x', 'old')
        self.assertTrue(self.b('look', 'new', 'x'))
        self.b.begin('outcome', 'claim_late', 'x')
        self.assertEqual('about to open', self.b.answer())
        self.assertEqual('x', self.a('claim'))
        self.assertIsNone(self.a('finish', 'x'))

    def test_finished_file_is_not_claimed_again(self):
        self.remember_and_halt()
        self.b.send('go on')
        self.assertIsNone(self.b.answer())
        self.assertIsNone(self.b('claim'))
        self.assertFiles(cur=['x'])

    def test_newer_file_is_claimed_and_not_removed(self):
        self.remember_and_halt()
        self.a('publish', 'x', 'new')
        self.b.send('go on')
        self.assertEqual('x', self.b.answer() or self.b('claim'))
        self.assertEqual('new', self.b('read', 'x'))
        self.assertIsNone(self.b('finish', 'x'))
        self.assertFiles(cur=['x'])
        self.assertEqual('new', self.read('cur', 'x'))

    def test_file_that_has_come_is_claimed(self):
        self.assertFalse(self.b('look', 'new', 'x'))
        self.a('publish', 'x', 'text')
        self.assertEqual('x', self.b('claim'))
        self.assertEqual('text', self.b('read', 'x'))

    def test_name_that_has_gone_is_free(self):
        self.a('publish', 'x', 'old')
        self.assertTrue(self.b('look', 'new', 'x'))
        self.assertEqual('x', self.a('claim'))
        self.assertIsNone(self.a('finish', 'x', False))
        self.assertIsNone(self.b('publish', 'x', 'new'))
        self.assertEqual('x', self.a('claim'))
        self.assertEqual('new', self.a('read', 'x'))

    def test_own_name_that_the_other_one_has_taken_is_free(self):
        for host in 10 * (self.a, self.b):
            other = self.b if host is self.a else self.a
            self.assertIsNone(host('publish', 'x'))
            self.assertEqual('x', other('claim'))
            self.assertIsNone(other('finish', 'x'))

    def test_name_that_has_come_is_taken(self):
        self.assertFalse(self.b('look', 'new', 'x'))
        self.a('publish', 'x', 'old')
        self.assertRegex(self.b('publish', 'x', 'new') or '', '^NameTaken: ')
        self.assertEqual('old', self.read('new', 'x'))

    def test_name_of_a_file_that_is_open_is_no_file(self):
        """A process of A that reads keeps it when it is moved: .nfsXXXX."""
        reader = self.host_at(self.paths[0])
        self.a('publish', 'x', 'text')
        self.assertIsNone(reader('open', 'new', 'x'))
        self.assertTrue(self.b('look', 'new', 'x'))
        self.assertEqual('x', self.a('claim'))
        self.assertTrue(self.hidden())
        self.a.kill()
        self.assertEqual('x', self.claimed(self.b))
        self.assertEqual('text', self.b('read', 'x'))
        self.assertIsNone(self.b('finish', 'x'))
        self.assertIsNone(self.b('claim'))
        reader.kill()
        self.assertFiles(cur=['x'])


class Notes(Scene):
    """What a host writes down, the other one goes by at once."""

    first = 60

    def test_delay(self):
        for name in ('w', 'x', 'y'):
            self.a('publish', name)
            self.assertFalse(self.b('look', 'attempts', name))
            self.assertEqual(name, self.b('claim'))
            self.assertIsNone(self.b('release', name))
            self.assertEqual(name, self.a('claim'))
            self.assertIsNone(self.a('fail', name))
            self.assertIsNone(self.b('claim'))
        waiting = self.b('status')['waiting']
        self.assertEqual(3, waiting['files'])
        self.assertLess(30, waiting['next'])

    def test_claim(self):
        self.a('publish', 'x')
        self.assertTrue(self.b('look', 'new', 'x'))
        self.assertEqual('x', self.a('claim'))
        status = self.b('status')
        self.assertEqual(
            [('x', True)], [(claim['filename'], claim['alive'])
                            for claim in status['claims']])
        self.assertEqual(0, status['spaces']['new']['files'])

    def test_metadata(self):
        for name in ('w', 'x', 'y'):
            self.assertFalse(self.b('look', 'attempts', name))
            self.assertIsNone(self.a('publish_with', name, {'from': name}))
            self.assertEqual(name, self.b('claim'))
            self.assertEqual({'from': name}, self.b('metadata', name))
            self.assertIsNone(self.b('release', name))
            self.assertEqual(name, self.a('claim'))
            self.assertEqual({'from': name}, self.a('metadata', name))
            self.assertIsNone(self.a('finish', name))

    def test_intent(self):
        self.assertEqual([], self.b('status')['intents'])
        self.assertIsNone(self.a('vote', 'x'))
        self.a.kill()
        self.wait(lambda: self.b('status')['intents'])
        self.assertEqual([['x']], [
            intent['publish'] for intent in self.b('status')['intents']])


class Attempts(Scene):

    def test_are_counted_on_both(self):
        self.a('publish', 'x')
        for number, host in enumerate((self.a, self.b, self.a, self.b), 1):
            self.b('look', 'attempts', 'x')
            self.assertEqual('x', self.claimed(host))
            self.assertEqual(number, host('attempt', 'x'))
            self.assertIsNone(host('fail', 'x'))

    def test_space_that_the_other_one_makes(self):
        self.assertFalse(self.b('look', 'failed', 'x'))
        self.assertEqual([], self.b('failures'))
        self.a('publish', 'x')
        for _ in range(5):
            self.assertEqual('x', self.claimed(self.a))
            self.assertIsNone(self.a('fail', 'x'))
        self.assertEqual(['x'], self.b('failures'))
        self.assertIsNone(self.b('retry', 'x'))
        self.assertEqual('x', self.a('claim'))
        self.assertEqual(1, self.a('attempt', 'x'))


class Exchange(Scene):
    """Another host makes a store, or its spaces, anew."""

    def test_store_that_is_moved_aside(self):
        self.assertIsNone(self.a('publish', 'before'))
        store = gocept.filestore.filestore.FileStore(self.paths[1])
        store.list('new')
        aside = self.paths[1].with_suffix('.aside')
        self.paths[1].rename(aside)
        self.addCleanup(shutil.rmtree, aside)
        store.prepare()
        time.sleep(gocept.filestore.disk.layout.Layout.interval)
        self.assertIsNone(self.a('publish', 'after'))
        self.assertFiles(new=['after'])
        self.assertEqual('after', self.a('claim'))

    def test_spaces_with_the_old_inodes(self):
        self.wait(self.has_old_inodes)
        self.use()

    def has_old_inodes(self):
        """Make the spaces anew; tell whether they have the inodes they had.

        The first free ones are taken. Those of other tests may be free, too,
        and then they are the same from the second time on.
        """
        self.use()
        spaces = sorted(self.paths[1].iterdir(), key=inode_of)
        for space in spaces:
            for path in space.iterdir():
                path.unlink()
        before = list(map(inode_of, spaces))
        return made_anew(spaces) == before

    def use(self):
        time.sleep(gocept.filestore.disk.layout.Layout.interval)
        self.assertIsNone(self.a('publish', 'x'))
        self.assertEqual('x', self.a('claim'))
        self.assertIsNone(self.a('finish', 'x'))
        self.assertFiles(cur=['x'])


def made_anew(spaces):
    """Make directories anew; return their inodes.

    What ext4 has in memory of an inode tells when it was removed, and that it
    is too early to use it again.
    """
    for space in spaces:
        space.rmdir()
    os.sync()
    pathlib.Path('/proc/sys/vm/drop_caches').write_text('3')
    for space in spaces:
        space.mkdir()
    return list(map(inode_of, spaces))


def inode_of(path):
    return path.stat().st_ino


class Rights(Scene):
    """Who can not lock a file is told its mode, and what helps."""

    told = '^[A-Za-z]*Error: .*mode is 0?%o.*chmod'

    def claim(self, user, group, mode):
        """Let user 1000 of group 1002 claim a file of somebody."""
        self.assertIsNone(self.b('become', 1000, 1002))
        return self.claim_of(user, group, mode)

    def claim_of(self, user, group, mode, name='x'):
        self.assertIsNone(self.a('publish', name))
        served = self.path_at_server() / 'new' / name
        os.chown(served, user, group)
        served.chmod(mode)
        return self.b('claim') or ''

    def path_at_server(self):
        return gocept.filestore.tests.guest.EXPORT / self.path.name

    def test_own_file_that_is_read_only(self):
        self.assertRegex(
            self.claim(1000, 1000, 0o444), '^x$|' + self.told % 0o444)

    def test_file_of_somebody_else(self):
        self.assertRegex(self.claim(1001, 1001, 0o644), self.told % 0o644)

    def test_file_that_all_may_write(self):
        self.assertEqual('x', self.claim(1001, 1001, 0o666))
        self.assertIsNone(self.b('finish', 'x'))
        self.assertFiles(cur=['x'])

    def test_file_that_the_group_may_write(self):
        self.assertEqual('x', self.claim(1001, 1002, 0o664))
        self.assertIsNone(self.b('finish', 'x'))
        self.assertFiles(cur=['x'])

    def test_file_that_the_group_may_read(self):
        self.assertRegex(self.claim(1001, 1002, 0o644), self.told % 0o644)

    def test_root_that_is_nobody_on_the_server(self):
        self.export('root_squash')
        self.addCleanup(self.export, 'no_root_squash')
        self.assertEqual('x', self.claim_of(65534, 65534, 0o644))
        self.assertIsNone(self.b('finish', 'x'))
        self.assertRegex(
            self.claim_of(1001, 1001, 0o644), self.told % 0o644)

    def export(self, option):
        subprocess.run(
            ['exportfs', '-i', '-o', 'rw,no_subtree_check,fsid=0,sync,'
             + option, '*:%s' % gocept.filestore.tests.guest.EXPORT],
            check=True)


class Cut(Scene):
    """Host A does not reach the server; B goes on."""

    first = 60
    # The processor is for others, until the lease is over.
    wait = zope.testing.wait.Wait(timeout=300, wait=.5)

    def test_shorter_than_the_lease(self):
        self.a('publish', 'x')
        self.assertEqual('x', self.a('claim'))
        with self.cut_off():
            time.sleep(LEASE / 3)
            self.assertIsNone(self.b('claim'))
        self.assertIsNone(self.a('finish', 'x'))
        self.assertFiles(cur=['x'])

    def test_longer_than_the_lease(self):
        """Whoever has lost his claims can not settle them."""
        deeds = ('hold', 'fail', 'finish', 'remove', 'release')
        verbs = ('finish', 'fail', 'release', 'batch')
        names = {'%s-%s' % (deed, verb): (deed, verb)
                 for deed in deeds for verb in verbs}
        for name in names:
            self.a('publish', name)
            self.assertEqual(name, self.a('claim'))
        self.a('publish', 'x')
        self.assertEqual('x', self.a('claim_in_transaction'))
        with self.cut_off():
            self.assertEqual({*names, 'x'}, {
                self.claimed(self.b) for _ in (*names, 'x')})
            for name, (deed, _) in names.items():
                self.assertIsNone(self.b(deed, name))
            self.path = self.paths[1]
            before = self.seen()
        answers = {name: self.a(verb, name) or 'it worked'
                   for name, (_, verb) in names.items()}
        self.assertEqual({}, {
            name: answer for name, answer in answers.items()
            if not answer.startswith(('ClaimLost: ', 'NoSuchFile: '))})
        self.assertRegex(self.a('commit') or '', '^ClaimLost: ')
        self.assertEqual(before, self.seen())
        for name in ('x', *('hold-' + verb for verb in verbs)):
            self.assertIsNone(self.b('finish', name))
        self.assertIn('x', self.seen()['cur'])

    @contextlib.contextmanager
    def cut_off(self):
        self.link('down')
        try:
            yield
        finally:
            self.link('up')

    def link(self, state):
        subprocess.run(['ip', 'link', 'set', 'dev', 'a', state], check=True)


SCENES = (Memory, Notes, Attempts, Exchange, Rights, Cut)
