"""A store on a disk that is full, read-only, forbidden, or gone.

Each verb raises the disk's own error, which names a path. Nothing is lost,
and all goes on when the reason has been mended.
"""

import contextlib
import errno
import gocept.filestore
import gocept.filestore.tests.case
import os
import shutil
import subprocess


SOON = gocept.filestore.RetryPolicy(attempts=3, first=0)


class DiskCase(gocept.filestore.tests.case.Case):

    options = {'durable': True, 'retry_policy': SOON}

    def setUp(self):
        super().setUp()
        for space in ('new', 'cur', 'failed'):
            self.put(space, space)

    @contextlib.contextmanager
    def refused(self, number):
        """See that the block ends with an error that names a path."""
        with self.assertRaises(OSError) as raised:
            yield
        self.assertEqual(
            errno.errorcode[number], errno.errorcode[raised.exception.errno])
        self.assertIsNotNone(raised.exception.filename)
        self.assertNotIn('tmp', os.path.split(raised.exception.filename)[:-1])

    def publish(self, name='a', size=10):
        with self.store.publish(name) as file:
            file.write('x' * size)

    def verbs_that_write(self):
        return (self.publish, self.store.claim,
                lambda: self.store.retry('failed'),
                lambda: self.store.clean('cur', 0),
                lambda: self.store.move('cur', 'cur', 'new'),
                lambda: self.store.copy('cur', 'cur', 'new'),
                lambda: self.store.remove('cur', 'cur'),
                lambda: self.store.create('a'))

    def check_goes_on(self):
        self.publish()
        self.store.retry('failed')
        names = []
        for claim in self.open_store().claims():
            names.append(claim.filename)
            claim.finish()
        self.assertEqual(['a', 'failed', 'new'], sorted(names))


@gocept.filestore.tests.case.needs_mount()
class Mounted(DiskCase):

    def setUp(self):
        gocept.filestore.tests.case.Case.setUp(self)
        shutil.rmtree(self.path)
        self.path.mkdir()
        self.mount('size=256k', 'tmpfs')
        self.addCleanup(subprocess.run, ['umount', '-l', self.path])
        self.store.prepare()
        for space in ('new', 'cur', 'failed'):
            self.put(space, space)

    def mount(self, options, *source):
        subprocess.run(['mount', '-t', 'tmpfs', '-o', options, *source,
                        self.path], check=True)


class Full(Mounted):

    def fill(self):
        with open(self.path / 'full', 'wb') as file:
            with contextlib.suppress(OSError):
                while True:
                    os.write(file.fileno(), b'x' * 4096)

    def test_publish(self):
        self.fill()
        with self.refused(errno.ENOSPC):
            self.publish()
        with self.refused(errno.ENOSPC):
            self.store.copy('cur', 'cur', 'new')
        self.check_left()

    def check_left(self):
        os.remove(self.path / 'full')
        self.assertEqual([], self.store.list('tmp'))
        self.assertEqual(['new'], os.listdir(self.path / 'new'))
        self.check_goes_on()

    def test_what_needs_no_room_goes_on(self):
        with self.open_store().claim():  # makes work
            pass
        self.put('new', 'new')
        self.fill()
        claim = self.store.claim()
        self.assertEqual('content', self.text(claim))
        claim.finish()
        self.store.retry('failed')
        self.store.claim().finish()
        self.assertEqual(
            ['cur', 'failed', 'new'], sorted(self.store.clean('cur', 0)))

    def test_fail(self):
        claim = self.store.claim()
        self.publish('other')
        self.fill()
        for _ in range(2):
            with self.refused(errno.ENOSPC):
                claim.fail('an error ' * 10_000)
        os.remove(self.path / 'full')
        claim.fail('an error')
        claim = self.open_store().claim()
        self.assertEqual(2, claim.attempt)
        claim.finish()

    def test_dead_process(self):
        # Its death can not be written down, but others can be worked on.
        child = self.child()
        child.run('claim = store.claim()')
        child.kill()
        self.publish('other')
        self.fill()
        with self.store.claim() as claim:
            self.assertEqual('other', claim.filename)
        with self.refused(errno.ENOSPC):
            self.store.claim()
        os.remove(self.path / 'full')
        claim = self.store.claim()
        self.assertEqual(('new', 2), (claim.filename, claim.attempt))
        claim.finish()


