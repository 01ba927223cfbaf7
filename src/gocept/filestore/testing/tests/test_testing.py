import contextlib
import gocept.filestore.interfaces
import gocept.filestore.testing
import gocept.filestore.tests.story
import io
import os
import sys
import types
import unittest
import unittest.mock
import zope.component
import zope.testing.cleanup


class Helpers(unittest.TestCase):
    """What a story is given."""

    def setUp(self):
        odd = unittest.mock.patch.dict(os.environ, PYTHONOPTIMIZE='1')
        odd.start()
        self.addCleanup(odd.stop)
        self.before = os.getcwd(), dict(os.environ)
        self.test = types.SimpleNamespace(globs={})
        gocept.filestore.tests.story.set_up(self.test)
        self.addCleanup(self.tear_down)

    def tear_down(self):
        gocept.filestore.tests.story.tear_down(self.test)
        self.assertEqual(self.before, (os.getcwd(), dict(os.environ)))

    def printed(self, name, *args):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            self.test.globs[name](*args)
        return output.getvalue()

    def test_fresh_directory(self):
        self.assertEqual([], os.listdir())
        self.assertNotEqual(self.before[0], os.getcwd())

    def test_programs_go_by_no_variable_of_whoever_runs_the_tests(self):
        self.assertEqual('True\n0\n', self.printed(
            'python', 'print(__debug__)'))
        self.assertEqual('True\n', self.printed(
            'sh', '%s -c "print(__debug__)"' % sys.executable))

    def test_ls(self):
        self.assertEqual('', self.printed('ls', '.'))
        os.makedirs('x/y')
        for name in 'ba':
            with open('x/y/' + name, 'w'):
                pass
        self.assertEqual('a\nb\n', self.printed('ls', 'x', 'y'))

    def test_cat(self):
        with open('ü', 'w', encoding='utf-8') as file:
            file.write('ü\n')
        self.assertEqual('ü\n\n', self.printed('cat', 'ü'))

    def test_python(self):
        self.assertEqual('0\n', self.printed('python', 'pass'))
        self.assertEqual('3\n', self.printed('python', 'raise SystemExit(3)'))
        self.assertEqual('-9\n', self.printed(
            'python', 'import os; os.kill(os.getpid(), 9)'))

    def test_programs_find_the_packages_that_we_find(self):
        self.assertEqual('0\n', self.printed(
            'python', 'import sys; assert %r <= set(sys.path)' % {
                path for path in sys.path if os.path.isdir(path)}))

    def test_sh(self):
        self.assertEqual('a\n', self.printed('sh', 'echo a'))
        self.assertEqual('a\nexit status 2\n', self.printed(
            'sh', 'echo a >&2; exit 2'))
        self.assertEqual('', self.printed('sh', 'cat'))
        self.assertEqual("prepared 'a b'\n", self.printed(
            'sh', 'filestore prepare "a b"'))

    def test_tick(self):
        for name in 'ab':
            with open(name, 'w'):
                pass
            self.printed('tick', '.')
        self.assertLess(os.stat('a').st_ctime_ns, os.stat('b').st_ctime_ns)


