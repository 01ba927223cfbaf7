import gocept.filestore.interfaces
import gocept.filestore.server.declaration
import gocept.filestore.tests.case
import os
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
            gocept.filestore.interfaces.IDeclaration, self.declaration())

    def test_consumer(self):
        self.put('new', 'a')
        self.declaration().consumer().drain()
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
                 '0, not -1')]:
            self.assertInvalid(message, self.declaration(**options).check)

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
