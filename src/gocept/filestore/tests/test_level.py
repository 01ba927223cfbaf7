"""What `bin/test` leaves to `bin/test --all`."""

import doctest
import gocept.filestore.tests.case
import gocept.filestore.tests.test_stories
import pathlib
import unittest
import zope.testrunner.find
import zope.testrunner.options


PACKAGE = pathlib.Path(gocept.filestore.tests.case.__file__).parents[1]
UNIT = 'zope.testrunner.layer.UnitTests'
# All of them takes minutes, or wants programs that are not everywhere.
SLOW = {'doctor.tests.test_fault', 'intake.tests.test_client',
        'intake.tests.test_crash', 'intake.tests.test_race', 'tests.test_call',
        'tests.test_distributed', 'tests.test_nfs',
        'tests.test_power', 'tests.test_race', 'web.tests.test_browser'}


def found(*args, suites=None):
    """Return the tests that the runner finds, by their layer."""
    options = zope.testrunner.options.get_options(
        ['test', '--test-path', str(PACKAGE.parents[1]),
         '-s', 'gocept.filestore', *args], [])
    return zope.testrunner.find.find_tests(options, suites)


class Marks(unittest.TestCase):

    class Each(gocept.filestore.tests.case.Case):

        def test_plain(self):
            """Has no mark."""

        @gocept.filestore.tests.case.slow
        def test_slow(self):
            """Has one."""

        @gocept.filestore.tests.case.needs_root('do it')
        def test_as_root(self):
            """Has one, and is skipped perhaps."""

        @gocept.filestore.tests.case.needs_mount('no-such-program')
        def test_mounts(self):
            """Has one, and is skipped."""

    @gocept.filestore.tests.case.slow
    class All(gocept.filestore.tests.case.Case):

        def test_plain(self):
            """Has no mark, but its class."""

    @gocept.filestore.tests.case.needs_mount('no-such-program')
    class Mounts(gocept.filestore.tests.case.Case):

        def test_plain(self):
            """Has no mark, but its class."""

    def suite(self, *cases):
        return unittest.TestSuite(map(
            unittest.defaultTestLoader.loadTestsFromTestCase, cases))

    def names(self, suite, *args):
        return [test.id().split('.')[-1]
                for tests in found(*args, suites=[suite]).values()
                for test in tests]

    def test_method(self):
        suite = self.suite(self.Each)
        self.assertEqual(['test_plain'], self.names(suite))
        self.assertEqual(4, len(self.names(suite, '--all')))

    def test_class(self):
        suite = self.suite(self.All, self.Mounts)
        self.assertEqual([], self.names(suite))
        self.assertEqual(2 * ['test_plain'], self.names(suite, '--all'))

    def test_module(self):
        suite = gocept.filestore.tests.case.slow(self.suite(self.Each))
        self.assertEqual([], self.names(suite))
        self.assertEqual(4, len(self.names(suite, '--all')))

    def test_what_can_not_be_mounted_says_so(self):
        result = unittest.TestResult()
        for test in (self.Each('test_mounts'), self.Mounts('test_plain')):
            test.run(result)
        self.assertEqual(([], []), (result.errors, result.failures))
        self.assertEqual(2, len(result.skipped))
        for _, reason in result.skipped:
            self.assertRegex(
                reason, 'no-such-program is not installed|only root can mount')


class Levels(unittest.TestCase):

    def test_no_layer_is_set_up(self):
        self.assertEqual({UNIT}, set(found()))

    def test_slow_stories_are_left_out(self):
        self.assertEqual(
            set(gocept.filestore.tests.test_stories.SLOW),
            self.stories(found('--all')) - self.stories(found()))

    def stories(self, layers):
        return {pathlib.Path(test.id()).name.replace('_txt', '.txt')
                for test in layers[UNIT] if isinstance(
                    test, doctest.DocFileCase)}

    def test_each_module_has_a_test_at_level_1(self):
        self.assertEqual(
            SLOW, self.modules(found('--all')) - self.modules(found()))

    def modules(self, layers):
        return {type(test).__module__.removeprefix('gocept.filestore.')
                for tests in layers.values() for test in tests}
