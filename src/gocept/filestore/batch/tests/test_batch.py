import errno
import gocept.filestore.disk.lock
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import os
import unittest.mock


interfaces = gocept.filestore.interfaces


class BatchCase(gocept.filestore.tests.case.Case):

    def publish(self, batch, name, text='text', **options):
        with batch.publish(name, **options) as file:
            file.write(text)

    def claimed(self, name):
        self.put('new', name)
        return self.store.claim()

    def files(self):
        """Return what is there, less what is empty or unique."""
        found = self.tree()
        if 'tmp' in found:
            found['tmp'] = len(found['tmp'])
        return found

    def dies(self, source, **options):
        """Let another process die at the end of a piece of Python."""
        child = self.child(**options)
        child.run(source)
        child.kill()


class Together(BatchCase):

    def test_all_of_it_happens_at_the_end(self):
        claims = [self.claimed(name) for name in 'xy']
        self.put('cur', 'old')
        with self.store.batch() as batch:
            self.publish(batch, 'a')
            self.publish(batch, 'b')
            batch.finish(claims[0])
            batch.finish(claims[1], keep=False)
            batch.remove('old', 'cur')
            self.assertEqual(
                {'tmp': 2, 'work': ['x', 'y'], 'cur': ['old']}, self.files())
        self.assertEqual({'new': ['a', 'b'], 'cur': ['x']}, self.files())
        self.assertEqual('text', self.read('new', 'a'))

    def test_an_error_undoes_all_of_it(self):
        self.put('cur', 'old')
        with self.assertRaises(ZeroDivisionError):
            with self.claimed('x') as claim, self.store.batch() as batch:
                self.publish(batch, 'a')
                batch.finish(claim)
                batch.remove(self.store.path + '/cur/old', 'cur')
                raise ZeroDivisionError('zero')
        self.assertEqual(
            {'work': ['x'], 'attempts': ['x'], 'cur': ['old']}, self.files())

    def test_claim_is_still_up_to_the_caller_after_an_abort(self):
        claim = self.claimed('x')
        batch = self.store.batch()
        batch.finish(claim)
        batch.vote()
        batch.abort()
        self.assertEqual({'work': ['x']}, self.files())
        claim.finish()

    def test_nothing_writes_nothing(self):
        with self.store.batch():
            pass
        self.assertEqual({'tmp', 'new', 'cur'}, set(os.listdir(self.path)))

    def test_names_of_its_own(self):
        with self.store.batch() as batch:
            publications = [batch.publish(), batch.publish()]
            for publication in publications:
                with publication as file:
                    file.write('text')
        self.assertEqual(
            sorted(publication.filename for publication in publications),
            self.tree()['new'])

    def test_options_of_a_publication(self):
        with self.store.batch() as batch:
            self.publish(batch, 'a', 'ä\n', encoding='latin-1',
                         newline='\r\n')
            self.publish(batch, 'b', b'\0', mode='wb')
        self.assertEqual(
            b'\xe4\r\n', (self.path / 'new' / 'a').read_bytes())
        self.assertEqual(b'\0', (self.path / 'new' / 'b').read_bytes())

    def test_file_that_was_closed_in_the_block(self):
        self.store = self.open_store(durable=True)
        with self.store.batch() as batch:
            with batch.publish('a') as file:
                file.write('text')
                file.close()
        self.assertEqual('text', self.read('new', 'a'))

    def test_replacing(self):
        self.put('new', 'a', 'older')
        with self.store.batch() as batch:
            self.publish(batch, 'a', replace=True)
        self.assertEqual('text', self.read('new', 'a'))

    def test_durable(self):
        store = self.store = self.open_store(durable=True)
        claim = self.claimed('x')
        with store.batch() as batch:
            self.publish(batch, 'a')
            batch.finish(claim)
        self.assertEqual({'new': ['a'], 'cur': ['x']}, self.files())

    def test_where_the_disk_can_not_be_told_to_begin(self):
        self.store = self.open_store(durable=True)
        with unittest.mock.patch.object(os, 'posix_fadvise'):
            del os.posix_fadvise
            self.test_all_of_it_happens_at_the_end()

    def test_attempts_of_what_is_finished_are_forgotten(self):
        claim = self.claimed('x')
        claim.fail(interfaces.Retry(after=0))
        with self.store.batch() as batch:
            batch.finish(self.store.claim())
        self.assertEqual({'cur': ['x']}, self.files())

    def test_from_where_it_removes(self):
        self.claimed('f').fail(interfaces.Reject('no'))
        self.put('new', 'n')
        with self.store.batch() as batch:
            batch.remove('n', 'new')
            batch.remove('f', 'failed')
        self.assertEqual({}, self.files())

    def test_what_is_about_to_be_removed_is_not_claimed(self):
        self.put('new', 'n')
        batch = self.store.batch()
        batch.remove('n', 'new')
        batch.vote()
        self.assertIsNone(self.open_store().claim())
        batch.abort()
        self.open_store().claim().finish()


