import gocept.filestore.disk.listing
import gocept.filestore.disk.tests.test_listing
import gocept.filestore.testing
import os


class Register(gocept.filestore.disk.tests.test_listing.ListingCase):

    def setUp(self):
        super().setUp()
        self.put_each('b', 'a')
        self.count = 0

    def read(self, space):
        self.count += 1
        return list(space.entries())

    def register(self, seconds=0):
        """Return one that is used so many seconds after the last change."""
        return gocept.filestore.disk.listing.CachedListing(
            self.read, lambda: os.stat(self.path / 'new').st_ctime + seconds)

    def names(self, register):
        return sorted(entry.name for entry in register.files(self.new))

    def test_at_rest_it_is_listed_once(self):
        register = self.register(3)
        for _ in range(3):
            self.assertEqual(['a', 'b'], self.names(register))
        self.assertEqual(1, self.count)

    def test_each_change_is_seen(self):
        register = self.register(3)
        self.names(register)
        for change, names in (
                (lambda: self.put('new', 'c'), ['a', 'b', 'c']),
                (lambda: os.rename(self.path / 'new' / 'a',
                                   self.path / 'cur' / 'a'), ['b', 'c']),
                (lambda: os.rename(self.path / 'cur' / 'a',
                                   self.path / 'new' / 'a'), ['a', 'b', 'c']),
                (lambda: os.rename(self.path / 'new' / 'b',
                                   self.path / 'new' / 'd'), ['a', 'c', 'd']),
                (lambda: os.unlink(self.path / 'new' / 'c'), ['a', 'd'])):
            gocept.filestore.testing.helper.tick(self.path)
            change()
            self.assertEqual(names, self.names(register))
        self.assertEqual(6, self.count)

    def test_just_changed_it_is_listed_again(self):
        # Another change may have the same time.
        register = self.register(1)
        self.assertIsNone(register.kept(self.new))
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
