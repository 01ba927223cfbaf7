"""NFS, by a real client: stories, races and scenes between two hosts.

Each version is a layer, which starts a guest; see `guest.py`. The tests run in
there, by this module as well: `main` does what `InGuest` asks for. A guest has
one processor, so all of them together take less time than one by one. More
races, and of all kinds on each version, are had by hand:

    $ RACES=10 bin/test --all -j3 -m test_nfs
"""

import contextlib
import gocept.filestore.tests.case
import gocept.filestore.tests.guest
import gocept.filestore.tests.scene
import gocept.filestore.tests.test_distributed
import gocept.filestore.tests.typed
import gocept.filestore.tests.weak
import io
import unittest


PROGRAM = 'import %s as test, sys; test.main(sys.argv[1])' % __name__


class Guest(gocept.filestore.tests.test_distributed.Volume):
    """Mounts one export by two hosts; a layer of zope.testrunner."""

    mounts = gocept.filestore.tests.guest.MOUNTS
    find_obstacle = staticmethod(gocept.filestore.tests.guest.obstacle)

    def __init__(self, version):
        super().__init__('NFS ' + version)
        self.version = version

    def mount(self, stack):
        self.guest = stack.enter_context(gocept.filestore.tests.guest.running(
            self.version, PROGRAM, self.version))


class InGuest(unittest.TestCase):
    """A test that runs in the guest; here we tell what has come of it."""

    def __init__(self, layer, number, test):
        super().__init__()
        self._layer = layer
        self._number = number
        self._test = test

    def id(self):
        return self._test.id()

    def __str__(self):
        return str(self._test)

    def runTest(self):
        if self._layer.obstacle:
            self.skipTest(self._layer.obstacle)
        output, skipped, failed = self._layer.guest.ask(self._number)
        print(output, end='')
        if failed:
            self.fail(failed + self._layer.guest.messages())
        if skipped:
            self.skipTest(skipped)


def main(version):
    """Run tests in the guest, by their numbers."""
    tests = all_tests(version)
    gocept.filestore.tests.guest.fork_only()
    with gocept.filestore.tests.guest.channel() as (questions, answer):
        asked = set()
        for number in map(int, questions):
            answer(number)
            if number not in asked:
                asked.add(number)
                answer(run(tests[number]))


def run(test):
    """Return what a test has printed, why it is skipped, and its failures."""
    result = unittest.TestResult()
    with contextlib.redirect_stdout(io.StringIO()) as output:
        test.run(result)
    return (output.getvalue(), '\n'.join(why for _, why in result.skipped),
            '\n'.join(why for _, why in result.failures + result.errors))


def all_tests(version):
    """Return the tests of a version; their order is always the same."""
    return list(flat(gocept.filestore.tests.test_distributed.tests(
        Guest(version), **VERSIONS[version])))


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def test_suite():
    suite = gocept.filestore.tests.case.slow(unittest.TestSuite())
    for version in VERSIONS:
        layer = Guest(version)
        tests = unittest.TestSuite(
            InGuest(layer, number, test)
            for number, test in enumerate(all_tests(version)))
        tests.layer = layer
        suite.addTest(tests)
    return suite


def cases(*races):
    distributed = gocept.filestore.tests.test_distributed
    return (*distributed.races(*races), distributed.Remembered,
            distributed.Doctor)


# What is published again is kept as well.
KINDS = 'test_not_kept', 'test_published_again'
SCENES = gocept.filestore.tests.scene.SCENES
VERSIONS = {
    '4.2': {'cases': (*cases('test_kept', *KINDS), *SCENES,
                      *gocept.filestore.tests.weak.CASES,
                      gocept.filestore.tests.typed.Guide)},
    '4.1': {'cases': cases('test_published_again_and_not_kept'),
            'stories': ()},
    '4.0': {'cases': (*cases(*KINDS), *SCENES)}}
