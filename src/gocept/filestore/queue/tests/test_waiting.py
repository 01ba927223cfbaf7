import gocept.filestore.disk.tests.test_listing
import gocept.filestore.queue.waiting


class Listing(gocept.filestore.disk.tests.test_listing.ListingCase):

    def test_each_name_once(self):
        self.put_each('b', 'a')
        listing = gocept.filestore.queue.waiting.Listing(self.new)
        self.put('new', 'c')
        self.assertEqual(['b', 'a', None, None],
                         [listing.next() for _ in range(4)])

    def test_names_of_all_that_is_left(self):
        names = {'%04d' % number for number in range(600)}
        for name in names:
            self.put('new', name)
        for order in gocept.filestore.queue.waiting.ORDERS:
            listing = gocept.filestore.queue.waiting.Listing(self.new, order)
            self.assertEqual(names, {listing.next(), *listing.names()})
            self.assertEqual(599, len(listing.names()))

    def test_is_not_left_open_where_lookups_would_see_it(self):
        self.put_each('a', 'b')
        self.new.is_local = False
        before = self.descriptors()
        listing = gocept.filestore.queue.waiting.Listing(self.new, 'directory')
        self.assertEqual(before, self.descriptors())
        self.assertEqual({'a', 'b', None}, {
            listing.next() for _ in range(3)})

    def test_of_nothing(self):
        self.assertIsNone(gocept.filestore.queue.waiting.Listing().next())
