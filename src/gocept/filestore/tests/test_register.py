import gocept.filestore.register
import gocept.filestore.selection
import gocept.filestore.testing
import gocept.filestore.tests.test_listing
import os


class Register(gocept.filestore.tests.test_listing.ListingCase):

    def setUp(self):
        super().setUp()
        self.put_each('b', 'a')
        self.entries = self.new.entries
        self.new.entries = self.listed
        self.count = 0

    def listed(self):
        self.count += 1
        return self.entries()

    def register(self, seconds=0):
        """Return one that is used so many seconds after the last change."""
        return gocept.filestore.register.Register(
            gocept.filestore.selection.Selection(['*'], ['*.tmp']),
            lambda: os.stat(self.path / 'new').st_ctime + seconds)

    def names(self, register):
        return [name for _, name, _ in sorted(register.files(self.new))]

    def test_files(self):
        self.put('new', 'c.tmp')
        for time, name, inode in self.register().files(self.new):
            status = os.stat(self.path / 'new' / name)
            self.assertEqual(
                (status.st_ctime_ns, status.st_ino), (time, inode))
            self.assertIn(name, 'ab')

    def test_at_rest_it_is_listed_once(self):
        register = self.register(3)
        for _ in range(3):
            self.assertEqual(['b', 'a'], self.names(register))
        self.assertEqual(1, self.count)

    def test_each_change_is_seen(self):
        register = self.register(3)
        self.names(register)
        for change, names in (
                (lambda: self.put('new', 'c'), ['b', 'a', 'c']),
                (lambda: os.rename(self.path / 'new' / 'a',
                                   self.path / 'cur' / 'a'), ['b', 'c']),
                (lambda: os.rename(self.path / 'cur' / 'a',
                                   self.path / 'new' / 'a'), ['b', 'c', 'a']),
                (lambda: os.rename(self.path / 'new' / 'b',
                                   self.path / 'new' / 'd'), ['c', 'a', 'd']),
                (lambda: os.unlink(self.path / 'new' / 'c'), ['a', 'd'])):
            gocept.filestore.testing.tick(self.path)
            change()
            self.assertEqual(names, self.names(register))
        self.assertEqual(6, self.count)

    def test_just_changed_it_is_listed_again(self):
        # Another change may have the same time.
        register = self.register(1)
        self.names(register)
        self.names(register)
        self.assertEqual(2, self.count)

    def test_other_hosts_have_other_clocks(self):
        self.new.is_local = False
        register = self.register(3)
        self.names(register)
        self.names(register)
        self.assertEqual(2, self.count)

    def test_another_directory(self):
        register = self.register(3)
        self.names(register)
        self.assertEqual([], register.files(self.layout['cur']))
