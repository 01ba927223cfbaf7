"""What the tests of the doctor have in common."""

import gocept.filestore.doctor.examination
import gocept.filestore.tests.case
import gocept.filestore.tests.command
import os
import shutil
import subprocess
import time
import unittest


SUBJECTS = ['spaces', 'access', 'device', 'link', 'move', 'flock', 'fsync',
            'lease', 'notification', 'modes', 'intents', 'content']
HOUR = 60 * 60
needs_strace = unittest.skipUnless(
    shutil.which('strace'), 'strace is not installed')


class Case(gocept.filestore.tests.command.Case):
    """Each test examines the store in its fresh directory."""

    def examine(self, path=None, **kw):
        """Return all findings, without a pause before the second look."""
        return list(gocept.filestore.doctor.examination.examine(
            str(self.path) if path is None else path,
            **{'sleep': lambda seconds: None, **kw}))

    def look(self, subject, *args, **kw):
        """Return verdict, sentence and remedy of what is not ok there."""
        return [(finding.verdict, finding.sentence, finding.remedy)
                for finding in self.examine(*args, **kw)
                if finding.subject == subject and finding.verdict != 'ok']

    def only(self, subject, *args, **kw):
        """Return the same of the only finding."""
        found = self.look(subject, *args, **kw)
        self.assertEqual(1, len(found), found)
        return found[0]

    def later(self):
        """Return the time of two days from now."""
        return time.time() + 48 * HOUR

    def follow(self, remedy):
        """Do what a remedy says, in the shell."""
        subprocess.run(
            ['bash', '-c', gocept.filestore.tests.command.IN_SHELL + remedy],
            cwd=self.directory, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=gocept.filestore.tests.case.environment())

    def assertMends(self, subject, verdict, sentence, remedy, **kw):
        """See that this is what is found, and that its remedy helps."""
        self.assertEqual(
            [(verdict, sentence, remedy)], self.look(subject, **kw))
        self.follow(remedy)
        self.assertEqual([], self.look(subject, **kw))

    def told(self, subject, *command):
        """Run the command line, and return what is not ok of a subject.

        The command is to run the one that follows.
        """
        status, output, messages = self.filestore(
            *gocept.filestore.tests.command.FILESTORE, 'doctor', '--quiet',
            'store', command=command)
        self.assertEqual([], messages)
        found, is_it = [], False
        for line in output.decode().splitlines():
            if line[0] != ' ':
                is_it = line[9:].startswith(subject + ':')
            if is_it:
                found.append(line.partition(': ')[2])
        return status, found


def all_names(directory):
    """Return the paths of all that lies below a directory, hidden or not."""
    return sorted(
        os.path.join(path, name) for path, names, files in os.walk(directory)
        for name in names + files)
