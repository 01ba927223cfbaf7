import gocept.filestore.disk.lock
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import gocept.filestore.server.declaration
import gocept.filestore.tests.case
import os
import signal
import zope.component
import zope.interface
import zope.interface.verify
import zope.testing.cleanup


def handle(claim):
    claim.finish(keep=False)


class Case(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        zope.testing.cleanup.cleanUp()
        self.addCleanup(zope.testing.cleanup.cleanUp)
        self.register(self.store)

    def register(self, store):
        zope.component.provideUtility(
            store, gocept.filestore.interfaces.IFileStore, 's')

    def declaration(self, store='s', name='', handler=handle, **options):
        return gocept.filestore.server.declaration.Declaration(
            store, name, handler, place='here', **options)

    def assertInvalid(self, message, call):
        with self.assertRaises(
                gocept.filestore.interfaces.InvalidDeclaration) as raised:
            call()
        self.assertEqual('here: ' + message, str(raised.exception))


class Declaration(Case):

    def test_contract(self):
        zope.interface.verify.verifyObject(
            gocept.filestore.interfaces.IConsumerDeclaration,
            self.declaration())

    def test_consumer(self):
        self.put('new', 'a')
        self.declaration().consumer().drain()
        self.assertEqual({}, self.tree())

    def test_worker_is_the_consumer(self):
        self.put('new', 'a')
        self.declaration().worker().drain()
        self.assertEqual({}, self.tree())

    def test_titles(self):
        self.assertEqual(['s', 's/x', 'x', ''], [
            self.declaration(*names).title
            for names in [('s', ''), ('s', 'x'), ('', 'x'), ('', '')]])

    def test_handler_that_is_a_utility(self):
        self.put('new', 'a')
        declaration = self.declaration(handler=None, utility='remove')
        self.assertInvalid(
            "no handler 'remove' is registered", declaration.check)
        zope.component.provideUtility(
            handle, gocept.filestore.interfaces.IHandler, 'remove')
        declaration.consumer().drain()
        self.assertEqual({}, self.tree())

    def test_no_store(self):
        self.assertInvalid("no file store 'x' is registered",
                           self.declaration('x').check)

    def test_bad_options(self):
        for options, message in [
                ({'rate': 0}, 'a rate is a number of files per second above '
                 '0, not 0'),
                ({'timeout': -1}, 'a time limit is a number of seconds above '
                 '0, not -1'),
                ({'delay': 5.0, 'max_delay': 1.0}, 'the first delay is at '
                 'least 0 and not longer than the longest, not 5.0 and 1.0')]:
            self.assertInvalid(message, self.declaration(**options).check)

    def test_attempts_and_delays(self):
        self.put('new', 'a')

        def fail(claim):
            raise ValueError('no paper')

        declaration = self.declaration(
            handler=fail, attempts=2, delay=0, max_delay=0)
        with self.assertLogs('gocept.filestore', 'WARNING'):
            declaration.consumer().drain()
        self.assertEqual(['a'], self.tree()['failed'])
        self.assertEqual(2, self.store.failures()[0]['attempts'])

    def test_quiet(self):
        self.put('new', 'a')
        self.declaration(quiet=3600).consumer().drain()
        self.assertEqual({'new': ['a']}, self.tree())

    def test_without_transaction(self):
        answer = self.child().run(
            'import sys\n'
            'sys.modules["transaction"] = None\n'
            'import gocept.filestore.server.declaration\n'
            'import gocept.filestore.interfaces\n'
            'import zope.component\n'
            'zope.component.provideUtility(\n'
            '    store, gocept.filestore.interfaces.IFileStore)\n'
            'try:\n'
            '    gocept.filestore.server.declaration.Declaration(\n'
            '        "", handler=print, transactional=True).check()\n'
            'except gocept.filestore.interfaces.InvalidDeclaration as error:\n'
            '    answer = str(error)')
        self.assertEqual('the package transaction is not installed', answer)

    def test_transactional(self):
        self.put('new', 'a')

        def fail_once(claim):
            if claim.attempt == 1:
                raise gocept.filestore.interfaces.Retry(after=0)

        self.declaration(
            handler=fail_once, transactional=True).consumer().drain()
        self.assertEqual({'cur': ['a']}, self.tree())

    def test_works_until_it_is_stopped(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        declaration = self.declaration(
            handler=lambda claim: signal.raise_signal(signal.SIGTERM))
        zope.component.provideUtility(
            declaration, gocept.filestore.interfaces.IDeclaration, 's')
        self.put('new', 'a')
        self.put('new', 'b')
        gocept.filestore.server.declaration.work('s')
        self.assertEqual({'cur': ['a'], 'new': ['b']}, self.tree())

    def test_is_found(self):
        for name in ('', 'b', 'a'):
            declaration = self.declaration(name=name)
            zope.component.provideUtility(
                declaration, gocept.filestore.interfaces.IDeclaration,
                declaration.title)
        self.assertEqual(['s', 's/a', 's/b'], [
            declaration.title for declaration in
            gocept.filestore.server.declaration.declarations()])
        self.assertIs(declaration,
                      gocept.filestore.server.declaration.declared('s', 'a'))
        with self.assertRaisesRegex(
                gocept.filestore.interfaces.InvalidDeclaration,
                "^no consumer 'x' of the file store 's' is declared$"):
            gocept.filestore.server.declaration.declared('s', 'x')


class Intake(Case):

    def setUp(self):
        super().setUp()
        self.folder = self.directory / 'in'
        self.folder.mkdir()

    def intake(self, directory=None, store='s', **options):
        return gocept.filestore.server.declaration.Intake(
            store, str(directory or self.folder), place='here', **options)

    def test_contract(self):
        zope.interface.verify.verifyObject(
            gocept.filestore.interfaces.IDeclaration, self.intake())

    def test_is_one_process_with_a_title(self):
        intake = self.intake('/srv/in')
        self.assertEqual(('s from /srv/in', '', '/srv/in', 1), (
            intake.title, intake.name, intake.directory, intake.workers))

    def test_worker(self):
        for name in ('a.xml', 'b.txt', 'c.xml', 'c.xml.done'):
            (self.folder / name).touch()
        worker = self.intake(
            marker='.done', include=['*.xml'], exclude=['b*']).worker()
        zope.interface.verify.verifyObject(
            gocept.filestore.interfaces.ICollector, worker)
        worker.stop()
        worker.run()
        self.assertEqual({'new': ['c.xml']}, self.tree())

    def test_check_takes_nothing(self):
        (self.folder / 'a').touch()
        self.intake(quiet=0).check()
        self.assertEqual({}, self.tree())
        self.assertEqual(['.filestore', 'a'], sorted(os.listdir(self.folder)))

    def test_check_while_another_one_works(self):
        self.intake().check()
        held = gocept.filestore.disk.lock.hold(
            gocept.filestore.disk.space.Space(
                '', '', self.folder / '.filestore', False), '.lock')
        with held:
            self.intake().check()

    def test_no_store(self):
        self.assertInvalid("no file store 'x' is registered",
                           self.intake(store='x').check)

    def test_no_folder(self):
        path = self.directory / 'nowhere'
        self.assertInvalid('%r: No such file or directory' % str(path),
                           self.intake(path).check)

    def test_folder_in_the_store(self):
        path = str(self.path / 'new')
        self.assertInvalid(
            '%r in the file store %r: it is a part of the store; files are '
            'taken from outside' % (path, str(self.path)),
            self.intake(path).check)

    def test_bad_options(self):
        for options, message in [
                ({'marker': ''}, "'' can not be the suffix of a marker"),
                ({'poll': 0}, 'the time between two looks is a number of '
                 'seconds above 0, not 0')]:
            self.assertInvalid(message, self.intake(**options).check)

    @gocept.filestore.tests.case.needs_root('be somebody else')
    def test_forbidden(self):
        for space in ('tmp', 'new', 'cur', ''):
            self.path.joinpath(space).chmod(0o777)
        self.folder.chmod(0o777)
        with self.be_nobody():
            self.intake().check()
            self.folder.joinpath('.filestore').chmod(0o777)
        self.folder.chmod(0o555)
        with self.be_nobody():
            self.assertInvalid('%r: it may not be read and written' % str(
                self.folder), self.intake().check)

    def test_is_found_by_its_folder(self):
        # A consumer of that name, which would come first, is another one.
        folder = str(self.folder)
        intake, consumer = self.intake(), self.declaration(name=folder)
        for declaration in (intake, consumer):
            zope.component.provideUtility(
                declaration, gocept.filestore.interfaces.IDeclaration,
                declaration.title)
        declared = gocept.filestore.server.declaration.declared
        self.assertIs(intake, declared('s', directory=folder))
        self.assertIs(consumer, declared('s', folder))
        with self.assertRaisesRegex(
                gocept.filestore.interfaces.InvalidDeclaration,
                "^no intake '/x' of the file store 's' is declared$"):
            declared('s', directory='/x')


class Directories(Case):

    def check(self, **options):
        self.register(self.open_store(**options))
        self.declaration().check()

    def test_are_made(self):
        for path in self.path.iterdir():
            path.rmdir()
        self.check(prepare=True)
        self.assertEqual(['cur', 'new', 'tmp'], sorted(os.listdir(self.path)))

    def test_missing(self):
        self.path.joinpath('new').rmdir()
        self.assertInvalid(
            "the file store %r has no directory 'new': prepare() makes it"
            % str(self.path), self.check)

    @gocept.filestore.tests.case.needs_root('be somebody else')
    def test_forbidden(self):
        for space in ('tmp', 'new', 'cur'):
            self.path.joinpath(space).chmod(0o777)
        new, tmp = self.path / 'new', self.path / 'tmp'
        not_ours = 'it may not be read and written'
        for mode, path, named, reason in [
                (0o755, self.path, self.path, not_ours),
                (0o700, self.path, tmp, 'Permission denied'),
                (0o755, new, new, not_ours)]:
            self.path.chmod(0o777)
            path.chmod(mode)
            with self.be_nobody(), self.subTest(path=path, mode=mode):
                self.assertInvalid('%r: %s' % (str(named), reason), self.check)
