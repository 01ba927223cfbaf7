import gocept.filestore.cli.terminal
import unittest


class Table(unittest.TestCase):

    def test_columns(self):
        self.assertEqual(
            'FILE    AGE\na.xml   5s\nb',
            gocept.filestore.cli.terminal.table(
                ('FILE', 'AGE'), [('a.xml', '5s'), ('b', None)]))

    def test_numbers_and_names_stay_as_they_are(self):
        table = gocept.filestore.cli.terminal.table(
            ('FILE', 'BYTES'), [('007', 12), ('1e5', 1234567)])
        self.assertEqual(
            [['007', '12'], ['1e5', '1234567']],
            [line.split() for line in table.splitlines()[1:]])

    def test_what_would_garble_a_terminal(self):
        table = gocept.filestore.cli.terminal.table(
            ('FILE',), [('a\nb',), ('\x1b[31m',), ('\udcff',), ('\u00e4',)])
        self.assertEqual(
            ["'a\\nb'", "'\\x1b[31m'", "'\\udcff'", '\u00e4'],
            [line.strip() for line in table.splitlines()[1:]])
