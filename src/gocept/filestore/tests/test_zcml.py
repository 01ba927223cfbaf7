import gocept.filestore
import gocept.filestore.interfaces
import gocept.filestore.server.declaration
import gocept.filestore.tests.case
import gocept.filestore.zcml
import os
import types
import unittest.mock
import zope.component
import zope.configuration.config
import zope.configuration.exceptions
import zope.configuration.xmlconfig
import zope.interface.interfaces
import zope.interface.verify
import zope.schema
import zope.testing.cleanup


WRAPPED = """
<configure
    xmlns="http://namespaces.zope.org/zope"
    xmlns:filestore="http://namespaces.gocept.com/filestore">
  <include package="gocept.filestore" />
  %s
</configure>
"""


class Case(gocept.filestore.tests.case.Case):
    """Each test has no utilities, and a package of its own."""

    def setUp(self):
        super().setUp()
        zope.testing.cleanup.cleanUp()
        self.addCleanup(zope.testing.cleanup.cleanUp)
        environment = unittest.mock.patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        os.environ.pop('GOCEPT_FILESTORE', None)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        self.package = types.ModuleType('package')
        self.package.__path__ = [str(self.directory / 'package')]
        os.mkdir(self.directory / 'package')

    def write(self, name, snippet):
        (self.directory / 'package' / name).write_text(WRAPPED % snippet)

    def load(self, snippet=''):
        self.write('configure.zcml', snippet)
        return zope.configuration.xmlconfig.file(
            'configure.zcml', self.package)

    def lookup(self, name=''):
        return zope.component.getUtility(
            gocept.filestore.interfaces.IFileStore, name=name)

    def loaded(self, attributes):
        self.load('<filestore:store %s />' % attributes)
        return self.lookup()


class Store(Case):

    def test_provides_the_contract(self):
        zope.interface.verify.verifyObject(
            gocept.filestore.interfaces.IFileStore,
            self.loaded('path="store"'))

    def test_schema_and_handler_agree(self):
        # The handler's defaults count, the schema's are for the reader.
        defaults = dict(zip(
            ('name', 'durable', 'prepare', 'file_mode', 'directory_mode',
             'retry_policy', 'quiet', 'in_doubt', 'permission'),
            gocept.filestore.zcml.store.__defaults__, strict=True))
        fields = zope.schema.getFields(gocept.filestore.zcml.IStoreDirective)
        self.assertEqual({**defaults, 'path': None}, {
            name: field.default for name, field in fields.items()})

    def test_defaults(self):
        store = self.loaded('path="/x"')
        self.assertEqual(
            ('/x', True, None, None),
            (store.path, store.durable, store.file_mode,
             store.directory_mode))

    def test_durable(self):
        for word, durable in [('yes', True), ('no', False), ('true', True),
                              ('false', False)]:
            store = self.loaded('path="/x" durable="%s"' % word)
            self.assertEqual(durable, store.durable, word)

    def test_modes(self):
        store = self.loaded(
            'path="/x" file_mode="0640" directory_mode="7777"')
        self.assertEqual(
            (0o640, 0o7777), (store.file_mode, store.directory_mode))

    def test_modes_reach_the_disk(self):
        store = self.loaded(
            'path="store" file_mode="664" directory_mode="2775"')
        with self.umask(0o077):
            with store.publish('a'):
                pass
        self.assertMode(0o664, 'package/store/new/a')
        self.assertMode(0o2775, 'package/store/new')

    def test_bad_modes(self):
        for mode in ['', '8', 'u+x', '-1', '10000', '1' * 50]:
            for name in ('file_mode', 'directory_mode'):
                self.check_bad(name, mode)

    def check_bad(self, name, mode):
        with self.assertRaises(
                zope.configuration.exceptions.ConfigurationError) as raised:
            self.loaded('path="/x" %s="%s"' % (name, mode))
        message = str(raised.exception)
        self.assertIn("Invalid value for '%s'" % name, message)
        self.assertIn('an octal number like 660, not %r' % mode, message)

    def test_variable_that_is_not_set(self):
        with self.assertRaisesRegex(
                zope.configuration.exceptions.ConfigurationError,
                "Invalid value for 'path'\n.*\n.*there is no such variable in "
                'the environment'):
            self.loaded('path="$STROES/orders"')

    def test_retry_policy(self):
        store = self.loaded('path="a" retry_policy="%s.ONCE"'
                            % gocept.filestore.tests.case.__name__)
        self.assertIs(gocept.filestore.tests.case.ONCE, store.retry_policy)

    def test_bad_retry_policies(self):
        for name in ('gocept.filestore.FileStore', 'gocept.filestore.Policy'):
            with self.assertRaises(
                    zope.configuration.exceptions.ConfigurationError) as error:
                self.load('<filestore:store path="a" retry_policy="%s" />'
                          % name)
            self.assertIn('retry_policy', str(error.exception))

    def test_quiet(self):
        self.assertEqual(1.5, self.loaded('path="a" quiet="1.5"').quiet)

    def test_in_doubt(self):
        for policy in ('commit', 'abort'):
            self.assertEqual(policy, self.loaded(
                'path="a" in_doubt="%s"' % policy).in_doubt)

    def test_bad_in_doubt(self):
        with self.assertRaises(Exception) as error:
            self.load('<filestore:store path="a" in_doubt="perhaps" />')
        self.assertIn('in_doubt', str(error.exception))

    def test_bad_quiet(self):
        for value in ('-1', 'long'):
            with self.assertRaises(
                    zope.configuration.exceptions.ConfigurationError) as error:
                self.load('<filestore:store path="a" quiet="%s" />' % value)
            self.assertIn('quiet', str(error.exception))

    def test_unknown_attribute(self):
        with self.assertRaises(
                zope.configuration.exceptions.ConfigurationError):
            self.load('<filestore:store path="/x" directory="/y" />')


