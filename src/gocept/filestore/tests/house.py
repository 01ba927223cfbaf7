"""How large the house is, and who goes to whom in it.

    $ PYTHONPATH=src python3 -m gocept.filestore.tests.house

A wing is a sub-package; each module on top counts as one as well. An arrow
leads from one that imports to what is imported. Tests and stories are no part
of it; a wing's `__init__.py`, which says only who lives there, is no module.
"""
import ast
import pathlib


PACKAGE = pathlib.Path(__file__).resolve().parents[1]
PREFIX = 'gocept.filestore.'
MOST = {
    # 12 when the house was built, and Pyramid includes `pyramid`.
    'modules on top': 13,
    # 80 when the house was built. What is for whoever keeps it running came
    # after that: check, status, failed, collector, progress; and then the
    # page, with what it shares with the command line, monitor and web.
    'modules in all': 101,
    'modules in the largest wing': 13,
    'floors': 8,
    # 65 before there were monitor, web and `pyramid`.
    'arrows between wings': 76,
    'wings in a circle': 0,
    'modules with one importer, and no story or test': 15,
    'lines': 10000}


class House:
    """The modules below a directory, by their names, as syntax trees."""

    def __init__(self, package=PACKAGE):
        self._package = package
        self.files = {
            name_of(path.relative_to(package)): path
            for path in sorted(package.rglob('*.py'))
            if 'tests' not in path.relative_to(package).parts}
        self.trees = {name: ast.parse(path.read_text(encoding='utf-8'))
                      for name, path in self.files.items()}
        self.modules = [name for name, path in self.files.items()
                        if path.parent == package
                        or path.name != '__init__.py']
        # Which of our modules each of them imports, wherever in it.
        self.imports = {name: {
            module[len(PREFIX):] for module in imported(tree)
            if module.startswith(PREFIX)} - {name}
            for name, tree in self.trees.items()}

    def importers(self, name):
        return [other for other in self.modules if name in self.imports[other]]

    def arrows(self):
        """Return for each wing to which others it goes."""
        found = {wing_of(name): set() for name in self.modules}
        for name in self.modules:
            found[wing_of(name)] |= set(map(wing_of, self.imports[name]))
        return {wing: others - {wing} for wing, others in found.items()}

    def wing(self, wing):
        return [name for name in self.modules
                if '.' in name and wing_of(name) == wing]

    def wings(self):
        return sorted({wing_of(name) for name in self.modules if '.' in name})

    def floors(self):
        """Return lists of wings; each one goes to lower ones only.

        What is left are wings in a circle, and those above of them.
        """
        left, result = self.arrows(), []
        while ready := sorted(wing for wing, others in left.items()
                              if not others & set(left)):
            result.append(ready)
            for wing in ready:
                del left[wing]
        return result, sorted(left)

    def alone(self):
        """Return modules of one importer, with no story or test of their own.
        """
        return [name for name in self.modules
                if len(self.importers(name)) == 1 and not self._is_told(name)]

    def _is_told(self, name):
        path = self.files[name]
        return any(other.exists() for other in (
            path.with_suffix('.txt'),
            path.parent / 'tests' / ('test_%s.py' % path.stem)))

    def lines(self):
        return sum(len(path.read_text(encoding='utf-8').splitlines())
                   for path in self.files.values())

    def figures(self):
        floors, circle = self.floors()
        return {
            'modules on top': sum('.' not in name for name in self.modules),
            'modules in all': len(self.modules),
            'modules in the largest wing': max(
                len(self.wing(wing)) for wing in self.wings()),
            'floors': len(floors),
            'arrows between wings': sum(map(len, self.arrows().values())),
            'wings in a circle': len(circle),
            'modules with one importer, and no story or test': len(
                self.alone()),
            'lines': self.lines()}


def name_of(path):
    parts = path.with_suffix('').parts
    return '.'.join(parts[:-1] if len(parts) > 1 and parts[-1] == '__init__'
                    else parts)


def wing_of(name):
    # The one on top is a door of the command line.
    return 'cli' if name == '__main__' else name.partition('.')[0]


def imported(tree):
    """Yield the full names of what a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ('%s.%s' % (node.module, alias.name)
                        for alias in node.names)


def unused(tree):
    """Return which modules are imported, and not used by their full names.

    Each import of a module binds the name of its uppermost package, so who
    looks for unused names does not see them.
    """
    uses = {name for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and (name := dotted(node))}
    return sorted(
        name for name in plainly_imported(tree) if '.' in name and not any(
            use == name or use.startswith(name + '.') for use in uses))


def missing(tree):
    """Return which names of ours are used without an import of their module.

    They are found only as long as somebody else has imported it before.
    """
    has = set(plainly_imported(tree))
    uses = {name for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and (name := dotted(node))}
    return sorted(
        name for name in uses if name.startswith(PREFIX)
        and not any((name + '.').startswith(module + '.') or
                    (module + '.').startswith(name + '.') for module in has))


def plainly_imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names
                        if alias.asname is None)


def dotted(node):
    """Return the dotted name that an attribute is, or None."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        return '.'.join([node.id, *reversed(names)])


def main():
    house = House()
    for number, wings in enumerate(house.floors()[0]):
        print('floor %s: %s' % (number, ', '.join(wings)))
    print()
    for wing, others in sorted(house.arrows().items()):
        modules = [name.partition('.')[2] for name in house.wing(wing)]
        print('%s > %s' % (wing, ', '.join(sorted(others)) or 'nobody'))
        if modules:
            print('    %s: %s' % (len(modules), ', '.join(modules)))
    print('\none importer, and no story or test: %s\n' % ', '.join(
        house.alone()))
    for title, figure in house.figures().items():
        print('%-50s %6s of %6s at most%s' % (
            title, figure, MOST[title],
            '' if figure <= MOST[title] else ': NOT reached'))


if __name__ == '__main__':
    main()
