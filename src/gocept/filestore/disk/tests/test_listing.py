import gocept.filestore.disk.listing
import gocept.filestore.queue.waiting
import gocept.filestore.retry.tests.test_attempt
import gocept.filestore.testing
import os


class ListingCase(gocept.filestore.retry.tests.test_attempt.AttemptCase):

    def setUp(self):
        super().setUp()
        self.new = self.layout['new']

    def put_each(self, *names):
        for name in names:
            self.put('new', name)
            gocept.filestore.testing.helper.tick(self.path)


class Listing(ListingCase):

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


class Until(ListingCase):

    def until(self, name):
        limit = os.stat(self.path / 'new' / name).st_ctime_ns
        return gocept.filestore.disk.listing.until(self.new, limit)

    def test_oldest_first(self):
        self.put_each('c', 'a', 'b')
        for name, names in (('c', ['c']), ('a', ['c', 'a']),
                            ('b', ['c', 'a', 'b'])):
            self.assertEqual(names, self.until(name))

    def test_space_that_was_not_made_yet(self):
        self.assertEqual([], gocept.filestore.disk.listing.until(None, 2**63))


class Arrival(ListingCase):

    def test_when_it_came_there(self):
        os.utime(self.put('new', 'a'), (0, 0))
        arrivals = list(map(
            gocept.filestore.disk.listing.arrival, self.new.entries()))
        self.assertEqual(
            [os.stat(self.path / 'new' / 'a').st_ctime_ns], arrivals)

    def test_gone_meanwhile(self):
        self.put_each('a')
        for entry in self.new.entries():
            os.remove(self.path / 'new' / 'a')
            self.assertEqual(0, gocept.filestore.disk.listing.arrival(entry))
