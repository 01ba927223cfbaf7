"""gocept.sftpcopy moves the files of our stores over a real connection."""

import contextlib
import gocept.filestore
import gocept.sftpcopy
import gocept.sftpcopy.testing
import logging
import os
import pathlib
import shutil
import tempfile
import unittest


# Several buffers of gocept.sftpcopy long, and not a multiple of one.
BIG = bytes(range(256)) * 1000 + b'end'


class Case(unittest.TestCase):
    """An SFTP server, and a store with a gocept.sftpcopy beside it."""

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='siblings-'))
        self.addCleanup(shutil.rmtree, self.directory)
        self.remote = self.directory / 'remote'
        self.remote.mkdir()
        self.server = gocept.sftpcopy.testing.SFTPThread(str(self.remote))
        self.server.start()
        self.addCleanup(self.server.stop)
        self.store = self.make_store('store')

    def make_store(self, name):
        store = gocept.filestore.FileStore(
            str(self.directory / name), durable=False)
        store.prepare()
        return store

    @contextlib.contextmanager
    def connection(self, store=None):
        copy = gocept.sftpcopy.SFTPCopy(
            (store or self.store).path, 'localhost', self.server.port,
            'user', 'secret', '/')
        copy.connect()
        try:
            yield copy
        finally:
            # The server waits until its client has gone.
            copy.close()

    def upload(self):
        with self.connection() as copy:
            copy.uploadNewFiles()

    def download(self, store=None):
        with self.connection(store) as copy:
            copy.downloadNewFiles()

    def fill(self):
        """Put files into `new` in each way there is; return what is there."""
        with self.store.publish('published.xml', mode='wb') as f:
            f.write(BIG)
        with self.store.create('moved.xml') as f:
            f.write('moved')
        self.store.move('moved.xml', 'tmp', 'new')
        (self.space('new') / 'dropped.xml').write_bytes(b'dropped')
        return {'dropped.xml': b'dropped', 'moved.xml': b'moved',
                'published.xml': BIG}

    def space(self, name, store=None):
        return pathlib.Path((store or self.store).path, name)

    def names(self, space):
        return [os.path.basename(path) for path in self.store.list(space)]


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


class Upload(Case):

    def test_files_from_everywhere_arrive_whole_and_lie_in_cur(self):
        files = self.fill()
        self.upload()
        self.assertEqual(files, contents(self.remote))
        self.assertEqual(files, contents(self.space('cur')))
        self.assertEqual({}, contents(self.space('new')))

    def test_a_newer_version_replaces_the_older_one(self):
        for version in 'one', 'two':
            with self.store.publish('a.xml') as f:
                f.write(version)
            self.upload()
        self.assertEqual({'a.xml': b'two'}, contents(self.remote))
        self.assertEqual({'a.xml': b'two'}, contents(self.space('cur')))

    def test_a_file_that_the_server_refuses_stays_and_holds_up_no_other(self):
        files = self.fill()
        (self.remote / 'moved.xml').mkdir()
        with self.assertLogs(level=logging.ERROR) as logs:
            self.upload()
        self.assertIn('Failed to upload moved.xml', logs.output[0])
        self.assertEqual(['moved.xml'], self.names('new'))
        self.assertEqual(['dropped.xml', 'published.xml'], self.names('cur'))
        (self.remote / 'moved.xml').rmdir()
        self.upload()
        self.assertEqual(files, contents(self.remote))

    def test_what_is_no_file_of_the_store_is_not_uploaded(self):
        (self.directory / 'elsewhere').write_text('secret')
        (self.space('new') / 'link.xml').symlink_to('../../elsewhere')
        (self.space('new') / '.half').write_text('ha')
        (self.space('tmp') / 'draft.xml').write_text('draft')
        files = self.fill()
        self.upload()
        self.assertEqual(files, contents(self.remote))

    def test_a_claimed_file_is_not_uploaded(self):
        files = self.fill()
        with self.store.claim() as claim:
            self.upload()
        del files[claim.filename]
        self.assertEqual(files, contents(self.remote))
        self.assertEqual(3, len(self.store.list('cur')))


class Download(Case):

    def serve(self, **files):
        for name, content in files.items():
            (self.remote / name).write_bytes(content)
        return files

    def test_files_arrive_whole_in_new_and_can_be_claimed(self):
        files = self.serve(**{
            'big.xml': BIG, 'a b.xml': b'blank', 'ü.xml': b'umlaut',
            'empty.xml': b''})
        self.download()
        self.assertEqual({}, contents(self.remote))
        self.assertEqual({}, contents(self.space('tmp')))
        claimed = {}
        for claim in self.store.claims():
            with claim, claim.open('rb') as f:
                claimed[claim.filename] = f.read()
        self.assertEqual(files, claimed)

    def test_a_name_that_we_refuse_stays_there_and_holds_up_no_other(self):
        # The order is that of the server; one of two comes after it.
        self.serve(**{
            '.hidden': b'hidden', 'a.xml': b'a', '~z.xml': b'z'})
        with self.assertLogs(level=logging.ERROR) as logs:
            self.download()
        self.assertEqual(1, len(logs.output))
        self.assertIn(
            "Failed to download '.hidden' (IOError: '.hidden' can not be the "
            "name of a file in the file store", logs.output[0])
        self.assertEqual({'.hidden': b'hidden'}, contents(self.remote))
        self.assertEqual({'a.xml': b'a', '~z.xml': b'z'},
                         contents(self.space('new')))
        self.assertEqual({}, contents(self.space('tmp')))

    def test_a_directory_there_holds_up_no_file(self):
        (self.remote / 'directory').mkdir()
        self.serve(**{'a.xml': b'a', 'z.xml': b'z'})
        for _attempt in range(2):
            with self.assertLogs(level=logging.ERROR) as logs:
                self.download()
            self.assertEqual(1, len(logs.output))
            self.assertIn("Failed to download 'directory'", logs.output[0])
        self.assertEqual(['a.xml', 'z.xml'], self.names('new'))

    def test_a_draft_that_was_left_behind_is_begun_anew(self):
        (self.space('tmp') / 'a.xml').write_bytes(BIG)
        self.serve(**{'a.xml': b'a'})
        self.download()
        self.assertEqual({'a.xml': b'a'}, contents(self.space('new')))
        self.assertEqual({}, contents(self.space('tmp')))

    def test_a_draft_that_is_being_written_is_left_alone(self):
        self.serve(**{'a.xml': b'theirs', 'b.xml': b'b'})
        with self.store.create('a.xml') as f:
            f.write('ours')
            with self.assertLogs(level=logging.ERROR) as logs:
                self.download()
        self.assertIn("Failed to download 'a.xml'", logs.output[0])
        self.assertEqual({'a.xml': b'ours'}, contents(self.space('tmp')))
        self.assertEqual({'a.xml': b'theirs'}, contents(self.remote))
        self.assertEqual(['b.xml'], self.names('new'))

    def test_files_travel_from_store_to_store(self):
        files = self.fill()
        self.upload()
        other = self.make_store('other')
        self.download(other)
        self.assertEqual(files, contents(self.space('new', other)))
