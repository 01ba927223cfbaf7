import gocept.filestore.disk.tests.test_listing
import gocept.filestore.interfaces
import gocept.filestore.queue.waiting
import gocept.filestore.tests.case
import unittest.mock


class Listing(gocept.filestore.disk.tests.test_listing.ListingCase):

    def test_each_name_once(self):
        self.put_each('b', 'a')
        listing = gocept.filestore.queue.waiting.Listing(self.new)
        self.put('new', 'c')
        self.assertEqual(['b', 'a', None, None],
                         [listing.next() for _ in range(4)])

    @gocept.filestore.tests.case.slow
    def test_names_of_all_that_is_left(self):
        names = {'%04d' % number for number in range(600)}
        for name in names:
            self.put('new', name)
        for order in gocept.filestore.interfaces.ORDERS:
            listing = gocept.filestore.queue.waiting.Listing(self.new, order)
            self.assertEqual(names, {listing.next(), *listing.names()})
            self.assertEqual(599, len(listing.names()))

    def test_more_than_is_read_at_once(self):
        self.put_each(*'abcde')
        with unittest.mock.patch.object(
                gocept.filestore.queue.waiting, 'CHUNK', 2):
            listing = gocept.filestore.queue.waiting.Listing(
                self.new, 'directory')
            first = listing.next()
            self.assertEqual({*'abcde'} - {first}, listing.names())
            self.assertEqual({*'abcde', None}, {first, *(
                listing.next() for _ in range(5))})

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
