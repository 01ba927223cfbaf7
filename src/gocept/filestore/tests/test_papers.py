"""What the papers of a checkout say of the house is true of it.

An installed package has none of them.
"""

import gocept.filestore.cli.command
import gocept.filestore.tests.case
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

    def chapters(self):
        """Return the paths of all stories, as README is to name them."""
        return {str(pathlib.Path(story).relative_to(PACKAGE))
                for story in gocept.filestore.tests.test_stories.stories()}

    def test_names_each_chapter_once_and_no_other(self):
        _, _, text = self.read('README.txt').partition('\nThe manual\n')
        text, _, _ = text.partition('\nUsing it\n')
        terms = re.findall('^`.*`$', text, re.MULTILINE)
        named = re.findall('`([^`]+)`', ' '.join(terms))
        self.assertEqual(sorted(self.chapters()), sorted(named))

    def test_names_of_chapters_are_different_in_a_store(self):
        names = [pathlib.Path(chapter).name for chapter in self.chapters()]
        self.assertEqual(len(names), len(set(names)))

    def test_first_command_publishes_each_chapter(self):
        patterns = re.findall(
            r' (src/gocept/filestore/\S*\.txt)', self.read('README.txt'))
        self.assertEqual(
            sorted(map(str, PACKAGE.rglob('*.txt'))),
            sorted(str(path) for pattern in patterns
                   for path in CHECKOUT.glob(pattern)))


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
