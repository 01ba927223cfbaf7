import ast
import gocept.filestore
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import gocept.filestore.tests.house
import importlib
import inspect
import pathlib
import pickle
import subprocess
import sys
import tempfile
import unittest
import zope.interface.interfaces
import zope.interface.verify


HOUSE = gocept.filestore.tests.house.House()
# Who may go to whom. Each line goes to lines above it only.
DIRECTIONS = {
    'interfaces': '',
    '__init__': '',
    'event': 'interfaces',
    'disk': 'interfaces',
    'publish': 'disk event interfaces',
    'retry': 'publish disk interfaces',
    'clean': 'retry disk interfaces',
    'queue': 'retry disk event interfaces',
    'batch': 'queue retry publish disk event interfaces',
    'intake': 'publish disk event interfaces',
    'status': 'disk',
    'filestore': 'batch queue retry intake clean status publish disk event '
                 'interfaces',
    'datamanager': 'publish interfaces',
    'consumer': 'datamanager retry disk interfaces',
    'server': 'consumer retry disk interfaces',
    'security': '',
    'zcml': 'filestore server security interfaces',
    'monitor': 'disk interfaces',
    'doctor': 'monitor batch retry disk interfaces',
    'web': 'monitor disk interfaces',
    'pyramid': 'web datamanager filestore interfaces',
    'cli': 'web monitor filestore server consumer doctor retry disk '
           'interfaces',
    'testing': 'filestore disk interfaces'}
EDGES = {'cli', 'pyramid', 'zcml', 'testing'}
# What lives in an application that is not installed here.
ELSEWHERE = {'web.zope'}
# Where one imports when it is needed, which may be never.
LATE = {'cli', 'testing'}

# What classes of one module say to each other.
PART = {'announcement', 'fail', 'join', 'move', 'refuse', 'source', 'sync',
        'tell', 'undo', 'write'}
INSIDE = {
    'Claim': {'check', 'done', 'drop', 'given_back', 'go_on', 'has_failed',
              'pauses', 'tell'},
    'Publication': {'announcement', 'write'},
    'Publishing': {'announce', 'announcement', 'begin', 'check', 'is_held',
                   'join', 'publish_alone', 'twice', 'undo', 'write'},
    'Part': PART,
    'Copy': {*PART, 'delivery'},
    'Group': {'add', 'flush'},
    'DataManager': {'claim', 'rollback', 'is_over'},
    'Watch': {'recovered'},
    'Store': {'advance', 'close'}}  # for tests


def package_modules():
    for name in HOUSE.modules:
        if name not in ELSEWHERE and not name.endswith('__main__'):
            yield importlib.import_module(
                ('gocept.filestore.' + name).removesuffix('.__init__'))


