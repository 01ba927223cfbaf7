import gocept.filestore.intake.tests.test_intake
import gocept.filestore.interfaces
import os
import shutil


class Folder(gocept.filestore.intake.tests.test_intake.IntakeCase):

    def assertRaisesOf(self, class_, path, reason):
        with self.assertRaises(class_) as raised:
            self.store.intake(path, 0).take()
        self.assertIn(reason, str(raised.exception))
        self.assertIn(str(path), str(raised.exception))

    def test_missing(self):
        self.assertRaisesOf(
            FileNotFoundError, self.directory / 'nowhere', 'No such file')

    def test_check(self):
        self.drop('a')
        self.store.intake(self.folder, 0).check()
        self.assertEqual(['.filestore', 'a'], sorted(os.listdir(self.folder)))
        with self.assertRaisesRegex(FileNotFoundError, 'nowhere'):
            self.store.intake(self.directory / 'nowhere', 0).check()

    def test_no_directory(self):
        self.assertRaisesOf(
            NotADirectoryError, self.drop('a'), 'Not a directory')

    def test_part_of_the_store(self):
        (self.path / 'in').mkdir()
        link = self.directory / 'link'
        link.symlink_to(self.path / 'new')
        for path in (self.path, self.path / 'new', self.path / 'in', link):
            self.assertRaisesOf(
                gocept.filestore.interfaces.InvalidSpace, path,
                'it is a part of the store')
        self.assertEqual([], os.listdir(self.path / 'new'))

    def test_store_in_a_directory_of_the_folder(self):
        (self.directory / 'a').write_text('content')
        self.assertEqual(['a'], self.store.intake(self.directory, 0).take())

    def test_hidden_directory_is_none(self):
        self.drop('.filestore')
        self.assertRaisesOf(
            gocept.filestore.interfaces.InTheWay, self.folder, 'in the way')

    def test_hidden_directory_leads_elsewhere(self):
        (self.folder / '.filestore').symlink_to(self.path / 'cur')
        self.assertRaisesOf(
            gocept.filestore.interfaces.InTheWay, self.folder, 'in the way')

    def test_forbidden(self):
        for mode in (0o000, 0o444, 0o555):
            self.folder.chmod(mode)
            with self.be_nobody():
                self.assertRaisesOf(
                    PermissionError, self.folder, 'Permission denied')

    def test_no_store(self):
        shutil.rmtree(self.path)
        with self.assertRaises(gocept.filestore.interfaces.NotPrepared):
            self.take()
        self.assertEqual([], os.listdir(self.folder))

    def test_store_is_gone_meanwhile(self):
        intake = self.intake()
        intake.take()
        self.drop('a')
        shutil.rmtree(self.path)
        with self.assertRaises(gocept.filestore.interfaces.NotPrepared):
            intake.take()
        self.store.prepare()
        self.assertTaken(['a'], intake)

    def test_store_that_prepares_itself(self):
        shutil.rmtree(self.path)
        self.drop('a')
        self.store = self.open_store(prepare=True)
        self.assertEqual(['a'], self.take())

    def test_empty_path(self):
        with self.assertRaises(ValueError):
            self.store.intake('')

    def test_modes(self):
        with self.umask(0o022):
            self.take()
        self.assertMode(0o700, self.folder / '.filestore')
        shutil.rmtree(self.folder / '.filestore')
        self.store = self.open_store(
            directory_mode=0o2770, file_mode=0o660)
        self.take()
        self.assertMode(0o2770, self.folder / '.filestore')
        self.assertMode(0o660, self.folder / '.filestore' / '.lock')


class Lock(gocept.filestore.intake.tests.test_intake.IntakeCase):

    def test_that_is_no_file(self):
        hidden = self.folder / '.filestore'
        hidden.mkdir()
        lock = hidden / '.lock'
        for make in (lambda: lock.symlink_to('elsewhere'), lock.mkdir,
                     lambda: os.mkfifo(lock)):
            make()
            with self.assertRaises(gocept.filestore.interfaces.NotRegular):
                self.take()
            shutil.rmtree(lock) if lock.is_dir() else lock.unlink()


class TwoIntakes(gocept.filestore.intake.tests.test_intake.IntakeCase):

    def test_second_one_does_nothing_meanwhile(self):
        self.drop('a')
        one, two = self.intake(), self.intake()
        two.take()
        self.drop('b')
        held = one._folder.lock()
        self.assertTaken([], two)
        held.release()
        self.assertTaken(['b'], two)

    def test_another_process(self):
        child = self.child()
        child.run('intake = store.intake(%r)\n'
                  'held = intake._folder.lock()' % str(self.folder))
        self.drop('a')
        intake = self.intake()
        self.assertTaken([], intake)
        child.kill()
        self.assertTaken(['a'], intake)
