import gocept.filestore.disk.file_system
import gocept.filestore.disk.probe
import gocept.filestore.tests.case
import unittest.mock


class Probe(gocept.filestore.tests.case.Case):
    """What is found out by a file that goes again."""

    def setUp(self):
        super().setUp()
        self.tmp = self.store._layout['tmp']

    def tearDown(self):
        self.assertEqual({}, self.tree())

    def test_moves_leave_no_names(self):
        for self.tmp.is_local in True, False:
            self.assertFalse(gocept.filestore.disk.probe.leaves_names(
                self.tmp))

    def test_moves_may_leave_names(self):
        self.move_by_link()
        for self.tmp.is_local in True, False:
            self.assertTrue(gocept.filestore.disk.probe.leaves_names(
                self.tmp))

    def test_inodes(self):
        self.assertTrue(gocept.filestore.disk.probe.has_inodes(self.tmp))

    def test_inodes_can_not_be_tried(self):
        self.tmp.directory = '/nowhere'
        (self.path / 'tmp').rmdir()
        self.assertTrue(gocept.filestore.disk.probe.has_inodes(self.tmp))

    def test_names_that_are_not_told(self):
        for kind, weaknesses in (
                ('fuse.glusterfs', [
                    gocept.filestore.disk.file_system.NAMES]),
                ('fuse.other', [])):
            with unittest.mock.patch(
                    'gocept.filestore.disk.file_system.mount',
                    return_value=(kind, ())):
                self.assertEqual(weaknesses, list(
                    gocept.filestore.disk.probe.weaknesses(self.tmp)))
