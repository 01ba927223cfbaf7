"""The doctor is killed, and its disk fails, at each of its calls."""

import gocept.filestore.doctor.content
import gocept.filestore.doctor.space
import gocept.filestore.doctor.tests.test_content
import gocept.filestore.testing.fault
import gocept.filestore.tests.case
import gocept.filestore.tests.doctor
import grp
import os
import pwd
import shutil
import time
import unittest
import warnings


@gocept.filestore.tests.case.slow
@unittest.skipIf(gocept.filestore.testing.fault.obstacle(),
                 gocept.filestore.testing.fault.obstacle())
class Faults(gocept.filestore.doctor.tests.test_content.Case):
    """Each call is tried: to be killed there, and to fail."""

    layer = gocept.filestore.tests.case.Slow

    def prepare(self):
        shutil.rmtree(self.path)
        self.store.prepare()
        self.put('new', 'a')
        # The C library asks for a cache at each hundredth of these calls:
        # not always at the same one of ours.
        pwd.getpwuid(0)
        grp.getgrgid(0)

    def look_at_all(self):
        with warnings.catch_warnings():
            # Of the other process, when a pipe to it can not be closed.
            warnings.simplefilter('ignore', ResourceWarning)
            self.examine()

    def each(self, fault):
        self.prepare()
        self.look_at_all()  # loads what the C library wants for names
        for call in gocept.filestore.testing.fault.each_call(
                self.look_at_all, self.prepare, fault):
            yield call
            self.assertEqual('content', self.read('new', 'a'))
            self.assertEqual(['a'], [
                os.path.basename(path) for space in ('tmp', 'new', 'cur')
                for path in self.store.list(space)])

    def content(self):
        path = str(self.path)
        return [finding for finding in gocept.filestore.doctor.content.content(
            gocept.filestore.doctor.space.Spaces(
                path, time.time, lambda seconds: None)) if finding.remedy]

    def mend(self):
        """Follow the remedies; tell whether nothing is left.

        For a moment, the process that tried a lock may still have it.
        """
        for finding in self.content():
            self.assertIn(
                'left by a doctor that was killed', finding.sentence)
            self.follow(finding.remedy)
        return gocept.filestore.tests.doctor.all_names(self.path) == [
            *map(self.path_in, ('cur', 'new', 'new/a', 'tmp'))]

    def test_killed(self):
        has_left = set()
        for call in self.each('SIGKILL'):
            if len(gocept.filestore.tests.doctor.all_names(self.path)) > 4:
                has_left.add(call.name)
            self.wait(self.mend)
        self.assertLessEqual({'flock', 'unlinkat', 'renameat2'}, has_left)

    def test_failing(self):
        for call in self.each('EIO'):
            self.assertIsNone(call.error, call)