class Errors(BatchCase):

    def refuse(self, kind, text, action, *args, **options):
        with self.assertRaises(kind) as raised:
            action(*args, **options)
        self.assertIn(text, str(raised.exception))
        self.assertEqual(str(self.path), raised.exception.store)

    def test_name_twice(self):
        with self.store.batch() as batch:
            self.publish(batch, 'a')
            self.refuse(interfaces.NameTaken, 'twice',
                        self.publish, batch, 'a', 'newer', replace=True)
        self.assertEqual({'new': ['a']}, self.files())
        self.assertEqual('text', self.read('new', 'a'))

    def test_name_that_is_taken(self):
        self.put('new', 'b', 'theirs')
        batch = self.store.batch()
        self.publish(batch, 'a')
        self.publish(batch, 'b')
        self.refuse(interfaces.NameTaken, "there is one in 'new'", batch.vote)
        batch.abort()
        self.assertEqual({'new': ['b']}, self.files())

    def test_name_that_is_taken_in_a_block(self):
        self.put('new', 'a', 'theirs')
        with self.assertRaises(interfaces.NameTaken):
            with self.store.batch() as batch:
                self.publish(batch, 'a')
        self.assertEqual({'new': ['a']}, self.files())

    def test_name_that_another_batch_has(self):
        other, batch = self.store.batch(), self.open_store().batch()
        for each in (other, batch):
            self.publish(each, 'a')
        other.vote()
        self.refuse(interfaces.NameTaken, 'another batch', batch.vote)
        batch.abort()
        other.commit()
        self.assertEqual({'new': ['a']}, self.files())

    def test_name_that_is_a_link(self):
        os.symlink('elsewhere', self.path / 'new' / 'a')
        batch = self.store.batch()
        self.publish(batch, 'a', replace=True)
        self.refuse(interfaces.NotRegular, 'no regular file', batch.vote)
        batch.abort()

    def test_draft_that_has_gone(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        self.store.clean('tmp', 0)
        with self.assertRaises(interfaces.NoSuchFile):
            batch.vote()
        batch.abort()
        self.assertEqual({}, self.files())

    def test_draft_that_somebody_is_removing(self):
        # Who removes it has locked it before our intent could be seen.
        batch = self.store.batch()
        self.publish(batch, 'a')
        draft = self.store.list('tmp')[0]
        held = gocept.filestore.disk.lock.hold(
            self.store._layout['tmp'], os.path.basename(draft))
        self.refuse(interfaces.NoSuchFile, 'draft has gone', batch.vote)
        held.release()
        batch.abort()
        self.assertEqual({}, self.files())

    def test_bad_name(self):
        batch = self.store.batch()
        self.refuse(interfaces.InvalidName, 'dot', batch.publish, '.a')
        self.refuse(interfaces.InvalidName, 'separator',
                    batch.publish, '../a')

    def test_bad_mode(self):
        with self.assertRaises(ValueError):
            self.store.batch().publish('a', 'r')

    def test_no_room_for_the_intent(self):
        # No file of this process may grow beyond 10 bytes.
        error = self.child().run(
            'import resource\n'
            'before = resource.getrlimit(resource.RLIMIT_FSIZE)\n'
            'resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))\n'
            'try:\n'
            '    with store.batch() as batch:\n'
            '        with batch.publish("a") as file:\n'
            '            _ = file.write("text")\n'
            'except OSError as error:\n'
            '    answer = error.errno, error.filename\n'
            'resource.setrlimit(resource.RLIMIT_FSIZE, before)')
        self.assertEqual(errno.EFBIG, error[0])
        self.assertTrue(error[1].startswith(str(self.path / 'voted')), error)
        self.assertEqual({}, self.files())

    def test_claim_of_another_store(self):
        other = gocept.filestore.filestore.FileStore(
            str(self.directory / 'other'), durable=False, prepare=True)
        with other.publish('a') as file:
            file.write('text')
        self.put('new', 'a')
        ours = self.store.claim()
        with other.claim() as claim:
            self.refuse(interfaces.ForeignClaim, 'not claimed from here',
                        self.store.batch().finish, claim)
        ours.finish()

    def test_what_is_no_claim(self):
        for claim in (None, 'a', self.store):
            with self.assertRaises(TypeError):
                self.store.batch().finish(claim)

    def test_claim_that_is_settled(self):
        claim = self.claimed('x')
        claim.finish()
        self.refuse(interfaces.Settled, 'settled before',
                    self.store.batch().finish, claim)

    def test_claim_that_is_settled_before_the_vote(self):
        claim = self.claimed('x')
        batch = self.store.batch()
        batch.finish(claim)
        claim.release()
        self.refuse(interfaces.Settled, 'settled before', batch.vote)
        batch.abort()
        self.assertEqual({'new': ['x']}, self.files())

    def test_claim_that_is_settled_after_the_vote(self):
        claim = self.claimed('x')
        batch = self.store.batch()
        self.publish(batch, 'a')
        batch.finish(claim)
        batch.vote()
        claim.release()
        self.refuse(interfaces.Settled, 'settled before', batch.commit)
        # What can be done is done, the others find nothing more to do.
        self.assertEqual(['x', 'a'], [
            claim.filename for claim in self.store.claims()
            if claim.finish() is None])
        self.assertEqual({'cur': ['a', 'x']}, self.files())

    def test_claim_twice(self):
        claim = self.claimed('x')
        with self.store.batch() as batch:
            batch.finish(claim)
            self.refuse(interfaces.Settled, 'twice', batch.finish, claim)

    def test_claimed_file_that_has_gone(self):
        claim = self.claimed('x')
        batch = self.store.batch()
        batch.finish(claim)
        os.remove(claim.path)
        self.refuse(interfaces.NoSuchFile, "none in 'work'", batch.vote)
        batch.abort()
        with self.assertRaises(interfaces.NoSuchFile):
            claim.finish()

    def test_remove_what_is_not_there(self):
        batch = self.store.batch()
        for space in ('new', 'cur', 'failed'):
            self.refuse(interfaces.NoSuchFile, 'there is none',
                        batch.remove, 'a', space)
        self.refuse(interfaces.InvalidSpace, 'new, cur, failed',
                    batch.remove, 'a', 'work')
        os.symlink('elsewhere', self.path / 'cur' / 'link')
        self.refuse(interfaces.NotRegular, 'no regular file',
                    batch.remove, 'link', 'cur')

    def test_remove_twice(self):
        self.put('cur', 'a')
        with self.store.batch() as batch:
            batch.remove('a', 'cur')
            self.refuse(interfaces.NoSuchFile, 'twice',
                        batch.remove, 'a', 'cur')

    def test_remove_what_goes_before_the_vote(self):
        self.put('cur', 'a')
        batch = self.store.batch()
        batch.remove('a', 'cur')
        self.store.remove('a', 'cur')
        self.refuse(interfaces.NoSuchFile, 'there is none', batch.vote)
        batch.abort()

    def test_remove_what_somebody_is_taking(self):
        path = self.put('new', 'a')
        batch = self.store.batch()
        batch.remove('a', 'new')
        held = gocept.filestore.disk.lock.hold(self.store._layout['new'], 'a')
        self.refuse(interfaces.NoSuchFile, 'is taking it', batch.vote)
        held.release()
        batch.abort()
        self.assertTrue(path.exists())

    def test_remove_spares_what_has_replaced_it(self):
        self.put('new', 'a')
        batch = self.store.batch()
        batch.remove('a', 'new')
        batch.vote()
        self.put('tmp', 'newer', 'newer').rename(self.path / 'new' / 'a')
        batch.commit()
        self.assertEqual('newer', self.read('new', 'a'))

    def test_store_that_is_not_prepared(self):
        store = gocept.filestore.filestore.FileStore(
            str(self.directory / 'none'))
        with self.assertRaises(interfaces.NotPrepared):
            with store.batch() as batch:
                self.publish(batch, 'a')

    def test_after_its_end(self):
        for end in (lambda batch: batch.abort(),
                    lambda batch: (batch.vote(), batch.commit())):
            batch = self.store.batch()
            late = batch.publish('late')
            open_one = batch.publish('open').__enter__()
            self.addCleanup(open_one.close)
            end(batch)
            for action in (batch.publish, batch.savepoint, batch.vote,
                           batch.commit, batch.__enter__, late.__enter__):
                self.refuse(interfaces.Settled, 'in the file store', action)
            self.refuse(interfaces.Settled, 'end', batch.finish, None)
            self.refuse(interfaces.Settled, 'end', batch.remove, 'a', 'cur')
            self.refuse(interfaces.Settled, 'end', batch.rollback, 0)

    def test_block_that_is_left_after_the_end(self):
        batch = self.store.batch()
        with self.assertRaises(interfaces.Settled):
            with batch.publish('a'):
                batch.vote()
                batch.commit()
        self.assertEqual({}, self.files())

    def test_between_vote_and_commit(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        batch.vote()
        for action in (batch.vote, batch.publish, batch.savepoint):
            self.refuse(interfaces.Settled, 'end', action)
        batch.commit()

    def test_commit_after_a_vote_that_has_failed(self):
        batch = self.store.batch()
        for name in ('a', 'b'):
            with batch.publish(name):
                self.put('new', 'a')
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            batch.vote()
        with self.assertRaises(gocept.filestore.interfaces.Settled):
            batch.commit()
        batch.abort()
        self.assertEqual({'new': ['a']}, self.tree())

    def test_commit_without_a_vote(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        self.refuse(interfaces.Settled, 'voted', batch.commit)
        batch.abort()

    def test_abort_is_legal_at_each_moment_and_twice(self):
        steps = (lambda batch: None,
                 lambda batch: self.publish(batch, 'a'),
                 lambda batch: batch.vote())
        for count in range(len(steps) + 1):
            batch = self.store.batch()
            for step in steps[:count]:
                step(batch)
            for _ in range(2):
                batch.abort()
                self.assertEqual({}, self.files())

    def test_abort_undoes_the_others_when_one_can_not_be(self):
        self.put('new', 'x')
        batch = self.store.batch()
        self.publish(batch, 'a')
        batch.remove('x', 'new')
        self.publish(batch, 'b')
        batch.vote()
        os.remove(self.path / 'work' / 'x')
        with self.assertRaises(interfaces.NoSuchFile):
            batch.abort()
        self.assertEqual({}, self.files())

    def test_abort_after_the_commit_does_nothing(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        batch.vote()
        batch.commit()
        batch.abort()
        self.assertEqual({'new': ['a']}, self.files())

    def test_forked_child(self):
        # It leaves the block as well, and must not touch what is ours.
        child = self.child()
        child.run(FORK)
        self.assertEqual({'new': ['a']}, self.files())


FORK = """
import os
status = []
with store.batch() as batch:
    with batch.publish('a') as file:
        _ = file.write('text')
    pid = os.fork()
    if pid == 0:
        try:
            batch.publish('b')
        except ValueError:
            pass
        batch.abort()
        batch.__exit__(None, None, None)
        os._exit(0)
    _ = os.waitpid(pid, 0)
"""


class Savepoints(BatchCase):

    def test_what_came_after_one_is_undone(self):
        claims = [self.claimed(name) for name in 'xy']
        self.put('cur', 'old')
        with self.store.batch() as batch:
            self.publish(batch, 'a')
            batch.finish(claims[0])
            savepoint = batch.savepoint()
            self.publish(batch, 'b')
            batch.finish(claims[1])
            batch.remove('old', 'cur')
            batch.rollback(savepoint)
            self.assertEqual(1, len(self.store.list('tmp')))
            self.publish(batch, 'b', 'again')
        self.assertEqual(
            {'new': ['a', 'b'], 'work': ['y'], 'cur': ['old', 'x']},
            self.files())
        self.assertEqual('again', self.read('new', 'b'))
        claims[1].release()

    def test_nested(self):
        with self.store.batch() as batch:
            first = batch.savepoint()
            self.publish(batch, 'a')
            second = batch.savepoint()
            self.publish(batch, 'b')
            batch.rollback(second)
            self.publish(batch, 'c')
            batch.rollback(second)
            batch.rollback(first)
            batch.rollback(first)
            self.publish(batch, 'd')
        self.assertEqual({'new': ['d']}, self.files())


class Outsiders(BatchCase):
    """Somebody who knows nothing of batches is faster than the commit."""

    def setUp(self):
        super().setUp()
        batch = self.store.batch()
        self.publish(batch, 'a', 'ours')
        self.publish(batch, 'b', 'ours')
        batch.vote()
        self.put('new', 'a', 'theirs')
        batch.commit()

    def test_theirs_goes_first_and_ours_next(self):
        self.assertEqual({'new': ['a', 'b'], 'tmp': 1}, {
            name: files for name, files in self.files().items()
            if name != 'committed'})
        self.assertEqual('theirs', self.read('new', 'a'))
        texts = []
        for claim in self.store.claims():
            texts.append((claim.filename, self.text(claim)))
            claim.finish(keep=False)
        self.assertEqual(
            [('a', 'theirs'), ('b', 'ours'), ('a', 'ours')], texts)
        self.assertEqual({}, self.files())

    def test_status_tells(self):
        intent, = self.store.status()['intents']
        self.assertEqual((True, ['a', 'b']),
                         (intent['decided'], intent['publish']))

    def test_a_batch_does_not_overtake(self):
        os.remove(self.path / 'new' / 'a')
        with self.assertRaises(interfaces.NameTaken):
            batch = self.store.batch()
            self.publish(batch, 'a')
            try:
                batch.vote()
            finally:
                batch.abort()
