"""What the papers of a checkout say of the house is true of it.

An installed package has none of them.
"""

import gocept.filestore.cli.command
import gocept.filestore.tests.case
import gocept.filestore.tests.test_stories
import importlib.util
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


class Site(Case):
    """What `bin/docs` builds; here without Sphinx."""

    def part(self, name):
        """Import a module of docs/manual that needs nothing else."""
        spec = importlib.util.spec_from_file_location(
            name, CHECKOUT / 'docs' / 'manual' / (name + '.py'))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def listed(self):
        """Return the pages of all toctrees, in their order."""
        text = self.read('docs/index.txt')
        trees = re.findall(
            r'^\.\. toctree::\n((?: {3}.*\n|\n)+)', text, re.MULTILINE)
        return re.findall(r'^ {3}([^:\s]\S*)$', ''.join(trees), re.MULTILINE)

    def names(self, top, pattern, prefix=''):
        return {prefix + str(path.relative_to(top).with_suffix(''))
                for path in top.glob(pattern)}

    def test_lists_each_page_once(self):
        docs = CHECKOUT / 'docs'
        pages = self.names(docs, '*.txt') - {'index'}
        pages |= self.names(docs, 'guides/*.txt')
        pages |= self.names(docs, 'reference/*.txt')
        pages |= self.names(PACKAGE, '**/*.txt', 'chapters/')
        pages |= self.names(CHECKOUT, 'examples/*/README.txt')
        self.assertEqual(
            sorted(pages | {'CHANGES', 'genindex'}), sorted(self.listed()))

    def test_knows_a_page_by_what_texts_call_it(self):
        page = self.part('place').page
        found = ('chapters/queue/watch', 'chapters/publish', 'design',
                 'guides/sftp', 'examples/zope/README', 'reference/interfaces')
        names = ('queue/watch.txt', 'watch.txt', 'publish.txt', 'design.txt',
                 'docs/design.txt', 'guides/sftp.txt', 'examples/zope',
                 'interfaces.py')
        self.assertEqual(
            ['chapters/queue/watch', 'chapters/queue/watch',
             'chapters/publish', 'design', 'design', 'guides/sftp',
             'examples/zope/README', 'reference/interfaces'],
            [page(name, found) for name in names])
        self.assertEqual([None] * 4, [page(name, found) for name in (
            'publish', 'other.txt', 'ch.txt', 'examples/other')])

    def check(self, **pages):
        with tempfile.TemporaryDirectory() as directory:
            for name, text in pages.items():
                stem, _, kind = name.rpartition('_')
                path = pathlib.Path(directory, '%s.%s' % (stem, kind))
                path.write_text(text, encoding='utf-8')
            return self.part('link').check(pathlib.Path(directory))

    def test_counts_links(self):
        self.assertEqual((3, []), self.check(
            a_html='<a href="b.html#x">b</a> <a href="#y">y</a> <p id="y">',
            b_html='<p id="x"><a href="https://example.com/z">z</a>'))

    def test_finds_a_link_that_leads_to_no_file(self):
        self.assertEqual((1, ['a.html: b.html leads to no file']), self.check(
            a_html='<a href="b.html">b</a>'))

    def test_finds_a_link_that_leads_to_no_place(self):
        self.assertEqual(
            (2, ['a.html: #y leads to no place in its page',
                 'a.html: b.html#x leads to no place in its page']),
            self.check(a_html='<a href="#y">y</a><a href="b.html#x">x</a>',
                       b_html='<p id="y">'))

    def test_finds_what_is_loaded_from_elsewhere(self):
        self.assertEqual(
            (3, ['a.html: //example.com/a.js is loaded from elsewhere',
                 'a.html: https://example.com/a.css is loaded from elsewhere',
                 'a.css: https://example.com/a.woff is loaded from '
                 'elsewhere']),
            self.check(
                a_html='<script src="//example.com/a.js"></script><link '
                       'href="https://example.com/a.css" rel="stylesheet">'
                       '<link href="https://example.com/" rel="canonical">',
                a_css='@font-face { src: url("https://example.com/a.woff") '
                      'url(data:font/woff2;base64,AA) }'))

    def test_shows_tables_of_contracts_as_definitions(self):
        self.assertEqual(
            ['Words:', '', '``a``', '    one,', '    two', '``longer_word``',
             '    three', ''],
            self.part('contract').rewritten(
                ['Words:', '', '    a         one,', '              two',
                 '    longer_word', '              three']))

    def test_shows_examples_of_contracts_as_they_are(self):
        self.assertEqual(
            ['Like this:', '', '.. code-block:: python', '',
             '    with a:', '        b()', ''],
            self.part('contract').rewritten(
                ['Like this:', '', '    with a:', '        b()']))


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
