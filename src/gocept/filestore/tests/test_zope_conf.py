"""What Zope does is played here; examples/zope has the real one."""
import gocept.filestore.interfaces
import gocept.filestore.server.deployment
import gocept.filestore.tests.test_zcml
import os
import sys
import types
import ZConfig
import zope.component
import zope.configuration.exceptions


class Product(gocept.filestore.tests.test_zcml.Case):

    def zope_conf(self, **stores):
        """Have Zope read its configuration, which may name stores."""
        sections = {'gocept.filestore': stores} if stores else None
        options = types.SimpleNamespace(product_config=sections)
        module = types.ModuleType('App.config')
        module.getConfiguration = lambda: options
        sys.modules['App.config'] = module
        self.addCleanup(sys.modules.pop, 'App.config', None)

    def test_registers_stores(self):
        self.zope_conf(orders='/srv/orders', scans='~/scans', more='$X/y')
        os.environ.update(HOME='/home', X='/x')
        self.load()
        self.assertEqual(
            ['/srv/orders', '/home/scans', '/x/y'],
            [self.lookup(name).path for name in ('orders', 'scans', 'more')])

    def test_makes_the_directories_on_first_use(self):
        self.zope_conf(orders=str(self.directory / 'orders'))
        self.load()
        self.assertFalse((self.directory / 'orders').exists())
        self.lookup('orders').list('new')
        self.assertTrue((self.directory / 'orders').exists())

    def test_has_the_last_word(self):
        self.zope_conf(orders='/srv/orders')
        self.load('<filestore:store name="orders" path="/x" />'
                  '<filestore:store name="scans" path="/y" />')
        self.assertEqual(
            ['/srv/orders', '/y'],
            [self.lookup(name).path for name in ('orders', 'scans')])

    def test_nothing_there(self):
        self.zope_conf()
        self.load()
        self.assertEqual(['default'], [
            name for name, store in zope.component.getUtilitiesFor(
                gocept.filestore.interfaces.IFileStore)])

    def test_no_directory(self):
        for path in ('orders', '$NOWHERE/orders'):
            self.zope_conf(orders=path)
            with self.assertRaisesRegex(
                    zope.configuration.exceptions.ConfigurationError,
                    "<product-config gocept.filestore>: the directory of the "
                    "file store 'orders' is an absolute path, not"):
                self.load()


class LoadZope(gocept.filestore.tests.test_zcml.Case):

    def test_starts_zope(self):
        calls = []
        package, startup, run = [
            types.ModuleType(name) for name in (
                'Zope2', 'Zope2.Startup', 'Zope2.Startup.run')]
        run.configure_wsgi = lambda path: calls.append(path)
        package.startup_wsgi = lambda: calls.append('started')
        package.Startup, startup.run = startup, run
        for module in (package, startup, run):
            sys.modules[module.__name__] = module
            self.addCleanup(sys.modules.pop, module.__name__)
        gocept.filestore.server.deployment.load_zope('zope.conf')
        self.assertEqual(['zope.conf', 'started'], calls)

        def fail(path):
            raise ZConfig.ConfigurationSyntaxError('bad key', path, 3)

        run.configure_wsgi = fail
        with self.assertRaisesRegex(
                gocept.filestore.interfaces.InvalidDeclaration,
                '^bad key: .line 3 in zope.conf.$'):
            gocept.filestore.server.deployment.load_zope('zope.conf')
