import gocept.filestore.intake.intake
import gocept.filestore.intake.marker
import gocept.filestore.intake.tests.test_intake
import gocept.filestore.tests.story
import os


LONG = gocept.filestore.intake.tests.test_intake.LONG


class Marker(gocept.filestore.intake.tests.test_intake.IntakeCase):

    def intake(self, marker='.done', **kw):
        return super().intake(LONG, marker=marker, **kw)

    def test_ready_at_once(self):
        self.drop('a')
        intake = self.intake()
        self.assertWaiting(intake, a=gocept.filestore.intake.marker.MISSING)
        self.drop('a.done', '')
        self.assertTaken(['a'], intake)
        self.assertEqual([], self.outside() + self.hidden())
        self.assertEqual({'new': ['a']}, self.tree())

    def test_marker_alone(self):
        self.drop('a.done', '')
        intake = self.intake()
        self.assertWaiting(intake)
        self.drop('a')
        self.assertTaken(['a'], intake)

    def test_is_no_file_itself(self):
        self.drop('a.done')
        self.drop('a.done.done')
        self.assertWaiting(self.intake())

    def test_writer_that_is_not_ready(self):
        writer = self.writer()
        self.drop('a.done', '')
        intake = self.intake()
        self.assertWaiting(intake, a=gocept.filestore.intake.intake.WRITTEN)
        self.assertEqual(['a', 'a.done'], self.outside())
        writer.run('file.write("end")\nfile.close()')
        self.assertTaken(['a'], intake)
        self.assertEqual([], self.outside())
        self.assertEqual('begin\nend', self.read('new', 'a'))

    def test_marker_of_a_hidden_file_releases_no_newer_one(self):
        self.drop('a')
        self.drop('a.done', '')
        self.put('new', 'a', 'older')
        intake = self.intake()
        self.assertWaiting(intake, a=gocept.filestore.intake.intake.TAKEN)
        self.drop('a', 'half')
        self.store.claim().finish()
        self.assertTaken(['a'], intake)
        self.store.claim().finish()
        self.assertWaiting(intake, a=gocept.filestore.intake.marker.MISSING)
        self.assertEqual(['a'], self.outside())

    def test_marker_of_a_newer_file_stays(self):
        self.drop('a')
        self.drop('a.done', '')
        self.put('new', 'a', 'older')
        intake = self.intake()
        intake.take()
        gocept.filestore.tests.story.tick(self.folder)
        self.drop('a', 'newer')
        self.drop('a.done', '')
        self.store.claim().finish()
        self.assertTaken(['a'], intake)
        self.assertEqual(['a.done'], self.outside())
        self.store.claim().finish()
        self.assertTaken(['a'], intake)
        self.assertEqual('newer', self.read('new', 'a'))

    def test_marker_with_an_old_mtime(self):
        self.drop('a')
        os.utime(self.drop('a.done', ''), (1, 1))
        self.assertEqual(['a'], self.take())
        self.assertEqual([], self.outside())

    def test_marker_with_an_mtime_to_come(self):
        self.drop('a')
        os.utime(self.drop('a.done', ''), (1e10, 1e10))
        self.assertEqual(['a'], self.take())

    def test_clock_was_set_back(self):
        intake = self.intake()
        intake.take()
        pauses = []
        marker = gocept.filestore.intake.marker.Marker(
            '.done', intake._folder, pauses.append)
        self.assertFalse(
            marker._is_past(intake._folder.disk_time() + 10 ** 12))
        self.assertEqual(gocept.filestore.intake.marker.PATIENCE, len(pauses))

    def test_no_regular_file(self):
        self.drop('a')
        (self.folder / 'a.done').symlink_to('a')
        intake = self.intake()
        self.assertTaken([], intake)
        self.assertIn("'a.done' in the file store",
                      str(intake.refused['a']))
        self.assertEqual(['a', 'a.done'], self.outside())

    def test_patterns_are_for_the_file(self):
        for name in ('a.xml', 'a.xml.done', 'b.txt', 'b.txt.done'):
            self.drop(name)
        self.assertEqual(['a.xml'], self.take(include=['*.xml']))
        self.assertEqual(['b.txt', 'b.txt.done'], self.outside())

    def test_removed_by_somebody_else(self):
        intake = self.intake()
        intake.take()
        intake._marker.remove('a', 0)
        self.assertEqual([], self.outside())

    def test_can_not_be_one(self):
        for marker in ('', '/', 'a/b'):
            with self.assertRaises(ValueError):
                self.intake(marker=marker)