class Layer(unittest.TestCase):
    """A fresh store for each test, as a utility."""

    def setUp(self):
        self.registry = zope.component.getGlobalSiteManager()
        self.addCleanup(zope.testing.cleanup.cleanUp)

    def lookup(self, name=''):
        return zope.component.queryUtility(
            gocept.filestore.interfaces.IFileStore, name=name)

    def test_looks_like_one(self):
        class Base:
            """Another layer."""

        layers = [gocept.filestore.testing.Layer('a', 'b', bases=[Base]),
                  gocept.filestore.testing.Layer('a', 'b')]
        self.assertEqual((Base,), layers[0].__bases__)
        self.assertEqual((), layers[1].__bases__)
        self.assertEqual(__name__, layers[0].__module__)
        self.assertRegex(
            layers[0].__name__, r"^Layer\('a', 'b'\):[0-9]+$")
        self.assertNotEqual(layers[0].__name__, layers[1].__name__)

    def test_each_test_has_fresh_stores(self):
        layer = gocept.filestore.testing.Layer('a', 'b')
        paths = set()
        for _ in range(2):
            layer.testSetUp()
            for name in 'ab':
                self.assertIs(layer[name], self.lookup(name))
                self.assertEqual(
                    {}, gocept.filestore.testing.names(layer[name]))
                gocept.filestore.testing.publish(layer[name], 'file')
                paths.add(layer[name].path)
            layer.testTearDown()
            self.assertEqual([], list(filter(os.path.exists, paths)))
            self.assertIsNone(self.lookup('a'))
            with self.assertRaises(KeyError):
                layer['a']
        self.assertEqual(4, len(paths))

    def test_options(self):
        layer = gocept.filestore.testing.Layer(in_doubt='abort')
        layer.testSetUp()
        self.addCleanup(layer.testTearDown)
        self.assertEqual(('abort', False), (
            self.lookup().in_doubt, self.lookup().durable))
        layer = gocept.filestore.testing.Layer('a', durable=True)
        layer.testSetUp()
        self.addCleanup(layer.testTearDown)
        self.assertTrue(layer['a'].durable)

    def test_what_was_registered_comes_back(self):
        before = gocept.filestore.testing.Store('elsewhere')
        self.registry.registerUtility(
            before, gocept.filestore.interfaces.IFileStore, 'a', 'info')
        layer = gocept.filestore.testing.Layer('a', 'b')
        layer.testSetUp()
        self.assertIsNot(before, self.lookup('a'))
        layer.testTearDown()
        self.assertIs(before, self.lookup('a'))
        [registration] = self.registry.registeredUtilities()
        self.assertEqual('info', registration.info)

    def test_whatever_the_test_has_registered_goes(self):
        layer = gocept.filestore.testing.Layer('a')
        for spoil in (zope.testing.cleanup.cleanUp,
                      lambda: self.registry.registerUtility(
                          gocept.filestore.testing.Store('elsewhere'),
                          gocept.filestore.interfaces.IFileStore, 'a')):
            layer.testSetUp()
            spoil()
            layer.testTearDown()
            self.assertIsNone(self.lookup('a'))

    def test_nothing_is_left_if_a_store_can_not_be_made(self):
        layer = gocept.filestore.testing.Layer('a', nonsense=True)
        with self.assertRaises(TypeError):
            layer.testSetUp()
        self.assertIsNone(self.lookup('a'))

    def test_tear_down_after_a_failed_set_up_has_nothing_to_do(self):
        layer = gocept.filestore.testing.Layer('a', nonsense=True)
        with self.assertRaises(TypeError):
            layer.testSetUp()
        layer.testTearDown()


class Look(unittest.TestCase):
    """The helpers that look at a store."""

    def setUp(self):
        layer = gocept.filestore.testing.Layer()
        layer.testSetUp()
        self.addCleanup(layer.testTearDown)
        self.store = layer['']

    def test_publish_and_read(self):
        store = self.store
        for name, content, mode in (
                ('a', 'ä', 'r'), ('b', b'\xff', 'rb'), ('c', '', 'r')):
            gocept.filestore.testing.publish(store, name, content)
            self.assertEqual(content, gocept.filestore.testing.read(
                store, 'new', name, mode))
        gocept.filestore.testing.publish(store, 'd')
        self.assertEqual(
            {'new': ['a', 'b', 'c', 'd']},
            gocept.filestore.testing.names(store))

    def test_names_in_all_spaces(self):
        store = self.store
        store.create('a').close()
        for name in 'bcde':
            gocept.filestore.testing.publish(store, name)
        store.move('c', 'new', 'cur')
        store.move('d', 'new', 'failed')
        with store.claim():
            self.assertEqual(
                {'tmp': ['a'], 'new': ['e'], 'cur': ['c'],
                 'work': ['b'], 'failed': ['d']},
                gocept.filestore.testing.names(store))

    def test_read_in_all_spaces(self):
        store = self.store
        gocept.filestore.testing.publish(store, 'a', 'text')
        with store.claim():
            self.assertEqual('text', gocept.filestore.testing.read(
                store, 'work', 'a'))
        store.copy('a', 'cur', 'tmp')
        self.assertEqual('text', gocept.filestore.testing.read(
            store, 'tmp', 'a'))
        self.assertEqual(
            {'tmp': ['a'], 'cur': ['a']},
            gocept.filestore.testing.names(store))

    def test_read_spoils_no_draft(self):
        store = self.store
        gocept.filestore.testing.publish(store, 'a', 'text')
        store.create('a').close()
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            gocept.filestore.testing.read(store, 'new', 'a')
        self.assertEqual(
            {'tmp': ['a'], 'new': ['a']},
            gocept.filestore.testing.names(store))
