import errno
import gocept.filestore.disk.copy
import gocept.filestore.intake.tests.test_intake
import gocept.filestore.tests.case
import gocept.filestore.tests.disk
import io
import os
import pathlib
import shutil
import subprocess
import tempfile


MB = 1 << 20
# Sizes, and where a file has data; what else it has are holes.
SHAPES = ((10 * MB, ()), (10 * MB, (0,)), (10 * MB, (5 * MB,)),
          (10 * MB, (10 * MB - 5,)), (10 * MB, (0, 3 * MB + 17, 7 * MB)),
          (5, (0,)), (0, ()))


class CopyCase(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        self.source = self.directory / 'source'
        self.target = self.directory / 'target'

    def copy(self):
        with open(self.source, 'rb') as source:
            with open(self.target, 'wb') as target:
                gocept.filestore.disk.copy.copy_content(source, target)

    def make(self, size, places):
        with open(self.source, 'wb') as file:
            for place in places:
                os.pwrite(file.fileno(), b'piece', place)
            os.truncate(file.fileno(), size)

    def check_shapes(self):
        for size, places in SHAPES:
            self.make(size, places)
            self.copy()
            self.assertEqual(
                self.source.read_bytes(), self.target.read_bytes())
            self.assertLess(os.stat(self.target).st_blocks * 512, MB)


class Copy(CopyCase):

    def test_holes(self):
        self.check_shapes()

    def test_no_hole(self):
        self.source.write_bytes(os.urandom(3 * MB + 1))
        self.copy()
        self.assertEqual(self.source.read_bytes(), self.target.read_bytes())

    def test_file_that_tells_no_size_or_a_wrong_one(self):
        for path in filter(os.path.exists, (
                '/proc/self/status', '/sys/kernel/mm/ksm/run')):
            self.source = pathlib.Path(path)
            self.copy()
            self.assertRegex(self.target.read_bytes(), rb'.\n\Z')

    def test_file_that_grows(self):
        class Growing(io.FileIO):

            more = b'more'

            def read(self, *args):
                with open(self.name, 'ab') as file:
                    file.write(self.more)
                self.more = b''
                return super().read(*args)

        for places in ((), (0,)):
            self.make(10 * MB, places)
            with Growing(self.source) as source, open(
                    self.target, 'wb') as target:
                gocept.filestore.disk.copy.copy_content(source, target)
            self.assertEqual(
                self.source.read_bytes(), self.target.read_bytes())

    def test_from_where_it_stands(self):
        self.make(10 * MB, (0, 5 * MB))
        with open(self.source, 'rb') as source, open(
                self.target, 'wb') as target:
            source.seek(5 * MB)
            gocept.filestore.disk.copy.copy_content(source, target)
        self.assertEqual(
            self.source.read_bytes()[5 * MB:], self.target.read_bytes())

    def test_pipe(self):
        reader, writer = os.pipe()
        os.write(writer, b'text')
        os.close(writer)
        with open(reader, 'rb') as source, open(self.target, 'wb') as target:
            gocept.filestore.disk.copy.copy_content(source, target)
        self.assertEqual(b'text', self.target.read_bytes())


class CopyPiece(CopyCase):

    def copy_by(self, copy):
        with open(self.source, 'rb') as source, open(
                self.target, 'wb') as target:
            gocept.filestore.disk.copy.copy_piece(
                source.fileno(), target.fileno(), 5, 3 * MB, copy)
        return self.target.read_bytes()

    def answering(self, number, first=0):
        """Return a copy_file_range(2) that stops after some bytes."""
        def copy(source, target, count, start, new_start):
            if start >= 5 + first:
                raise OSError(number, os.strerror(number))
            return os.copy_file_range(
                source, target, min(first, count), start, new_start)

        return copy

    def test_where_the_kernel_can_not_do_it(self):
        self.source.write_bytes(os.urandom(3 * MB))
        expected = b'\0' * 5 + self.source.read_bytes()[5:]
        for number in gocept.filestore.disk.copy.UNSUPPORTED:
            for first in (0, 7):
                self.assertEqual(
                    expected, self.copy_by(self.answering(number, first)))
        self.assertEqual(expected, self.copy_by(lambda *args: 0))

    def test_any_other_error_is_raised(self):
        self.source.write_bytes(b'content')
        for number in (errno.ENOSPC, errno.EIO):
            with self.assertRaises(OSError) as raised:
                self.copy_by(self.answering(number))
            self.assertEqual(number, raised.exception.errno)

    def test_error_of_reading_is_raised(self):
        with self.assertRaises(OSError) as raised:
            gocept.filestore.disk.copy.copy_piece(
                -1, -1, 0, 1, gocept.filestore.disk.copy.by_reading)
        self.assertEqual(errno.EBADF, raised.exception.errno)


class CopyFacts(CopyCase):

    def copy_facts(self):
        self.source.write_bytes(b'content')
        os.utime(self.source, ns=(123, 456))
        os.setxattr(self.source, 'user.colour', b'red')
        self.copy_to(self.target)

    def copy_to(self, path):
        with open(self.source, 'rb') as source, open(path, 'wb') as target:
            target.write(b'content')
            gocept.filestore.disk.copy.copy_facts(source, target)

    def test_times(self):
        self.copy_facts()
        status = os.stat(self.target)
        self.assertEqual((123, 456), (status.st_atime_ns, status.st_mtime_ns))

    def test_attributes(self):
        self.copy_facts()
        self.assertEqual(b'red', os.getxattr(self.target, 'user.colour'))

    @gocept.filestore.tests.case.needs_root('have others than those of users')
    def test_no_attribute_that_is_not_of_users(self):
        self.copy_facts()
        os.setxattr(self.source, 'trusted.own', b'')
        self.copy_to(self.target)
        self.assertEqual(['user.colour'], os.listxattr(self.target))

    @gocept.filestore.tests.case.needs_mount()
    def test_attributes_that_the_disk_can_not_have(self):
        other = self.directory / 'other'
        other.mkdir()
        subprocess.check_call(['mount', '-t', 'ramfs', 'ramfs', other])
        self.addCleanup(subprocess.check_call, ['umount', other])
        self.copy_facts()
        self.copy_to(other / 'a')
        self.assertEqual(456, os.stat(other / 'a').st_mtime_ns)


class Pieces(CopyCase):

    def test_error_is_raised(self):
        self.make(10 * MB, ())
        with self.assertRaises(OSError):
            list(gocept.filestore.disk.copy.pieces(
                -1, os.stat(self.source)))

    def test_where_holes_can_not_be_told(self):
        def seek(*args):
            raise OSError(errno.EOPNOTSUPP, 'refused')

        self.make(10 * MB, ())
        self.assertEqual([(0, 10 * MB)], list(
            gocept.filestore.disk.copy.pieces(
                -1, os.stat(self.source), seek)))


@gocept.filestore.intake.tests.test_intake.needs_second_device
class AnotherDevice(CopyCase):

    def setUp(self):
        super().setUp()
        memory = pathlib.Path(tempfile.mkdtemp(
            dir=gocept.filestore.intake.tests.test_intake.MEMORY))
        self.addCleanup(shutil.rmtree, memory)
        self.other = memory / 'file'

    def test_to_it(self):
        self.target = self.other
        self.check_shapes()

    def test_from_it(self):
        self.source = self.other
        self.check_shapes()


class DiskCase:

    def setUp(self):
        obstacle = gocept.filestore.tests.disk.obstacle(self.kind)
        obstacle and self.skipTest(obstacle)
        super().setUp()
        image, mount = self.directory / 'image', self.directory / 'mount'
        gocept.filestore.tests.disk.make(image, self.kind)
        mount.mkdir()
        self.enterContext(gocept.filestore.tests.disk.mounted(image, mount))
        self.source, self.target = mount / 'source', mount / 'target'

    def test_holes(self):
        self.check_shapes()


@gocept.filestore.tests.case.slow
class Ext4(DiskCase, CopyCase):

    kind = 'ext4'


@gocept.filestore.tests.case.slow
class Xfs(DiskCase, CopyCase):

    kind = 'xfs'


@gocept.filestore.tests.case.slow
class Btrfs(DiskCase, CopyCase):

    kind = 'btrfs'
