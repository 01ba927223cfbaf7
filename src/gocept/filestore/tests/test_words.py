"""Words: those of consumers in three places, and how all words are spelt."""

import ast
import click
import gocept.filestore.cli.run
import gocept.filestore.consumer
import gocept.filestore.filestore
import gocept.filestore.retry.policy
import gocept.filestore.tests.test_papers
import gocept.filestore.tests.test_stories
import gocept.filestore.zcml
import inspect
import pathlib
import re
import unittest


STORY = pathlib.Path(
    str(gocept.filestore.tests.test_stories.PACKAGE), 'consumer.txt')
RULE = re.compile('^=+  =+  =+  =+$', re.MULTILINE)
PYTHON = {
    'select': gocept.filestore.filestore.FileStore.select,
    'RetryPolicy': gocept.filestore.retry.policy.RetryPolicy,
    'Consumer': gocept.filestore.consumer.Consumer}
PLACES = 'run', 'zcml', 'python'
# What those who try examples and benchmarks have in a checkout.
MADE = re.compile(r'(^|/)(\..*|eggs|parts|var)/')
PATTERNS = '``--(.+)``', r'`(\w+)`', r'`\w+\((\w+)\)`'
# Where a place has another word.
OTHER_WORDS = [{'delay', 'first'}, {'max_delay', 'longest'},
               {'transactional', 'transaction_manager'}]
# Where a word is not said, or stands for something else that the table tells.
MISSING = {
    'retry_policy': {'run'},
    'watch': {'zcml', 'python'},
    'workers': {'python'},
    'renew_after': {'run'},
    'renew_above': {'run'},
    'transactional': {'run'},
    'around': {'run', 'zcml'}}
# Which consumer, what it works on, and what is for tests or more special.
OTHERS = {'self', 'store', 'name', 'handler', 'utility', 'selection', 'now',
          'jitter'}

# In lower case only; names of Python and of CSS stay as they are.
AMERICAN = re.compile(
    r'(?<![\w.$-])(?:'
    r'(?!(?:\w*siz|priz|seiz))[a-z]+[iy]z(?:e[drs]?|ing|ations?)'
    r'|(?:behavi|col|fav|hon|neighb)or(?!-)[a-z]*'
    r'|(?:cancel|label|model|signal|travel)(?:ed|ing)|centers?'
    r'|(?:defen|offen)ses?|fulfills?|skillful|judgment|spoiled|practiced'
    r'|artifacts?|catalogs?|dialogs?|gray|toward|gotten)\b')


def said(value):
    """Return how the table tells a default."""
    if isinstance(value, list | tuple):
        return ' '.join(value).replace('*', '\\*') or '--'
    if value is True:
        return 'yes'
    return '%g' % value if isinstance(value, float) else str(value or '--')


class Table(unittest.TestCase):
    """What the table of the manual says is true of all three places."""

    def setUp(self):
        _, _, table, _ = RULE.split(
            STORY.read_text(encoding='utf-8'))
        self.rows = [re.split(' {2,}', line)
                     for line in table.strip().splitlines()]

    def words(self):
        """Yield the words of each row, by the place that has them."""
        for row in self.rows[1:]:
            found = zip(PLACES, map(re.fullmatch, PATTERNS, row), strict=True)
            yield {place: match[1].replace('-', '_')
                   for place, match in found if match}

    def test_words_are_the_same_everywhere(self):
        differing = [set(words.values()) for words in self.words()
                     if len(set(words.values())) > 1]
        self.assertEqual(OTHER_WORDS, differing)

    def test_what_a_place_has_not(self):
        self.assertEqual(MISSING, {
            min(words.values(), key=len): set(PLACES) - set(words)
            for words in self.words() if len(words) < len(PLACES)})

    def column(self, number, pattern):
        """Return what stands there, with the default of its row."""
        return {match[1]: row[3] for row in self.rows
                if (match := re.fullmatch(pattern, row[number]))}

    def test_command_line(self):
        command = gocept.filestore.cli.run.run
        values = command.make_context('run', ['.', 'true', '{}']).params
        self.assertEqual({
            parameter.opts[-1]: said(values[parameter.name])
            for parameter in command.params
            if isinstance(parameter, click.Option)},
            self.column(0, '``(--.+)``'))

    def test_python(self):
        found = {
            '%s(%s)' % (name, argument.name): said(argument.default)
            for name, function in PYTHON.items()
            for argument in inspect.signature(function).parameters.values()
            if argument.name not in OTHERS}
        self.assertEqual(found, self.column(2, r'`(\w+\(\w+\))`'))

    def test_zcml(self):
        schema = gocept.filestore.zcml.IConsumerDirective
        told = self.column(1, r'`(\w+)`')
        self.assertEqual(set(schema.names(all=True)) - OTHERS, set(told))
        for name, default in told.items():
            # What the schema does not say, the store or the server says.
            self.assertIn(
                said(schema[name].default), {'--', default}, name)


class Spelling(unittest.TestCase):
    """One of the two ways, the British one, wherever somebody reads it."""

    def read(self):
        """Yield the papers of a checkout, or of the package, and the pages."""
        package = gocept.filestore.tests.test_papers.PACKAGE
        checkout = gocept.filestore.tests.test_papers.CHECKOUT
        found = [*package.rglob('*.txt'), *package.rglob('*.pt'),
                 *package.rglob('*.zcml')]
        found += [*checkout.glob('*.txt'), *(
            path for place in ('docs', 'examples', 'benchmarks')
            for path in (checkout / place).rglob('*.txt')
            if not MADE.search(str(path.relative_to(checkout))))]
        for path in found:
            if path.name != 'LICENSE.txt':
                yield path, path.read_text(encoding='utf-8')

    def said_in_python(self):
        """Yield the docstrings and all other strings of each module."""
        package = gocept.filestore.tests.test_papers.PACKAGE
        for path in package.rglob('*.py'):
            if 'tests' not in path.parts:
                tree = ast.parse(path.read_text(encoding='utf-8'))
                yield path, '\n'.join(
                    node.value for node in ast.walk(tree)
                    if isinstance(node, ast.Constant)
                    and isinstance(node.value, str))

    def test_is_british_in_papers_and_on_pages(self):
        self.check(self.read())

    def test_is_british_in_contracts_and_in_what_commands_say(self):
        self.check(self.said_in_python())

    def check(self, texts):
        count = 0
        for path, text in texts:
            count += 1
            with self.subTest(str(path)):
                self.assertEqual([], AMERICAN.findall(text))
        self.assertGreater(count, 35)

    def test_tells_the_two_ways_apart(self):
        self.assertEqual(
            ['organized', 'analyze', 'colors', 'centers', 'canceled'],
            AMERICAN.findall(
                'organized analyze colors centers canceled size prized seize '
                'colour neighbours centre cancelled analyse color-scheme '
                'NO_COLOR Unauthorized str.capitalize horizon'))
