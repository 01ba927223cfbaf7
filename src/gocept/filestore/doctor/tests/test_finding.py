import gocept.filestore.monitor.words
import unittest


class Duration(unittest.TestCase):

    def test_two_units(self):
        for seconds, text in ((0, '0s'), (0.9, '0s'), (59.9, '59s'),
                              (60, '1m'), (61, '1m 1s'), (3600, '1h'),
                              (3725, '1h 2m'), (86400, '1d'),
                              (90061, '1d 1h'), (None, None)):
            self.assertEqual(text,
                             gocept.filestore.monitor.words.duration(seconds))
