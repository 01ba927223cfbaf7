import gocept.filestore.table
import unittest


class Table(unittest.TestCase):

    def test_columns(self):
        self.assertEqual(
            'FILE    AGE\na.xml   5s\nb',
            gocept.filestore.table.table(
                ('FILE', 'AGE'), [('a.xml', '5s'), ('b', None)]))

    def test_numbers_and_names_stay_as_they_are(self):
        table = gocept.filestore.table.table(
            ('FILE', 'BYTES'), [('007', 12), ('1e5', 1234567)])
        self.assertEqual(
            [['007', '12'], ['1e5', '1234567']],
            [line.split() for line in table.splitlines()[1:]])

    def test_what_would_garble_a_terminal(self):
        table = gocept.filestore.table.table(
            ('FILE',), [('a\nb',), ('\x1b[31m',), ('\udcff',), ('\u00e4',)])
        self.assertEqual(
            ["'a\\nb'", "'\\x1b[31m'", "'\\udcff'", '\u00e4'],
            [line.strip() for line in table.splitlines()[1:]])


class Duration(unittest.TestCase):

    def test_two_units(self):
        for seconds, text in ((0, '0s'), (0.9, '0s'), (59.9, '59s'),
                              (60, '1m'), (61, '1m 1s'), (3600, '1h'),
                              (3725, '1h 2m'), (86400, '1d'),
                              (90061, '1d 1h'), (None, None)):
            self.assertEqual(text, gocept.filestore.table.duration(seconds))
