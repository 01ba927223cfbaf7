import gocept.filestore.datamanager
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.security
import gocept.filestore.tests.test_zcml
import transaction
import zope.component
import zope.interface
import zope.security.interfaces
import zope.security.management
import zope.security.permission
import zope.security.proxy


@zope.interface.implementer(zope.security.interfaces.IParticipation)
class Visitor:

    principal = 'anybody'
    interaction = None


class Security(gocept.filestore.tests.test_zcml.Case):

    def setUp(self):
        super().setUp()
        self.addCleanup(zope.security.management.endInteraction)
        zope.component.provideUtility(
            zope.security.permission.Permission('shop.Import'),
            zope.security.interfaces.IPermission, 'shop.Import')

    def untrusted(self, permission='zope.Public'):
        """Return the store as it is given to untrusted code."""
        store = self.loaded(
            'path="%s" permission="%s"' % (self.path, permission))
        return zope.security.proxy.ProxyFactory(store)

    def test_needs_the_permission(self):
        store = self.untrusted('shop.Import')
        zope.security.management.newInteraction(Visitor())
        for verb in gocept.filestore.interfaces.IFileStore.names(all=True):
            with self.assertRaises(zope.security.interfaces.Unauthorized):
                getattr(store, verb)

    def test_trusted_code_needs_none(self):
        store = self.loaded('path="%s" permission="shop.Import"' % self.path)
        self.assertEqual([], store.list('new'))
        self.assertTrue(gocept.filestore.interfaces.IFileStore.providedBy(
            store))

    def test_what_it_returns_may_be_used(self):
        store = self.untrusted()
        with store.publish('a') as file:
            file.write('content')
        with store.claim() as claim, claim.open() as file:
            self.assertEqual('content', file.read())
        with store.batch() as batch, batch.publish('b') as file:
            file.write('content')
        next(store.claims()).release()
        next(store.select(['b']).claims()).release()
        watch = store.watch()
        next(watch).finish()
        watch.stop()
        store.intake(self.directory).take()
        self.assertEqual(['a', 'b'], self.tree()['cur'])

    def test_in_a_transaction(self):
        files = gocept.filestore.datamanager.TransactionalFileStore(
            self.untrusted())
        with transaction.manager:
            with files.publish('a') as file:
                file.write('content')
            self.assertNotIn('new', self.tree())
        self.assertEqual(['a'], self.tree()['new'])

    def test_nothing_but_the_contract(self):
        with self.assertRaises(zope.security.interfaces.ForbiddenAttribute):
            self.untrusted()._layout  # noqa: B018

    def test_without_zope_security(self):
        answer = self.child().run(
            'import sys\n'
            'sys.modules["zope.security"] = None\n'
            'sys.modules["zope.security.checker"] = None\n'
            'import gocept.filestore.security\n'
            'gocept.filestore.security.check(None)\n'
            'try:\n'
            '    gocept.filestore.security.check("shop.Import")\n'
            'except Exception as error:\n'
            '    answer = type(error).__name__, str(error)')
        self.assertEqual(
            ('ConfigurationError', 'a permission needs zope.security: '
             "pip install 'gocept.filestore[security]'"), answer)

    def test_twice(self):
        for _ in range(2):
            gocept.filestore.security.open_up(
                gocept.filestore.filestore.RETURNED)
