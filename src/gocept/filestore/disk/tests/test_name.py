import gocept.filestore.disk.name
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import os
import pathlib
import subprocess
import sys
import unittest


COUNTER = """
import gocept.filestore.disk.name
print(gocept.filestore.disk.name.unique().split('Q')[1])
"""


class Check(unittest.TestCase):

    def objection(self, name):
        with self.assertRaises(
                gocept.filestore.interfaces.InvalidName) as raised:
            gocept.filestore.disk.name.check(name, 'the/store')
        self.assertEqual(name, raised.exception.filename)
        self.assertEqual('the/store', raised.exception.store)
        self.assertIn(repr(name), str(raised.exception))
        return raised.exception.reason

    def test_returns_a_good_name(self):
        for name in ('a', 'a.xml', 'a b', 'a\nb', 'ä.xml', 'a.', '-', '~',
                     'a\\b', 'a:b', 'x' * 255, 'ä' * 127 + 'x', '\udcff'):
            self.assertEqual(
                name, gocept.filestore.disk.name.check(name, 'store'))

    def test_returns_a_string_for_a_path_object(self):
        self.assertEqual(
            'a.xml',
            gocept.filestore.disk.name.check(pathlib.Path('a.xml'), 'store'))

    def test_empty(self):
        self.assertEqual('it is empty', self.objection(''))

    def test_leading_dot(self):
        for name in ('.', '..', '.a', '...', '.nfs0001'):
            self.assertEqual('it begins with a dot', self.objection(name))

    def test_separator(self):
        for name in ('a/b', '/a', 'a/', '/', 'a/../b'):
            self.assertEqual('it contains a separator', self.objection(name))

    def test_nul(self):
        for name in ('\0', 'a\0', 'a\0b'):
            self.assertEqual('it contains a NUL byte', self.objection(name))

    def test_too_long(self):
        for name in ('x' * 256, 'ä' * 128, '\N{SNOWMAN}' * 86):
            self.assertEqual(
                'it is longer than 255 bytes', self.objection(name))

    def test_can_not_be_encoded(self):
        self.assertEqual('it can not be encoded', self.objection('\ud800'))

    def test_something_else_than_a_string_is_a_mistake(self):
        for name in (b'a', None, 1, ['a']):
            with self.assertRaises(TypeError):
                gocept.filestore.disk.name.check(name, 'store')


class Bare(unittest.TestCase):

    def test_strips_leading_elements(self):
        for path in ('a', '/a', '../a', 'x/y/a', '//a', pathlib.Path('x/a')):
            self.assertEqual('a', gocept.filestore.disk.name.bare(path))

    def test_what_remains_may_still_be_bad(self):
        for path, name in (('a/', ''), ('a/..', '..'), ('/', '')):
            self.assertEqual(name, gocept.filestore.disk.name.bare(path))


class Unique(unittest.TestCase):

    def test_form(self):
        name = gocept.filestore.disk.name.unique(lambda: 1234567890000042999)
        self.assertRegex(name, r'^1234567890\.M000042P%sQ\d+\.%s$' % (
            os.getpid(), gocept.filestore.disk.name.HOST))

    def test_differs_within_one_instant(self):
        names = {
            gocept.filestore.disk.name.unique(lambda: 0)
            for _ in range(1000)
        }
        self.assertEqual(1000, len(names))

    def test_differs_between_processes_of_the_same_number(self):
        # As the first one of each container has it; hosts can be the same.
        counters = {subprocess.check_output(
            [sys.executable, '-c', COUNTER], text=True,
            env=gocept.filestore.tests.case.environment()) for _ in range(2)}
        self.assertEqual(2, len(counters))

    def test_sorts_by_time(self):
        instants = (0, 999_999, 10 ** 6, 10 ** 9 - 1, 10 ** 9, 9 * 10 ** 9)
        names = [gocept.filestore.disk.name.unique(lambda n=n: n + 10 ** 18)
                 for n in instants]
        self.assertEqual(names, sorted(names))

    def test_is_a_good_name(self):
        name = gocept.filestore.disk.name.unique()
        self.assertEqual(name, gocept.filestore.disk.name.check(name, 'store'))

    def test_host_can_not_break_the_name(self):
        self.assertNotIn('/', gocept.filestore.disk.name.HOST)
        self.assertNotIn(':', gocept.filestore.disk.name.HOST)