class Path(Case):

    def expanded(self, path):
        return self.loaded('path="%s"' % path).path

    def test_home(self):
        os.environ['HOME'] = '/home/someone'
        self.assertEqual('/home/someone/a', self.expanded('~/a'))

    def test_variables(self):
        os.environ['STORES'] = '/stores'
        self.assertEqual('/stores/a', self.expanded('$STORES/a'))
        self.assertEqual('/stores2/a', self.expanded('${STORES}2/a'))

    def test_relative_to_the_package(self):
        package = self.package.__path__[0]
        self.assertEqual(package + '/a/b', self.expanded('a/b'))
        self.assertEqual(str(self.directory / 'a'), self.expanded('../a'))

    def test_blanks(self):
        self.assertEqual('/a b/ü', self.expanded(' /a b/ü '))

    def test_empty(self):
        for path in ('', ' '):
            with self.assertRaisesRegex(
                    zope.configuration.exceptions.ConfigurationError,
                    "Invalid value for 'path'"):
                self.expanded(path)


class FirstUse(Case):
    """Nothing is made on the disk before a store is used."""

    uses = {
        'prepare': lambda store: store.prepare(),
        'create': lambda store: store.create('a').close(),
        'publish': lambda store: store.publish('a').__enter__().close(),
        'list': lambda store: store.list('new'),
        'list failed': lambda store: store.list('failed'),
        'claim': lambda store: store.claim(),
        'claims': lambda store: list(store.claims())}

    def test_makes_the_directories(self):
        for name, use in self.uses.items():
            path = self.directory / ('store to %s' % name)
            store = self.loaded('path="%s"' % path)
            self.assertFalse(path.exists())
            use(store)
            if name != 'list failed':
                self.assertTrue((path / 'new').is_dir(), name)

    def test_makes_nothing_if_told_so(self):
        for name, use in self.uses.items():
            path = self.directory / ('store to %s' % name)
            store = self.loaded('path="%s" prepare="no"' % path)
            if name in ('prepare', 'list failed'):
                continue
            with self.assertRaises(
                    gocept.filestore.interfaces.NotPrepared, msg=name):
                use(store)
            self.assertFalse(path.exists())

    def test_prepare_works_if_told_so(self):
        store = self.loaded('path="store" prepare="no"')
        store.prepare()
        self.assertEqual([], store.list('new'))

    def test_file_not_there_is_no_reason_to_make_a_store_in_vain(self):
        store = self.loaded('path="store"')
        with self.assertRaises(FileNotFoundError):
            store.remove('a', 'new')
        self.assertEqual([], store.list('new'))


