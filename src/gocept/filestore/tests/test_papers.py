"""What the papers of a checkout say of the house is true of it.

An installed package has none of them.
"""

import ast
import gocept.filestore.cli.command
import gocept.filestore.disk.file_system
import gocept.filestore.disk.layout
import gocept.filestore.doctor.examination
import gocept.filestore.doctor.kind
import gocept.filestore.monitor.health
import gocept.filestore.monitor.place
import gocept.filestore.tests.case
import gocept.filestore.tests.doctor
import gocept.filestore.tests.test_stories
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest


PACKAGE = pathlib.Path(str(gocept.filestore.tests.test_stories.PACKAGE))
CHECKOUT = PACKAGE.parents[2]
RULE = re.compile('^=+  =+$', re.MULTILINE)


@unittest.skipUnless((CHECKOUT / 'README.txt').is_file(),
                     'only a checkout has the papers')
class Case(unittest.TestCase):

    def read(self, name):
        return (CHECKOUT / name).read_text(encoding='utf-8')


class Readme(Case):

    def test_names_of_chapters_are_different_in_a_store(self):
        names = [path.name for path in PACKAGE.rglob('*.txt')]
        self.assertGreater(len(names), 30)
        self.assertEqual(len(names), len(set(names)))

    def test_first_command_publishes_each_chapter(self):
        patterns = re.findall(
            r' (src/gocept/filestore/\S*\.txt)', self.read('README.txt'))
        self.assertEqual(
            sorted(map(str, PACKAGE.rglob('*.txt'))),
            sorted(str(path) for pattern in patterns
                   for path in CHECKOUT.glob(pattern)))


class Dependencies(Case):

    def dependencies(self):
        """Yield what setup.py asks for, but what is ours."""
        call = ast.parse(self.read('setup.py')).body[-1].value
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        extras = ast.literal_eval(given['extras_require'])
        for names in [ast.literal_eval(given['install_requires']),
                      *extras.values()]:
            yield from (name for name in names
                        if not name.startswith('gocept.filestore['))

    def test_each_has_a_bound_that_is_tried(self):
        bounds = [re.sub(r'\[\w+\]', '', name).replace('>=', '==')
                  for name in self.dependencies()]
        self.assertIn('zope.interface==5.5.1', bounds)
        tried = re.findall(
            '^[^#].*', self.read('.ci/oldest.txt').replace('-', '_'),
            re.MULTILINE)
        self.assertEqual(
            sorted(bound.replace('-', '_') for bound in bounds),
            sorted(tried))


class Hacking(Case):

    def tables(self):
        """Return the rows of each table, by what is left of them."""
        _, *pieces = RULE.split(self.read('HACKING.txt'))
        return [re.findall(r'^(\S+) {2,}(\S.*(?:\n .+)*)', piece, re.MULTILINE)
                for piece in pieces[::2]]

    def test_map_has_what_is_on_top(self):
        top, *_ = self.tables()
        self.assertEqual(
            sorted(path.stem for path in PACKAGE.glob('*.py')),
            sorted(name.strip('`') for name, _ in top))

    def test_map_has_the_wings(self):
        _, wings, *_ = self.tables()
        found = {path.parent.name for path in PACKAGE.glob('*/__init__.py')}
        self.assertEqual(
            sorted(found - {'tests'}), sorted(name for name, _ in wings))

    def test_map_has_the_modules_of_each_wing(self):
        _, wings, *_ = self.tables()
        for wing, row in wings:
            modules = {path.stem for path in (PACKAGE / wing).glob('*.py')}
            self.assertEqual(
                set(), modules - {'__init__'} - set(re.findall(r'\w+', row)))

    def test_files_that_it_names_are_there(self):
        text = self.read('HACKING.txt')
        names = re.findall(r'``([a-z_/.-]+\.(?:py|txt|zcml|cfg))``', text)
        self.assertIn('disk/move.py', names)
        self.assertEqual([], [
            name for name in names
            if not any(CHECKOUT.glob(name))
            and not any(PACKAGE.rglob(name))])


class Benchmarks(Case):

    def test_what_was_measured_is_there(self):
        readme = self.read('benchmarks/README.txt')
        names = re.findall('`(docs/[^`]+)`', readme)
        self.assertEqual(4, len(names))
        for name in names:
            self.assertTrue(self.read(name), name)

    def test_tables_name_the_python_and_its_build(self):
        _, *tables = re.split(
            r'^\w+\n=+\n', self.read('docs/benchmarks.txt'),
            flags=re.MULTILINE)
        self.assertGreater(len(tables), 5)
        for table in tables:
            self.assertRegex(table, r'CPython [\d.]+, \S+ \(.*GCC.* -O\d\)')


