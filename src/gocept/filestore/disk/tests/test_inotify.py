import gocept.filestore.disk.inotify
import gocept.filestore.disk.space
import gocept.filestore.tests.case
import os


class Watchers(gocept.filestore.tests.case.Case):

    def watchers(self, name):
        return gocept.filestore.disk.inotify.watchers(self.space(name))

    def space(self, name):
        return gocept.filestore.disk.space.Space(
            str(self.path), name, str(self.path / name), False)

    def test_of_one_space(self):
        self.assertEqual(set(), self.watchers('new'))
        notifier = gocept.filestore.disk.inotify.Notifier(self.space('new'))
        self.assertEqual({os.getpid()}, self.watchers('new'))
        self.assertEqual(set(), self.watchers('tmp'))
        notifier.close()
        self.assertEqual(set(), self.watchers('new'))

    def test_space_that_is_not_mounted(self):
        space = self.space('new')
        reader, writer = os.pipe()
        os.dup2(reader, space.descriptor)  # which no list of mounts has
        self.assertEqual(
            set(), gocept.filestore.disk.inotify.watchers(space))
        for descriptor in reader, writer, space.descriptor:
            os.close(descriptor)

    def test_process_that_has_ended(self):
        self.assertEqual(
            '', gocept.filestore.disk.inotify.watches('/proc/0/fd/0'))
