import doctest
import gocept.filestore.filestore
import gocept.filestore.testing
import gocept.filestore.testing.fault
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import importlib.resources
import os
import pathlib
import unittest


PACKAGE = importlib.resources.files('gocept.filestore')
OBSTACLES = dict.fromkeys(
    ('calls.txt', 'fault.txt'), gocept.filestore.testing.fault.obstacle)
# It starts a process for each call of several consumers.
SLOW = ('fault.txt',)
# What each kind of store does is told of each.
KINDS = {'contract.txt': (gocept.filestore.filestore.FileStore,
                          gocept.filestore.testing.Store)}


def stories():
    """Return the paths of all stories that the package carries."""
    return sorted(map(str, pathlib.Path(str(PACKAGE)).rglob('*.txt')))


def front_page():
    """Return the path of the README of a checkout, if this is one."""
    readme = pathlib.Path(str(PACKAGE)).parents[2] / 'README.txt'
    return [str(readme)] if readme.is_file() else []


def set_up(test):
    """Set up a story, or skip it and say why it can not be told here."""
    obstacle = OBSTACLES.get(test.name)
    if reason := obstacle and obstacle():
        raise unittest.SkipTest(reason)
    gocept.filestore.tests.story.set_up(test)


def test_suite():
    suite = unittest.TestSuite()
    for story in front_page() + stories():
        name = os.path.basename(story)
        for kind in KINDS.get(name, (None,)):
            test = told(story, kind)
            suite.addTest(
                gocept.filestore.tests.case.slow(test) if name in SLOW
                else test)
    return suite


def told(story, kind, set_up=set_up):
    return doctest.DocFileSuite(
        story,
        module_relative=False,
        encoding='utf-8',
        globs={'make_store': kind} if kind else None,
        setUp=set_up,
        tearDown=gocept.filestore.tests.story.tear_down,
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