class ReadOnly(Mounted):

    def test_each_verb(self):
        claim = self.store.claim()
        claim.release()
        self.mount('remount,ro')
        for verb in self.verbs_that_write():
            with self.subTest(verb=verb), self.refused(errno.EROFS):
                verb()
        self.assertEqual(1, self.store.status()['spaces']['new']['files'])
        self.assertEqual('failed', self.store.failures()[0]['filename'])
        self.mount('remount,rw')
        self.check_goes_on()

    def test_claim(self):
        claim = self.store.claim()
        self.mount('remount,ro')
        for settle in (claim.finish, claim.release,
                       lambda: claim.finish(keep=False),
                       lambda: claim.fail('no paper')):
            with self.refused(errno.EROFS):
                settle()
        self.mount('remount,rw')
        claim.finish()
        self.assertEqual(['cur', 'new'], self.tree()['cur'])


@gocept.filestore.tests.case.needs_root('be another user')
class Forbidden(DiskCase):

    def test_each_verb(self):
        self.store.claim().release()
        for verb in self.verbs_that_write():
            with self.subTest(verb=verb), self.be_nobody():
                with self.refused(errno.EACCES):
                    verb()
        with self.be_nobody():
            self.assertEqual(1, self.store.status()['spaces']['new']['files'])
        self.check_goes_on()


class NoDescriptors(DiskCase):

    verbs = ('store.claim().release()', 'store.claim().finish()',
             'store.claim().fail("no paper")',
             'with store.publish("b") as file: file.write("content")',
             'store.create("b").close()', 'store.list("new")',
             'store.status()', 'store.failures()', 'store.retry("failed")',
             'store.clean("cur", 0)', 'store.copy("cur", "cur", "new")')

    @gocept.filestore.tests.case.slow
    def test_each_verb(self):
        for verb in self.verbs:
            with self.subTest(verb=verb):
                shutil.rmtree(self.path)
                self.store.prepare()
                self.put('new', 'new')
                self.put('cur', 'cur')
                self.put('failed', 'failed')
                child = self.child()
                errors = child.run(LIMITED % verb)
                self.assertEqual({('EMFILE', True)}, set(errors))
                self.assertGreater(len(errors), 0)
                self.assertLessEqual(set(self.store.list('tmp')), {
                    str(self.path / 'tmp' / 'b')})
                self.assertLessEqual({'new', 'failed'}, self.names())

    def names(self):
        return {name for names in self.tree().values() for name in names}


# Each time a verb may open one file more, until it works.
LIMITED = """
import errno, gocept.filestore, itertools, os, resource

answer = []
for limit in itertools.count(len(os.listdir('/proc/self/fd'))):
    store = gocept.filestore.FileStore(store.path)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, 1024))
    try:
        %s
        break
    except OSError as error:
        answer.append((errno.errorcode[error.errno],
                       error.filename is not None))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
"""


class Gone(DiskCase):
    """The directory is removed while the store is in use."""

    def test_each_verb(self):
        self.store.claim().release()
        shutil.rmtree(self.path)
        for verb in (self.store.claim, self.store.status, self.store.failures,
                     lambda: self.store.retry('failed'),
                     lambda: self.store.clean('cur', 0),
                     lambda: self.store.list('new'),
                     lambda: self.store.create('a')):
            with self.subTest(verb=verb), self.assertRaises(
                    gocept.filestore.interfaces.NotPrepared):
                verb()
        self.assertFalse(self.path.exists())
        self.store.prepare()
        self.put('failed', 'failed')
        self.put('new', 'new')
        self.check_goes_on()

    def test_claim(self):
        for settle in ('finish', 'release'):
            claim = self.store.claim()
            shutil.rmtree(self.path)
            with self.assertRaises(FileNotFoundError), claim:
                getattr(claim, settle)()
            self.store.prepare()
            self.put('new', 'new')
        claim = self.store.claim()
        self.assertEqual(1, claim.attempt)
        claim.finish()