class WhatToDo(Case):
    """The guide has each state of a file, and each finding of the doctor."""

    def setUp(self):
        self.text = self.read('docs/guides/what-to-do.txt')
        self.words = ' '.join(self.text.replace('`', '').split())

    def headings(self):
        return re.findall(r'^(.+)\n~{3,}$', self.text, re.MULTILINE)

    def assertTold(self, phrases, at_least):
        phrases = sorted(set(phrases))
        self.assertGreaterEqual(len(phrases), at_least)
        self.assertEqual(
            [], [phrase for phrase in phrases if phrase not in self.words])

    def test_has_each_space_and_state(self):
        headings = ' '.join(self.headings())
        for space in gocept.filestore.disk.layout.ALL:
            self.assertIn('`%s`' % space, headings)
        state = gocept.filestore.monitor.place.state
        states = [state({'space': 'work', 'due': None, 'alive': alive})
                  for alive in (True, False, None)]
        due = state({'space': 'work', 'due': 0, 'alive': None})
        self.assertTold([
            *gocept.filestore.monitor.place.STATES.values(), *states,
            due.partition(',')[0]], 8)

    def test_has_each_measure_of_the_monitoring(self):
        self.assertTold([
            longest(measure.words) for measure
            in gocept.filestore.monitor.health.MEASURES.values()], 6)

    def test_has_each_subject_of_the_doctor_in_its_order(self):
        seen = [look.__name__
                for look in gocept.filestore.doctor.examination.SEEN]
        told = re.findall(r'\w+', ' '.join(self.headings()))
        subjects = [*gocept.filestore.tests.doctor.SUBJECTS, 'mount', *seen]
        self.assertEqual(
            subjects, told[told.index(subjects[0]):])

    def test_has_each_sentence_of_the_doctor(self):
        texts = [path.read_text(encoding='utf-8')
                 for path in (PACKAGE / 'doctor').glob('*.py')]
        self.assertTold(map(longest, filter(None, (
            phrase for text in texts for phrase in sentences(text)))), 35)

    def test_has_each_kind_of_thing_that_does_not_belong_there(self):
        kinds = gocept.filestore.doctor.kind.KINDS.values()
        self.assertTold([kind.one for kind in kinds]
                        + [kind.why[:40] for kind in kinds], 20)

    def test_has_each_weakness_of_a_mount(self):
        found = vars(gocept.filestore.disk.file_system).values()
        weakness = gocept.filestore.disk.file_system.Weakness
        reasons = [value.reason for value in found
                   if isinstance(value, weakness)]
        reasons.append(gocept.filestore.disk.file_system.ONE_HOST)
        self.assertTold([longest(reason)[:40] for reason in reasons], 5)


def sentences(source):
    """Yield what is said by findings that are not ok, in a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition('.')[2]
            place = {'note': 0, 'problem': 0, 'told': 2}.get(name)
            if place is not None:
                yield from strings(node.args[place])
        elif isinstance(node, ast.FunctionDef) and node.name in (
                'find_entrance', 'find_end'):
            for returned in ast.walk(node):
                if isinstance(returned, ast.Return):
                    yield from strings(returned.value)


def strings(node):
    """Yield the strings in an expression, and not what is put into them."""
    if isinstance(node, ast.BinOp):
        yield from strings(node.left)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def longest(sentence):
    """Return the longest piece that is the same each time."""
    pieces = re.split(r'%(?:\.\d)?\w', sentence)
    return max((piece.strip(' ,:;') for piece in pieces), key=len)


class Guide(Case):
    """What the guide for Plone shows of the example, which types it."""

    def test_its_code_is_that_of_the_example(self):
        example = '\n'.join(
            self.without_indentation(path.read_text(encoding='utf-8'))
            for path in (CHECKOUT / 'examples/plone').rglob('*')
            if path.suffix in ('.conf', '.py', '.zcml'))
        guide = self.read('docs/guides/plone.txt')
        shown = re.findall(r'::\n\n((?: {4}.*\n|\n)+)', guide)
        self.assertEqual(7, len(shown))
        for block in shown[1:]:
            self.assertIn(self.without_indentation(block), example)

    def without_indentation(self, text):
        return '\n'.join(map(str.strip, text.strip().splitlines()))


class Pages(Case):
    """The manual pages, which are built of the commands."""

    @unittest.skipUnless(shutil.which('man'), 'there is no man(1)')
    @gocept.filestore.tests.case.slow
    def test_each_command_has_one(self):
        with tempfile.TemporaryDirectory() as directory:
            subprocess.run(
                [sys.executable, CHECKOUT / '.ci/man.py', directory, '2.0'],
                env=gocept.filestore.tests.case.environment(), check=True)
            pages = sorted(pathlib.Path(directory).iterdir())
            self.assertEqual(
                ['filestore-%s' % name for name in sorted(
                    gocept.filestore.cli.command.PLACES)] + ['filestore'],
                [page.stem for page in pages])
            shown = subprocess.run(
                ['man', '--warnings', '-E', 'UTF-8', '-l', *pages], text=True,
                env={**os.environ, 'LC_ALL': 'C.UTF-8', 'MANWIDTH': '80'},
                capture_output=True, check=True)
        self.assertEqual('', shown.stderr)
        self.assertRegex(shown.stdout, r'\n *--max-delay TIME\n')


class Hooks(Case):

    def test_have_the_same_linter(self):
        pinned = re.search(
            r'^ruff = (.+)$', self.read('versions.cfg'), re.MULTILINE)
        hooks = self.read('.pre-commit-config.yaml')
        _, _, linter = hooks.partition('/ruff-pre-commit\n')
        self.assertEqual(
            [pinned[1]], re.findall(r'rev: v(\S+)', linter))
