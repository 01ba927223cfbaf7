import datetime
import gocept.filestore
import gocept.filestore.testing
import gocept.filestore.testing.store
import os
import pickle
import tempfile
import unittest
import unittest.mock


PLAIN = gocept.filestore.RetryPolicy(attempts=3, first=60, jitter=0)


class StoreCase(unittest.TestCase):

    def open_store(self, **options):
        store = gocept.filestore.testing.Store(prepare=True, **options)
        self.addCleanup(store.close)
        return store


class Place(StoreCase):

    def test_is_gone_in_the_end(self):
        with self.open_store() as store:
            gocept.filestore.testing.publish(store, 'a')
            directory = os.path.dirname(store.path)
            self.assertEqual(['store'], os.listdir(directory))
        self.assertFalse(os.path.exists(directory))
        store.close()

    def test_is_gone_whatever_was_made_of_it(self):
        with tempfile.TemporaryDirectory() as elsewhere:
            os.mkdir(os.path.join(elsewhere, 'cur'))
            with self.open_store() as store:
                gocept.filestore.testing.publish(store, 'a')
                os.rename(store.path, store.path + '-1')
                os.symlink(elsewhere, store.path)
            with self.open_store() as other:
                os.makedirs(os.path.join(other.path, 'tmp', 'a', 'b'))
                os.symlink(elsewhere, os.path.join(other.path, 'cur-2'))
                open(os.path.join(other.path, 'file'), 'w').close()
            with gocept.filestore.testing.Store() as unprepared:
                pass
            for path in store.path, other.path, unprepared.path:
                self.assertFalse(os.path.exists(os.path.dirname(path)))
            self.assertEqual(['cur'], os.listdir(elsewhere))

    def test_forked_child_does_not_remove_it(self):
        with self.open_store() as store:
            gocept.filestore.testing.publish(store, 'a')
            child = os.fork()
            if not child:
                try:
                    store.close()
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
            self.assertEqual(
                {'new': ['a']}, gocept.filestore.testing.names(store))
        self.assertFalse(os.path.exists(store.path))

    def test_each_has_its_own(self):
        self.assertNotEqual(self.open_store().path, self.open_store().path)

    def test_in_a_place_of_ours(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, 'store')
            with gocept.filestore.testing.Store(path, prepare=True) as store:
                gocept.filestore.testing.publish(store, 'a')
            self.assertEqual(['a'], os.listdir(os.path.join(path, 'new')))

    def test_on_a_tmpfs_where_there_is_one(self):
        place = gocept.filestore.testing.store.place
        with tempfile.TemporaryDirectory() as directory:
            elsewhere = unittest.mock.patch.object(
                gocept.filestore.testing.store, 'SHARED_MEMORY',
                os.path.join(directory, 'no'))
            with elsewhere, unittest.mock.patch.object(
                    tempfile, 'tempdir', '/proc'):
                self.assertIsNone(place())
        self.assertLessEqual(
            gocept.filestore.testing.store.is_in_memory('/dev/shm'),
            place() is not None)

    def test_nothing_is_left_if_it_can_not_be_made(self):
        with tempfile.TemporaryDirectory() as directory:
            with unittest.mock.patch.object(
                    gocept.filestore.testing.store, 'place',
                    lambda: directory):
                with self.assertRaises(TypeError):
                    gocept.filestore.testing.Store(nonsense=True)
            self.assertEqual([], os.listdir(directory))

    def test_pickle_is_the_store_alone(self):
        with self.open_store(file_mode=0o640) as store:
            copied = pickle.loads(pickle.dumps(store))
            gocept.filestore.testing.publish(copied, 'a')
            self.assertEqual(
                {'new': ['a']}, gocept.filestore.testing.names(store))
            self.assertEqual(0o640, copied.file_mode)


class Clock(StoreCase):
    """Nobody sleeps, and the time of the store passes."""

    def test_a_file_is_due(self):
        store = self.open_store(retry_policy=PLAIN)
        gocept.filestore.testing.publish(store, 'a')
        store.claim().fail('no water')
        for seconds in (0, 59):
            store.advance(seconds)
            self.assertIsNone(store.claim())
        self.assertLess(store.status()['waiting']['next'], 1)
        store.advance(1)
        self.assertEqual(2, store.claim().attempt)

    def test_what_comes_after_a_failure_is_a_file_of_its_own(self):
        store = self.open_store(retry_policy=PLAIN)
        gocept.filestore.testing.publish(store, 'a')
        store.claim().fail('no water')
        store.advance(7200)
        gocept.filestore.testing.publish(store, 'a', 'newer')
        claim = store.claim()
        self.assertEqual(2, claim.attempt)
        claim.finish(keep=False)
        with store.claim() as claim:
            self.assertEqual(1, claim.attempt)

    def test_after_a_claim_it_is_seen_that_a_file_has_failed(self):
        # What is known of a directory does not depend on our clock.
        store = self.open_store(retry_policy=PLAIN)
        for name in 'ab':
            gocept.filestore.testing.publish(store, name)
        store.advance(7200)
        first = store.claim()
        store.claim().fail(gocept.filestore.Reject('b is bad'))
        first.finish()
        store.retry('b')
        claim = store.claim()
        claim.fail('again')
        [failed] = [store.status()['waiting']['files']]
        self.assertEqual(1, failed)

    def test_old_files_are_cleaned(self):
        store = self.open_store()
        gocept.filestore.testing.publish(store, 'a')
        store.claim().finish()
        store.create('draft').close()
        day = datetime.timedelta(days=1)
        self.assertEqual([], store.clean('cur', day))
        store.advance(day.total_seconds() + 1)
        self.assertEqual(['a'], store.clean('cur', day))
        self.assertEqual([], store.clean('tmp'))
        store.advance(day.total_seconds())
        self.assertEqual(['draft'], store.clean('tmp'))

    def test_quiet_periods_pass(self):
        store = self.open_store(quiet=5)
        store.prepare()
        with open(os.path.join(store.path, 'new', 'a'), 'w'):
            pass
        self.assertIsNone(store.claim())
        store.advance(5)
        self.assertEqual('a', store.claim().filename)

    def test_quiet_periods_of_a_folder_pass(self):
        store = self.open_store()
        folder = os.path.join(os.path.dirname(store.path), 'in')
        os.mkdir(folder)
        with open(os.path.join(folder, 'a'), 'w'):
            pass
        intake = store.intake(folder)
        self.assertEqual([], intake.take())
        store.advance(5)
        self.assertEqual(['a'], intake.take())

    def test_ages_are_those_of_our_clock(self):
        store = self.open_store()
        gocept.filestore.testing.publish(store, 'a')
        store.advance(3600)
        self.assertEqual(
            1, store.status()['spaces']['new']['oldest'] // 3600)

    def test_is_not_set_back(self):
        with self.assertRaises(ValueError) as raised:
            self.open_store().advance(-1)
        self.assertIn('-1', str(raised.exception))