class Interfaces(gocept.filestore.tests.case.Case):

    def classes(self):
        for module in package_modules():
            for _, class_ in inspect.getmembers(module, inspect.isclass):
                if class_.__module__ == module.__name__:
                    yield class_

    def implementations(self):
        """Yield classes with each interface of ours that they implement."""
        for class_ in self.classes():
            declared = zope.interface.implementedBy(class_).declared
            for interface in declared:
                if interface.__module__ == 'gocept.filestore.interfaces':
                    yield class_, interface

    def test_help_shows_the_words_of_the_contract(self):
        seen = set()
        for class_, interface in self.implementations():
            self.assertIn(
                '\n\n' + inspect.cleandoc(interface.__doc__).strip(),
                inspect.getdoc(class_), class_)
            for name, described in interface.namesAndDescriptions(all=True):
                attribute = inspect.getattr_static(class_, name, None)
                if attribute is None or isinstance(
                        attribute, str | int | tuple | bool):
                    continue  # an object has it, or it is a plain value
                seen.add((class_.__name__, name))
                self.assertEqual(
                    inspect.cleandoc(described.__doc__).strip(),
                    inspect.getdoc(attribute).strip(),
                    '%s.%s' % (class_, name))
        for name in 'publish', 'claim', 'clean', 'status':
            self.assertIn(('FileStore', name), seen)
        self.assertIn(('Claim', 'path'), seen)

    def test_verbs_come_first_and_errors_last(self):
        found = [(node.name, any('Error' in ast.unparse(base)
                                 or 'Exception' in ast.unparse(base)
                                 for base in node.bases))
                 for node in HOUSE.trees['interfaces'].body
                 if isinstance(node, ast.ClassDef)]
        self.assertEqual(['IQueue', 'IWritable', 'IFileStore'],
                         [name for name, _ in found[:3]])
        kinds = [is_error for _, is_error in found]
        self.assertEqual(sorted(kinds), kinds)

    def test_each_is_implemented_and_each_class_keeps_its_contract(self):
        implemented = set()
        for class_ in self.classes():
            for interface in zope.interface.implementedBy(class_):
                zope.interface.verify.verifyClass(interface, class_)
                implemented.update(interface.__iro__)
        promised = {
            interface for _, interface in inspect.getmembers(
                gocept.filestore.interfaces, inspect_interface)}
        # This one is for applications to implement.
        promised.remove(gocept.filestore.interfaces.IHandler)
        self.assertEqual(promised, {
            interface for interface in implemented
            if interface.__module__ == 'gocept.filestore.interfaces'})
        self.assertIn(gocept.filestore.interfaces.IClaim, promised)

    def test_objects(self):
        self.put('new', 'a')
        claim = self.store.claim()
        for interface, obj in (
                (gocept.filestore.interfaces.IFileStore, self.store),
                (gocept.filestore.interfaces.IPublication,
                 self.store.publish('a')),
                (gocept.filestore.interfaces.IClaim, claim)):
            self.assertTrue(zope.interface.verify.verifyObject(
                interface, obj))
        claim.finish()

    def test_public_methods_are_those_of_the_contract(self):
        for class_ in self.classes():
            for interface in zope.interface.implementedBy(class_):
                if interface.__module__.startswith('zope.'):
                    continue  # what each tuple is
                public = {name for name in dir(class_) if name[0] != '_'}
                self.assertEqual(
                    public - set(interface.names(all=True)) - {'file'},
                    INSIDE.get(class_.__name__, set()), class_)


def inspect_interface(obj):
    return isinstance(obj, zope.interface.interfaces.IInterface.__class__)


class Errors(unittest.TestCase):

    builtins = {
        'InvalidName': (ValueError, OSError),
        'InvalidSpace': (ValueError,),
        'NotPrepared': (FileNotFoundError,),
        'InTheWay': (FileExistsError, NotADirectoryError),
        'NotRegular': (OSError,),
        'NoSuchFile': (FileNotFoundError,),
        'NameTaken': (FileExistsError,),
        'DraftInUse': (FileExistsError,),
        'Settled': (ValueError,),
        'ClaimLost': (OSError,),
        'ForeignClaim': (ValueError,),
        'OutsideTransaction': (RuntimeError,)}

    def errors(self):
        for name in self.builtins:
            class_ = getattr(gocept.filestore.interfaces, name)
            yield name, class_('the-file', '/the/store', 'the reason')

    def test_all_of_them(self):
        # Some say what is to be done, or are the disk's own.
        others = {'FileStoreError', 'InvalidDeclaration', 'NotSynced',
                  'Reject', 'Retry'}
        found = {
            name for name, obj in vars(gocept.filestore.interfaces).items()
            if inspect.isclass(obj) and issubclass(obj, Exception)}
        self.assertEqual(found - others, set(self.builtins))

    def test_are_the_builtins_too(self):
        for name, error in self.errors():
            for builtin in self.builtins[name]:
                self.assertIsInstance(error, builtin)
            self.assertIsInstance(
                error, gocept.filestore.interfaces.FileStoreError)

    def test_say_file_store_and_reason(self):
        for _, error in self.errors():
            for fact in ("'the-file'", "'/the/store'", 'the reason'):
                self.assertIn(fact, str(error))

    def test_say_nothing_wrong_to_who_asks_as_for_an_os_error(self):
        for _, error in self.errors():
            if not isinstance(error, OSError):
                continue
            self.assertIsInstance(error.errno, int)
            self.assertEqual('the-file', error.filename)
            self.assertNotEqual('/the/store', error.strerror)
            self.assertIsNone(error.filename2)

    def test_pickle(self):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            for _, error in self.errors():
                copied = pickle.loads(pickle.dumps(error, protocol))
                self.assertIs(type(error), type(copied))
                self.assertEqual(str(error), str(copied))
                self.assertEqual(
                    (error.filename, error.store, error.reason, error.errno),
                    (copied.filename, copied.store, copied.reason,
                     copied.errno))


