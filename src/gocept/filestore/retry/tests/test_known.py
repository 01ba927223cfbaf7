import gocept.filestore.disk.listing
import gocept.filestore.disk.tests.test_listing
import gocept.filestore.retry.known
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import os
import time


class Known(gocept.filestore.disk.tests.test_listing.ListingCase):

    def setUp(self):
        super().setUp()
        self.looks = 0
        self.ahead = 1  # of the clock of the file system, in seconds
        self.known = gocept.filestore.retry.known.Known(
            self.layout, self.time)
        self.put_each('a', 'b', 'c')

    def time(self):
        self.looks += 1
        return time.time() + self.ahead

    def has(self, name='a'):
        arrival = os.stat(self.path / 'new' / name).st_ctime_ns
        return self.known.has(name, arrival, self.layout['new'])

    def written(self, name):
        """Write something down, and let this be long ago."""
        self.write(name, {'event': 'failed'})
        self.ahead = 3

    def move_away_and_back(self, name):
        gocept.filestore.tests.story.tick(self.path)
        os.rename(self.path / 'new' / name, self.path / 'cur' / name)
        os.rename(self.path / 'cur' / name, self.path / 'new' / name)

    def wait_for_rest(self):
        attempts = self.layout['attempts']
        rest = gocept.filestore.disk.listing.CachedListing.coarse
        while time.time() < attempts.changed() / 1e9 + rest:
            time.sleep(0.05)

    def test_nothing_has_ever_failed(self):
        self.assertEqual([False] * 3, [self.has(name) for name in 'abc'])
        self.assertEqual(1, self.looks)

    def test_one_of_them_has_failed(self):
        self.written('b')
        self.assertEqual(
            [False, True, False], [self.has(name) for name in 'abc'])

    def test_one_look_at_a_directory_that_is_at_rest(self):
        self.written('b')
        self.has()
        self.layout['attempts'].has_file = None
        self.assertEqual([True, False], [self.has(name) for name in 'bc'])

    def test_too_many_to_list(self):
        self.written('b')
        self.known.large = 1
        self.assertEqual(
            [False, True, False], [self.has(name) for name in 'abc'])
        (self.path / 'attempts' / 'b').unlink()
        self.assertFalse(self.has('b'))  # it was asked for again

    def test_one_that_failed_after_the_look_and_was_put_back(self):
        self.ahead = 0
        self.move_away_and_back('b')
        self.assertFalse(self.has())
        self.write('a', {'event': 'failed'})
        self.move_away_and_back('a')
        self.assertTrue(self.has())

    @gocept.filestore.tests.case.slow
    def test_the_same_where_others_have_failed_before(self):
        self.write('b', {'event': 'failed'})
        self.ahead = 0
        self.wait_for_rest()
        self.assertFalse(self.has())
        self.assertEqual({'b'}, self.known._known[1])
        self.write('a', {'event': 'failed'})
        self.move_away_and_back('a')
        self.assertTrue(self.has())

    @gocept.filestore.tests.case.slow
    def test_files_that_come_at_the_moment_of_the_look(self):
        self.ahead = 0
        for _ in range(100):
            self.assertFalse(self.has())
            self.move_away_and_back('a')
            self.written('a')
            self.ahead = 0
            self.assertTrue(self.has())
            os.unlink(self.path / 'attempts' / 'a')
            os.rmdir(self.path / 'attempts')
            self.known.renew()

    def test_a_directory_that_has_just_changed_is_asked_for_each_file(self):
        self.write('b', {'event': 'failed'})
        self.assertFalse(self.has())
        self.write('a', {'event': 'failed'})
        self.assertTrue(self.has())

    def test_other_hosts_have_other_clocks(self):
        self.layout['new'].is_local = False
        self.assertFalse(self.has())
        self.write('a', {'event': 'failed'})
        self.assertTrue(self.has())

    def test_a_clock_that_was_set_back(self):
        self.ahead = 3600
        self.assertFalse(self.has())
        self.write('a', {'event': 'failed'})
        self.ahead = 0
        self.known.renew()
        self.move_away_and_back('a')
        self.assertTrue(self.has())

    def test_another_directory(self):
        self.written('a')
        self.assertTrue(self.has())
        os.rename(self.path / 'attempts', self.path / 'old')
        self.known.renew()
        self.assertFalse(self.has())
