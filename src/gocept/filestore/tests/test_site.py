"""What `bin/docs` does; here without Sphinx."""
import gocept.filestore.tests.test_papers
import importlib.util
import pathlib
import re
import tempfile


CHECKOUT = gocept.filestore.tests.test_papers.CHECKOUT
PACKAGE = gocept.filestore.tests.test_papers.PACKAGE


class Site(gocept.filestore.tests.test_papers.Case):

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

    def test_knows_where_the_files_of_a_checkout_are_shown(self):
        address = self.part('place').address
        main = 'https://github.com/gocept/gocept.filestore/%s/main/%s'
        self.assertEqual(
            [main % ('blob', 'docs/logrotate.conf'),
             main % ('tree', 'docs/systemd'), main % ('blob', '.ci/run')],
            [address(name) for name in (
                'docs/logrotate.conf', 'docs/systemd', '.ci/run')])
        self.assertEqual([None] * 4, [address(name) for name in (
            'docs/other', 'docs', 'setup.py', 'orders/new/a')])

    def test_has_words_in_the_index_for_pages_only(self):
        words = re.findall(r"^    '(\S+)': \[",
                           self.read('docs/manual/index.py'), re.MULTILINE)
        self.assertIn('chapters/event', words)
        self.assertEqual(set(), set(words) - set(self.listed()))

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
