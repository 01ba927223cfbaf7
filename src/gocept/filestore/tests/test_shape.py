import ast
import gocept.filestore
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import importlib
import inspect
import pathlib
import pickle
import subprocess
import sys
import unittest
import zope.interface.interfaces
import zope.interface.verify


PACKAGE = pathlib.Path(gocept.filestore.__file__).parent
EDGES = {'cli', 'zcml', 'testing'}
COMMANDS = {'cli_file', 'cli_serve', 'cli_upkeep', 'cli_work'}  # for `cli`
MEMORY = {'memory_space', 'memory_attempt', 'memory_claim', 'memory_watch',
          'memory_queue', 'memory_publish', 'memory_part', 'memory_intent',
          'memory_batch', 'memory_status', 'memory'}
HARNESS = {'fault', 'trace', *MEMORY}  # for `testing` only
CORE = {'interfaces', 'process', 'name', 'move', 'space', 'layout', 'lock',
        'draft', 'copy', 'publish', 'retry', 'history', 'journal', 'attempt',
        'failed', 'listing', 'claim', 'register', 'record', 'recovery',
        'queue', 'clean', 'status', 'guard', 'file_system', 'lease', 'quiet',
        'selection', 'folder', 'marker', 'delivery', 'intake', 'deed',
        'intent', 'settlement', 'part', 'batch', 'probe', 'notification',
        'watch', 'event', 'selected', 'filestore'}
# They have contracts, too.
UPPER = {'finding', 'datamanager', 'consumer', 'declaration', 'deployment',
         'server'}

# What classes of one module say to each other.
INSIDE = {
    'Claim': {'done', 'drop', 'told', 'check', 'is_of'},
    'Publishing': {'key', 'twice', 'deed', 'draft', 'prepare', 'check', 'undo',
                   'let_go', 'carry_out', 'give_up', 'is_possible', 'kind',
                   'tell'},
    'Publication': {'tell'},
    'Watch': {'wake'},
    'DataManager': {'claim', 'rollback', 'is_over'}}


def modules():
    """Yield the name and the tree of each module of the package."""
    for path in sorted(PACKAGE.glob('*.py')):
        yield path.stem, ast.parse(path.read_text(encoding='utf-8'))


def imports(tree):
    """Yield the full names of what a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            start = getattr(node, 'module', None)
            yield from ('.'.join(filter(None, (start, alias.name)))
                        for alias in node.names)


def ours(tree):
    prefix = 'gocept.filestore.'
    return {name[len(prefix):].split('.')[0] for name in imports(tree)
            if name.startswith(prefix)}


class Interfaces(gocept.filestore.tests.case.Case):

    def classes(self):
        for name in sorted(CORE - {'interfaces'} | UPPER | MEMORY):
            module = importlib.import_module('gocept.filestore.' + name)
            for _, class_ in inspect.getmembers(module, inspect.isclass):
                yield class_

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
                self.assertLessEqual(
                    public - set(interface.names(all=True)), {
                        'file', *INSIDE.get(class_.__name__, ())})


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


class Imports(unittest.TestCase):

    def test_the_ground_floor_stands_alone(self):
        trees = dict(modules())
        ground = {'interfaces', 'file_system', 'process'}
        for name in ground:
            self.assertEqual(set(), ours(trees[name]))
        for name in ('name', 'move'):
            self.assertLessEqual(ours(trees[name]), ground)

    def test_nobody_imports_an_edge(self):
        for name, tree in modules():
            edges = EDGES if name == 'cli' else EDGES | COMMANDS
            if name not in HARNESS | {'testing'}:
                edges = edges | HARNESS
            self.assertEqual(set(), ours(tree) & edges, name)

    def test_the_core_imports_only_the_core(self):
        for name, tree in modules():
            if name in CORE:
                self.assertLessEqual(ours(tree), CORE, name)

    def test_all_point_down(self):
        below = {name: ours(tree) for name, tree in modules()}
        done = set()
        while ready := {name for name in below if below[name] <= done} - done:
            done |= ready
        self.assertEqual(set(), set(below) - done)

    def test_modules_are_imported_and_not_names(self):
        for name, tree in modules():
            self.assertEqual([], [
                node.module for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom)], name)

    def test_file_store_imports_no_more_than_it_needs(self):
        script = ('from gocept.filestore import FileStore\n'
                  'import sys\n'
                  'print(FileStore.__name__, *sys.modules)')
        output = subprocess.check_output(
            [sys.executable, '-c', script], text=True,
            env=gocept.filestore.tests.case.environment())
        found, *names = output.split()
        self.assertEqual('FileStore', found)
        for name in ('transaction', 'zope.component', 'zope.configuration',
                     'zope.schema', 'click', 'tqdm', 'asyncio',
                     'gocept.filestore.cli',
                     'gocept.filestore.zcml'):
            self.assertNotIn(name, names)


class PublicNames(unittest.TestCase):

    def test_file_store(self):
        self.assertIs(gocept.filestore.filestore.FileStore,
                      gocept.filestore.FileStore)

    def test_listed(self):
        for name in gocept.filestore.__all__:
            self.assertTrue(hasattr(gocept.filestore, name))

    def test_no_others(self):
        with self.assertRaises(AttributeError) as raised:
            gocept.filestore.Store  # noqa: B018
        self.assertIn("'Store'", str(raised.exception))