class House(unittest.TestCase):

    def test_each_wing_goes_where_it_may(self):
        self.assertEqual(
            {wing: set(others.split()) for wing, others in DIRECTIONS.items()},
            HOUSE.arrows())

    def test_all_directions_point_down(self):
        above = set(DIRECTIONS)
        for wing, others in reversed(DIRECTIONS.items()):
            above.remove(wing)
            self.assertLessEqual(set(others.split()), above, wing)

    def test_nobody_imports_an_edge(self):
        for name in HOUSE.modules:
            wing = gocept.filestore.tests.house.wing_of(name)
            self.assertEqual(set(), {
                other for other in HOUSE.imports[name]
                if gocept.filestore.tests.house.wing_of(other)
                in EDGES - {wing}}, name)

    def test_modules_go_in_no_circle_either(self):
        below = {name: HOUSE.imports[name] & set(HOUSE.modules)
                 for name in HOUSE.modules}
        done = set()
        while ready := {name for name in below if below[name] <= done} - done:
            done |= ready
        self.assertEqual(set(), set(below) - done)

    def test_figures(self):
        figures = HOUSE.figures()
        del figures['lines']  # an aim: house.py tells how far away it is
        for title, figure in figures.items():
            self.assertLessEqual(
                figure, gocept.filestore.tests.house.MOST[title], title)

    def test_figures_see_what_is_there(self):
        self.assertIn('disk.move', HOUSE.modules)
        self.assertIn('queue.queue', HOUSE.importers('disk.lock'))
        self.assertLess(9000, HOUSE.lines())

    def test_they_are_printed(self):
        output = subprocess.check_output(
            [sys.executable, '-m', 'gocept.filestore.tests.house'], text=True,
            env=gocept.filestore.tests.case.environment())
        for line in ('floor 0: __init__, interfaces', 'disk > interfaces',
                     'modules on top .* of +13 at most'):
            self.assertRegex(output, line)

    def test_names_that_are_imported_count_as_well(self):
        tree = ast.parse('from gocept.filestore.disk import move')
        self.assertEqual(['gocept.filestore.disk.move'], list(
            gocept.filestore.tests.house.imported(tree)))

    def test_a_circle_is_seen(self):
        with tempfile.TemporaryDirectory() as directory:
            for name, text in {
                    'one/__init__': '', 'two/__init__': '', 'alone': '',
                    'one/a': 'import gocept.filestore.two.b',
                    'two/b': 'def late():\n'
                             '    import gocept.filestore.one.a'}.items():
                path = pathlib.Path(directory, name + '.py')
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
            house = gocept.filestore.tests.house.House(
                pathlib.Path(directory))
            self.assertEqual(([['alone']], ['one', 'two']), house.floors())
            self.assertEqual({'one': {'two'}, 'two': {'one'}, 'alone': set()},
                             house.arrows())
            self.assertEqual(['one.a', 'two.b'], house.alone())


class Modules(unittest.TestCase):

    def test_each_says_what_lives_in_it(self):
        for name, tree in HOUSE.trees.items():
            words = ast.get_docstring(tree)
            self.assertTrue(words, name)
            self.assertRegex(words, '[.:]\n|[.:]$', name)

    def test_modules_are_imported_and_not_names(self):
        for name, tree in HOUSE.trees.items():
            self.assertEqual([], [
                node.module for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom)], name)

    def test_disk_alone_asks_a_directory_for_a_name(self):
        # Other hosts may have changed it: there each look is anew. A folder
        # that is taken in is moved by name, and the doctor tries things out.
        self.assertEqual({'intake.folder'}, {
            name for name, tree in HOUSE.trees.items()
            if gocept.filestore.tests.house.wing_of(name) not in (
                'disk', 'doctor')
            for node in ast.walk(tree) if isinstance(node, ast.keyword)
            and str(node.arg).endswith('dir_fd')})

    def test_what_is_imported_is_used_and_what_is_used_is_imported(self):
        paths = pathlib.Path(gocept.filestore.interfaces.__file__).parent
        for path in paths.rglob('*.py'):
            tree = ast.parse(path.read_text(encoding='utf-8'))
            self.assertEqual(
                [], gocept.filestore.tests.house.unused(tree), path)
            self.assertEqual(
                [], gocept.filestore.tests.house.missing(tree), path)

    def test_a_name_whose_module_is_not_imported_is_seen(self):
        tree = ast.parse('import gocept.filestore.disk.move\n'
                         'gocept.filestore.disk.move.sync(1)\n'
                         'gocept.filestore.disk.lock.hold(1, 2)\n')
        self.assertEqual(['gocept.filestore.disk.lock',
                          'gocept.filestore.disk.lock.hold'],
                         gocept.filestore.tests.house.missing(tree))

    def test_an_import_that_nobody_uses_is_seen(self):
        tree = ast.parse('import gocept.filestore.disk.move\n'
                         'import gocept.filestore.disk.lock\n'
                         'gocept.filestore.disk.lock.hold(1, 2)\n')
        self.assertEqual(['gocept.filestore.disk.move'],
                         gocept.filestore.tests.house.unused(tree))

    def test_imports_stand_on_top(self):
        for name, tree in HOUSE.trees.items():
            if gocept.filestore.tests.house.wing_of(name) in LATE:
                continue
            late = {node for scope in ast.walk(tree)
                    if isinstance(scope, ast.FunctionDef)
                    for node in ast.walk(scope)
                    if isinstance(node, ast.Import)}
            # Only Zope itself can start Zope.
            self.assertLessEqual({
                alias.name for node in late for alias in node.names},
                {'ZConfig', 'Zope2.Startup.run', 'inotify_simple',
                 'prometheus_client'}, name)