class Backup(unittest.TestCase):

    def test_form(self):
        self.assertEqual('a.xml.~1~',
                         gocept.filestore.disk.name.backup('a.xml', 1))
        self.assertEqual('a.~123~', gocept.filestore.disk.name.backup(
            'a', 123))

    def test_stays_within_the_longest_name(self):
        for name in ('x' * 255, 'ä' * 127, 'y' + 'ä' * 127, '\udcff' * 255):
            result = gocept.filestore.disk.name.backup(name, 10)
            self.assertTrue(result.endswith('.~10~'))
            self.assertLessEqual(len(os.fsencode(result)), 255)
            self.assertEqual(
                result, gocept.filestore.disk.name.check(result, 'store'))

    def test_number_is_stripped_again(self):
        original = gocept.filestore.disk.name.original
        for name in ('a.xml', 'a', 'a\nb', '\udcff', 'a.~1~', '~', '.~'):
            for number in (1, 10, 10 ** 20):
                self.assertEqual(name, original(
                    gocept.filestore.disk.name.backup(name, number)))

    def test_name_without_a_number(self):
        for name in ('a', 'a.~x~', 'a.~1~b', 'a~1~', '.~1~', 'a.~1', 'a.~~',
                     'a.~\u0661~', ''):
            self.assertEqual(name, gocept.filestore.disk.name.original(name))

    def test_portable(self):
        for name in (b'B\xc3\xbccher', b'B\xfccher', b'a'):
            text = gocept.filestore.disk.name.portable(os.fsdecode(name))
            self.assertEqual(name, text.encode('utf-8', 'surrogateescape'))
            self.assertEqual(
                name, os.fsencode(gocept.filestore.disk.name.local(text)))

    def test_cut_short(self):
        cut_short = gocept.filestore.disk.name.cut_short
        for name in ('x' * 255, 'x' * 252, 'ä' * 127, '\udcff' * 255):
            for number in (1, 10, 10 ** 20):
                backup = gocept.filestore.disk.name.backup(name, number)
                self.assertEqual([name], cut_short(
                    backup, ['a', name, name[:100], 'b' + name[1:]]))

    def test_several_names_cut_short(self):
        names = ['x' * 254 + 'a', 'x' * 254 + 'b', 'x' * 253]
        self.assertEqual(names, gocept.filestore.disk.name.cut_short(
            'x' * 251 + '.~1~', [*names, 'x' * 250, 'x' * 249 + 'y']))

    def test_not_cut_short(self):
        for name in ('a', 'a.~1~', 'x' * 255, 'a.~01~'):
            self.assertEqual([],
                             gocept.filestore.disk.name.cut_short(
                                 name, ['ab', 'x' * 254]))


class Wanted(unittest.TestCase):

    def wanted(self, include=('*',), exclude=()):
        return list(filter(
            gocept.filestore.disk.name.wanted(include, exclude),
            ('a', 'a.b', 'ab', 'b\n', '(?!)')))

    def test_each_pattern_is_of_the_whole_name(self):
        self.assertEqual(['a', 'b\n'], self.wanted(['a', 'b?']))
        self.assertEqual(['a.b', 'ab'], self.wanted(['a*b', 'x']))

    def test_what_is_excluded_is_not(self):
        self.assertEqual(['a', 'b\n', '(?!)'], self.wanted(exclude=['a?*']))
        self.assertEqual(['a.b'], self.wanted(['a*'], ['a', 'ab']))

    def test_none(self):
        self.assertEqual(['a', 'a.b', 'ab', 'b\n', '(?!)'], self.wanted())
        self.assertEqual([], self.wanted([]))
