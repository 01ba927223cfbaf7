"""Writes the pages of reference, from the code that they are about."""
import ast
import gocept.filestore
import gocept.filestore.interfaces
import gocept.filestore.testing
import importlib.metadata
import inspect
import manual.configuration
import manual.definition
import manual.directive
import manual.role
import pathlib
import re
import sphinx.util.docutils
import zope.interface


INTERFACES = 'gocept.filestore.interfaces'
# What one makes by hand; all else is returned by a verb of these.
CLASSES = ('gocept.filestore.FileStore', 'gocept.filestore.RetryPolicy',
           'gocept.filestore.consumer.Consumer')
EVENT = gocept.filestore.interfaces.IFileStoreEvent
PACKAGE = pathlib.Path(gocept.filestore.__file__).parent


class Generated(sphinx.util.docutils.SphinxDirective):
    """The directive ``.. generated:: WHAT``; WHAT is a function of `PAGES`."""

    required_arguments = 1

    def run(self):
        lines = PAGES[self.arguments[0]]()
        return self.parse_text_to_nodes(
            '\n'.join(lines), allow_section_headings=True)


def contracts(wanted):
    """Return the names that are defined with the contracts, in that order."""
    return [name for name, thing in vars(gocept.filestore.interfaces).items()
            if getattr(thing, '__module__', None) == INTERFACES
            and wanted(thing)]


def interfaces():
    return documented('autointerface', contracts(
        lambda thing: manual.role.is_interface(thing)
        and not thing.isOrExtends(EVENT)))


def classes():
    for name in CLASSES:
        yield f'.. autoclass:: {name}'
        yield ''


def events():
    return documented('autointerface', contracts(
        lambda thing: manual.role.is_interface(thing)
        and thing.isOrExtends(EVENT)))


def errors():
    return documented('autoexception', contracts(manual.role.is_error))


def documented(directive, names):
    """Yield what lets Sphinx show each of them with all that it has."""
    for name in names:
        yield f'.. {directive}:: {INTERFACES}.{name}'
        if directive == 'autointerface':
            yield '   :members:'
        if has_bases(name):
            yield '   :show-inheritance:'
        yield ''


def has_bases(name):
    """Tell whether there is something to say of them."""
    bases = getattr(gocept.filestore.interfaces, name).__bases__
    return bases != (zope.interface.Interface,)


def loggers():
    for path in sorted(PACKAGE.rglob('*.py')):
        tree = ast.parse(path.read_text(encoding='utf-8'))
        if 'tests' not in path.parts and any(map(is_logger, ast.walk(tree))):
            yield from manual.definition.definition(dotted(path), 'logger', [
                *ast.get_docstring(tree).splitlines(), '', *messages(tree)])


def is_logger(node):
    return isinstance(node, ast.Call) and (
        ast.unparse(node) == 'logging.getLogger(__name__)')


def dotted(path):
    path = path.relative_to(PACKAGE.parents[1]).with_suffix('')
    return '.'.join(path.parts)


def messages(tree):
    """Yield what a module logs, with its level, where it says so at once."""
    for node in ast.walk(tree):
        if level := level_of(node):
            yield f'- {level}: ``{node.args[0].value}``'


def level_of(node):
    """Return the level of a call that logs, if it says in words what."""
    found = isinstance(node, ast.Call) and re.fullmatch(
        r'logger\.(debug|info|warning|error)', ast.unparse(node.func))
    message = found and getattr(node.args[0], 'value', None)
    return message and re.search('[a-z]{2}', message) and found[1]


def extras():
    metadata = importlib.metadata.metadata('gocept.filestore')
    for extra in sorted(metadata.get_all('Provides-Extra')):
        yield from manual.definition.definition(
            extra, 'extra', wanted(metadata, extra))


def wanted(metadata, extra):
    """Yield what pip installs for an extra."""
    for requirement in metadata.get_all('Requires-Dist'):
        name, _, marker = requirement.partition(';')
        if marker.strip() == f'extra == "{extra}"':
            yield f'- ``{name.strip()}``'


def testing():
    """Yield what lets Sphinx show what tests call."""
    found = [name for name, thing in vars(gocept.filestore.testing).items()
             if callable(thing)]
    for name in found:
        thing = getattr(gocept.filestore.testing, name)
        is_class = inspect.isclass(thing)
        kind = 'autoclass' if is_class else 'autofunction'
        yield f'.. {kind}:: gocept.filestore.testing.{name}'
        if is_class:
            yield '   :members:'
            yield '   :special-members: __getitem__'
        yield ''


PAGES = {page.__name__: page for page in (
    classes, interfaces, events, errors, loggers, extras, testing,
    manual.configuration.configuration, manual.directive.directives)}