class Imported(gocept.filestore.tests.case.Case):
    """What a process has imported by then: whoever starts it waits for it."""

    file_store = {'filestore', '__init__',
                  *DIRECTIONS['filestore'].split()}

    def imported(self, script, *args):
        """Return names of ours, and of what was installed, and the others."""
        output = subprocess.check_output(
            [sys.executable, '-c', 'import sys\nbefore = set(sys.modules)\n'
             + script + '\nprint(*set(sys.modules) - before)', *args],
            text=True, env=gocept.filestore.tests.case.environment())
        names = output.splitlines()[-1].split()
        ours = {name[len(gocept.filestore.tests.house.PREFIX):] or '__init__'
                for name in names if name.startswith('gocept.filestore')}
        installed = {name.partition('.')[0] for name in names}
        return (ours, installed - set(sys.stdlib_module_names) - {
            'gocept', 'coverage'}, set(names))

    def command(self, *args):
        return self.imported(
            'import gocept.filestore.__main__\n'
            'gocept.filestore.__main__.main(sys.argv[1:])', *args)

    def wings(self, ours):
        return set(map(gocept.filestore.tests.house.wing_of, ours))

    def test_package(self):
        ours, installed, names = self.imported('import gocept.filestore')
        self.assertEqual(({'__init__'}, set()), (ours, installed))

    def test_file_store(self):
        ours, installed, names = self.imported(
            'from gocept.filestore import FileStore')
        self.assertEqual(self.file_store, self.wings(ours))
        self.assertEqual({'zope'}, installed)
        for name in ('zope.component', 'zope.configuration', 'zope.schema',
                     'asyncio', 'ctypes.util', 'importlib.metadata',
                     'inspect', 'subprocess'):
            self.assertNotIn(name, names)

    def test_version(self):
        ours, installed, names = self.command('--version')
        self.assertEqual({'__init__', '__main__', 'cli', 'cli.command',
                          'cli.terminal'}, ours)
        self.assertEqual({'click'}, installed)

    def test_list(self):
        ours, installed, names = self.command('list', str(self.path))
        self.assertEqual(
            {'__main__', 'cli', 'cli.argument', 'cli.command', 'cli.file',
             'cli.terminal'},
            {name for name in ours
             if gocept.filestore.tests.house.wing_of(name) == 'cli'})
        self.assertEqual(self.file_store | {'cli', 'monitor'},
                         self.wings(ours))
        self.assertEqual({'click', 'zope'}, installed)
        for name in ('asyncio', 'ctypes.util', 'importlib.metadata',
                     'subprocess'):
            self.assertNotIn(name, names)


class PublicNames(unittest.TestCase):

    def test_file_store(self):
        self.assertIs(gocept.filestore.filestore.FileStore,
                      gocept.filestore.FileStore)

    def test_listed(self):
        for name in gocept.filestore.__all__:
            self.assertTrue(hasattr(gocept.filestore, name))
            self.assertIn(name, dir(gocept.filestore))

    def test_no_others(self):
        with self.assertRaises(AttributeError) as raised:
            gocept.filestore.Store  # noqa: B018
        self.assertIn("'Store'", str(raised.exception))
