import contextlib
import gocept.filestore.testing
import io
import os
import sys
import types
import unittest


class Helpers(unittest.TestCase):
    """What a story is given."""

    def setUp(self):
        self.before = os.getcwd(), dict(os.environ)
        self.test = types.SimpleNamespace(globs={})
        gocept.filestore.testing.set_up(self.test)
        self.addCleanup(self.tear_down)

    def tear_down(self):
        gocept.filestore.testing.tear_down(self.test)
        self.assertEqual(self.before, (os.getcwd(), dict(os.environ)))

    def printed(self, name, *args):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            self.test.globs[name](*args)
        return output.getvalue()

    def test_fresh_directory(self):
        self.assertEqual([], os.listdir())
        self.assertNotEqual(self.before[0], os.getcwd())

    def test_ls(self):
        self.assertEqual('', self.printed('ls', '.'))
        os.makedirs('x/y')
        for name in 'ba':
            with open('x/y/' + name, 'w'):
                pass
        self.assertEqual('a\nb\n', self.printed('ls', 'x', 'y'))

    def test_cat(self):
        with open('ü', 'w', encoding='utf-8') as file:
            file.write('ü\n')
        self.assertEqual('ü\n\n', self.printed('cat', 'ü'))

    def test_python(self):
        self.assertEqual('0\n', self.printed('python', 'pass'))
        self.assertEqual('3\n', self.printed('python', 'raise SystemExit(3)'))
        self.assertEqual('-9\n', self.printed(
            'python', 'import os; os.kill(os.getpid(), 9)'))

    def test_programs_find_the_packages_that_we_find(self):
        self.assertEqual('0\n', self.printed(
            'python', 'import sys; assert %r <= set(sys.path)' % {
                path for path in sys.path if os.path.isdir(path)}))

    def test_sh(self):
        self.assertEqual('a\n', self.printed('sh', 'echo a'))
        self.assertEqual('a\nexit status 2\n', self.printed(
            'sh', 'echo a >&2; exit 2'))
        self.assertEqual('', self.printed('sh', 'cat'))
        self.assertEqual("prepared 'a b'\n", self.printed(
            'sh', 'filestore prepare "a b"'))

    def test_tick(self):
        for name in 'ab':
            with open(name, 'w'):
                pass
            self.printed('tick', '.')
        self.assertLess(os.stat('a').st_ctime_ns, os.stat('b').st_ctime_ns)