class Name(Case):

    def test_twice_in_one_file(self):
        with self.assertRaises(
                zope.configuration.config.ConfigurationConflictError):
            self.load('<filestore:store name="a" path="/x" />'
                      '<filestore:store name="a" path="/y" />')

    def test_twice_in_included_files(self):
        self.write('one.zcml', '<filestore:store name="a" path="/1" />')
        self.write('two.zcml', '<filestore:store name="a" path="/2" />')
        with self.assertRaises(
                zope.configuration.config.ConfigurationConflictError):
            self.load('<include file="one.zcml" /><include file="two.zcml" />')

    def test_who_includes_wins(self):
        self.write('one.zcml', '<filestore:store name="a" path="/1" />')
        self.load('<include file="one.zcml" />'
                  '<filestore:store name="a" path="/own" />')
        self.assertEqual('/own', self.lookup('a').path)

    def test_overrides(self):
        self.write('one.zcml', '<filestore:store name="a" path="/1" />')
        self.write('overrides.zcml', '<filestore:store name="a" path="/2" />'
                   '<filestore:store name="default" path="/3" />')
        self.load('<include file="one.zcml" />'
                  '<includeOverrides file="overrides.zcml" />')
        self.assertEqual('/2', self.lookup('a').path)
        self.assertEqual('/3', self.lookup('default').path)

    def test_application_replaces_the_default(self):
        self.load('<filestore:store name="default" path="/own" />')
        self.assertEqual('/own', self.lookup('default').path)

    def test_several(self):
        self.load('<filestore:store name="a" path="/1" />'
                  '<filestore:store name="b" path="/2" />'
                  '<filestore:store path="/3" />')
        names = sorted(name for name, store in zope.component.getUtilitiesFor(
            gocept.filestore.interfaces.IFileStore))
        self.assertEqual(['', 'a', 'b', 'default'], names)

    def test_included_twice(self):
        context = self.load('<filestore:store path="/1" />'
                            '<include package="gocept.filestore" />')
        self.assertEqual('/1', self.lookup().path)
        for name in ('configure.zcml', 'meta.zcml'):
            zope.configuration.xmlconfig.file(
                name, gocept.filestore, context)

    def test_loaded_twice(self):
        before = self.loaded('path="store"')
        with before.publish('a'):
            pass
        store = self.loaded('path="store"')
        self.assertIsNot(before, store)
        self.assertEqual(before.list('new'), store.list('new'))
        self.assertEqual(1, len(store.list('new')))

    def test_directive_alone(self):
        # meta.zcml registers nothing.
        zope.configuration.xmlconfig.file('meta.zcml', gocept.filestore)
        with self.assertRaises(
                zope.interface.interfaces.ComponentLookupError):
            self.lookup('default')


class Default(Case):

    def test_in_the_working_directory(self):
        self.load()
        store = self.lookup('default')
        self.assertEqual(
            str(self.directory.resolve() / 'var' / 'filestore'), store.path)
        self.assertTrue(store.durable)

    def test_stays_when_the_working_directory_changes(self):
        self.load()
        os.chdir('/')
        with self.lookup('default').publish('a'):
            pass
        self.assertEqual(
            ['a'], os.listdir(self.directory / 'var' / 'filestore' / 'new'))

    def test_environment(self):
        for path, expected in [('/x', '/x'), ('', 'var/filestore'),
                               ('a b', 'a b')]:
            os.environ['GOCEPT_FILESTORE'] = path
            self.load()
            self.assertEqual(os.path.join(os.getcwd(), expected),
                             self.lookup('default').path)

    def test_nothing_is_made(self):
        self.load()
        self.lookup('default')
        self.assertEqual(
            ['package', 'store'], sorted(os.listdir(self.directory)))


class Consumer(Case):

    def test_schema_and_handler_agree(self):
        fields = zope.schema.getFields(
            gocept.filestore.zcml.IConsumerDirective)
        consumer = gocept.filestore.server.declaration.Declaration('s', **{
            name: field.default for name, field in fields.items()
            if name not in ('store', 'handler')}, handler=len)
        self.assertEqual(None, consumer.workers)
        zope.component.provideUtility(
            self.store, gocept.filestore.interfaces.IFileStore, 's')
        consumer.check()

    def assertRefused(self, message, attributes):
        with self.assertRaisesRegex(
                zope.configuration.exceptions.ConfigurationError, message):
            self.load('<filestore:consumer store="s" %s />' % attributes)

    def test_no_handler(self):
        self.assertRefused(
            'a consumer has either a handler or a utility', '')
        self.assertRefused(
            'a consumer has either a handler or a utility',
            'handler="builtins.len" utility="x"')

    def test_bad_handler(self):
        for name in ('builtins.int', 'sys.path'):
            self.assertRefused('a handler is a function or another callable '
                               'object, not ', 'handler="%s"' % name)

    def test_bad_options(self):
        for option in ('workers="0"', 'order="size"', 'rate="fast"',
                       'retry_policy="builtins.len"', 'keep="perhaps"'):
            self.assertRefused("Invalid value for '%s'"
                               % option.split('=')[0],
                               'handler="builtins.len" ' + option)

    def test_two_with_one_name(self):
        with self.assertRaises(
                zope.configuration.config.ConfigurationConflictError):
            self.load(
                '<filestore:consumer store="s" handler="builtins.len" />'
                '<filestore:consumer store="s" handler="builtins.len" />')
        self.load(
            '<filestore:consumer store="s" handler="builtins.len" />'
            '<filestore:consumer store="s" name="b" handler="builtins.len" />')
        self.assertEqual(['s', 's/b'], [
            declaration.title for declaration in
            gocept.filestore.server.declaration.declarations()])


