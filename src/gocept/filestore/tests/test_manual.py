"""The chapters of the manual begin, end and name others as readers expect."""

import gocept.filestore.disk.layout
import gocept.filestore.tests.test_papers
import re


PACKAGE = gocept.filestore.tests.test_papers.PACKAGE
CHECKOUT = gocept.filestore.tests.test_papers.CHECKOUT
LINK = re.compile(r'(?<!`)`([\w/-]+\.txt)`(?!`)')
# What is told where it is first used in the order of reading.
WORDS = 'prepare=True', 'claims', 'watch'


def chapters():
    """Return the texts of all chapters, by the paths that README names."""
    return {str(path.relative_to(PACKAGE)): path.read_text(encoding='utf-8')
            for path in sorted(PACKAGE.rglob('*.txt'))}


def pages():
    """Return what can be named: chapters, and all other pages."""
    docs = CHECKOUT / 'docs'
    examples = CHECKOUT.glob('examples/*/README.txt')
    return chapters().keys() | {
        *(str(path.relative_to(docs)) for path in docs.rglob('*.txt')),
        *(str(path.relative_to(CHECKOUT)) for path in examples)}


def order():
    """Return the paths of the chapters in the order to read them in."""
    index = (CHECKOUT / 'docs/index.txt').read_text(encoding='utf-8')
    return ['%s.txt' % name for name in re.findall(
        r'^ +chapters/(\S+)$', index, re.MULTILINE)]


def prose(text):
    """Return the text without its examples and what they print."""
    return '\n\n'.join(block for block in re.split('\n\n+', text)
                       if not block.startswith(('>>>', ' ')))


class Chapter(gocept.filestore.tests.test_papers.Case):

    def test_begins_with_what_one_can_do_then(self):
        for name, text in chapters().items():
            title, rule, blank, opening = text.split('\n', 3)
            opening, _, _ = opening.partition('\n\n')
            with self.subTest(name):
                self.assertEqual(('=' * len(title), ''), (rule, blank))
                self.assertRegex(opening, '^After this chapter you can ')
                self.assertLessEqual(len(opening.splitlines()), 4)

    def test_has_250_lines_at_most(self):
        self.assertEqual({}, {
            name: len(text.splitlines()) for name, text in chapters().items()
            if len(text.splitlines()) > 250})

    def test_ends_with_where_to_go_on(self):
        for name, text in chapters().items():
            _, _, ending = text.rpartition('\n\n\n')
            heading, rule, _, ending = ending.split('\n', 3)
            with self.subTest(name):
                self.assertEqual('Where to go on', heading)
                self.assertEqual('-' * len(heading), rule)
                self.assertIn(len(LINK.findall(ending)), (1, 2, 3))
                self.assertNotIn(name, LINK.findall(ending))
                self.assertNotIn('\n\n', ending)

    def test_what_it_names_is_a_chapter_or_a_page(self):
        for name, text in chapters().items():
            with self.subTest(name):
                self.assertEqual(
                    set(), set(LINK.findall(prose(text))) - pages())

    def test_words_are_told_where_they_are_first_used(self):
        texts = chapters()
        self.assertEqual(set(texts), set(order()))
        for word in WORDS:
            used = re.compile(r'^(?:>>>|\.\.\.) .*\b%s\b' % word, re.MULTILINE)
            first = next(name for name in order()
                         if used.search(texts[name]))
            with self.subTest(word, chapter=first):
                self.assertRegex(prose(texts[first]), '`%s`' % word)


class Page(gocept.filestore.tests.test_papers.Case):

    def test_names_chapters_and_guides_as_they_are_called(self):
        """The site makes no link of a name that it does not know."""
        names = {name.rpartition('/')[2] for name in chapters()}
        docs = CHECKOUT / 'docs'
        found = [path for pattern in (
                     '*.txt', 'guides/*.txt', 'reference/*.txt')
                 for path in docs.glob(pattern)]
        self.assertGreater(len(found), 3)
        for path in found:
            links = LINK.findall(prose(path.read_text(encoding='utf-8')))
            with self.subTest(path.name):
                self.assertEqual(set(), {
                    link for link in links if link.startswith('guides/')
                    or link.rpartition('/')[2] in names} - pages())


class Glossary(gocept.filestore.tests.test_papers.Case):

    def setUp(self):
        _, _, text = self.read('docs/glossary.txt').partition(
            '.. glossary::\n\n')
        self.entries = dict(re.findall(
            r'^ {4}(\S.*)\n((?: {8}.+\n)+)', text, re.MULTILINE))

    def test_is_in_alphabetical_order(self):
        terms = [term.lower() for term in self.entries]
        self.assertEqual(sorted(terms), terms)

    def test_has_each_space(self):
        self.assertEqual(
            set(), set(gocept.filestore.disk.layout.ALL) - set(self.entries))

    def test_says_where_more_is_told(self):
        for term, text in self.entries.items():
            with self.subTest(term):
                links = set(LINK.findall(text))
                self.assertTrue(links)
                self.assertEqual(set(), links - pages())
