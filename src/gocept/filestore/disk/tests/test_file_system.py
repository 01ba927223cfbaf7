import gocept.filestore.disk.file_system
import gocept.filestore.tests.case
import os
import subprocess


class FileSystem(gocept.filestore.tests.case.Case):

    def is_local(self, path):
        descriptor = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        return gocept.filestore.disk.file_system.is_local(descriptor)

    def test_local(self):
        self.assertTrue(self.is_local(self.path))
        self.assertTrue(self.is_local(self.put('new', 'a')))

    def test_special(self):
        self.assertFalse(self.is_local('/proc'))

    @gocept.filestore.tests.case.needs_mount('bindfs')
    def test_fuse(self):
        mount = self.directory / 'mount'
        mount.mkdir()
        subprocess.check_call(['bindfs', self.path, mount])
        self.addCleanup(subprocess.check_call, ['umount', '-l', mount])
        self.assertFalse(self.is_local(mount))

    def test_no_such_descriptor(self):
        self.assertEqual(0, gocept.filestore.disk.file_system.magic(-1))
