import gocept.filestore.disk.listing
import gocept.filestore.retry.tests.test_attempt
import gocept.filestore.tests.story
import os


class ListingCase(gocept.filestore.retry.tests.test_attempt.AttemptCase):

    def setUp(self):
        super().setUp()
        self.new = self.layout['new']

    def put_each(self, *names):
        for name in names:
            self.put('new', name)
            gocept.filestore.tests.story.tick(self.path)


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

    def test_in_order_with_what_has_gone_meanwhile(self):
        def goes(name):
            if name == 'b':
                os.remove(self.path / 'new' / name)
            return name != 'd'

        self.put_each('c', 'b', 'd', 'a', '.hidden')
        os.mkdir(self.path / 'new' / 'e')
        came, digits = [
            os.stat(self.path / 'new' / name).st_ctime_ns for name in 'ca'
        ], gocept.filestore.disk.listing.DIGITS
        self.assertEqual(
            ['0' * digits + 'b', '%sc' % came[0], '%sa' % came[1]],
            gocept.filestore.disk.listing.arrivals(self.new, goes))


class Cached(ListingCase):

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
            gocept.filestore.tests.story.tick(self.path)
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