class Intake(Case):

    def setUp(self):
        super().setUp()
        os.mkdir(self.directory / 'in')

    def intake(self, attributes=''):
        self.load('<filestore:store name="s" path="$S" durable="no" />'
                  '<filestore:intake store="s" directory="../in" %s />'
                  % attributes)
        return gocept.filestore.server.declaration.declared(
            's', directory=str(self.directory / 'in'))

    def load(self, *args):
        os.environ['S'] = str(self.path)
        return super().load(*args)

    def test_schema_and_handler_agree(self):
        fields = zope.schema.getFields(gocept.filestore.zcml.IIntakeDirective)
        gocept.filestore.server.declaration.Intake(
            's', '/', **{name: field.default for name, field in fields.items()
                         if name not in ('store', 'directory', 'quiet')})

    def test_options(self):
        for name in ('a.xml', 'b.xml', 'c.txt'):
            (self.directory / 'in' / name).touch()
        worker = self.intake(
            'include="*.xml" exclude="b*" quiet="0" poll="3"').worker()
        worker.stop()
        worker.run()
        self.assertEqual({'new': ['a.xml']}, self.tree())

    def assertRefused(self, message, attributes):
        with self.assertRaisesRegex(
                zope.configuration.exceptions.ConfigurationError, message):
            self.intake(attributes)

    def test_marker_and_quiet_period(self):
        self.assertRefused('an intake has either a marker or a quiet period',
                           'marker=".done" quiet="5"')

    def test_bad_options(self):
        for option in ('quiet="-1"', 'quiet="long"', 'poll="often"'):
            self.assertRefused("Invalid value for '%s'" % option.split('=')[0],
                               option)
        self.assertRefused('Unrecognized', 'handler="builtins.len"')

    def test_bad_directory(self):
        for path in ('', '$NOWHERE/in'):
            with self.assertRaisesRegex(
                    zope.configuration.exceptions.ConfigurationError,
                    "Invalid value for 'directory'"):
                self.load('<filestore:intake store="s" directory="%s" />'
                          % path)

    def test_told_when_it_is_looked_at(self):
        with self.assertRaisesRegex(
                gocept.filestore.interfaces.InvalidDeclaration,
                '^File ".*configure.zcml", line 6.*: intake: the time '
                'between two looks'):
            self.intake('poll="0"')

    def test_two_with_one_title(self):
        # It is what the server, the log and the component architecture know.
        with self.assertRaisesRegex(
                zope.configuration.config.ConfigurationConflictError,
                r"For: \('filestore', 's/a'\)"):
            self.load(''.join(
                '<filestore:consumer %s handler="builtins.len" />' % words
                for words in ('store="s" name="a"', 'store="s/a"')))

    def test_consumer_with_the_name_of_the_folder(self):
        folder = str(self.directory / 'in')
        self.intake('/>\n<filestore:consumer store="s" name="%s" '
                    'handler="builtins.len"' % folder)
        self.assertEqual(['s from ' + folder, 's/' + folder], [
            declaration.title for declaration in
            gocept.filestore.server.declaration.declarations()])

    def test_two_with_one_folder(self):
        one = '<filestore:intake store="%s" directory="../in" />'
        with self.assertRaises(
                zope.configuration.config.ConfigurationConflictError):
            self.load(2 * one % ('s', 's'))
        self.load(2 * one % ('s', 't'))
        path = self.directory / 'in'
        self.assertEqual(['s from %s' % path, 't from %s' % path], [
            declaration.title for declaration in
            gocept.filestore.server.declaration.declarations()])
