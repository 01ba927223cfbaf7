import gocept.filestore.interfaces
import gocept.filestore.retry.metadata
import gocept.filestore.retry.policy
import gocept.filestore.tests.case
import json
import os
import shutil
import unittest


ANY = {'type': 'text/plain'}
PUBLISH = """
for number in range(300):
    name = 'abc'[number %% 3]
    text = '%s %%s' %% number
    _ = store.write_text(
        name, text, replace=True, metadata={'text': text})
"""
CLAIM = """
import os, time
answer = []
while not (is_over := os.path.exists(%r)) or store.list('new'):
    for claim in store.claims():
        found, text = claim.metadata, claim.read_text()
        if found != {'text': text}:
            answer.append((claim.filename, text, found))
        claim.finish(%s)
    time.sleep(.001)
"""


class Checked(unittest.TestCase):

    checked = staticmethod(gocept.filestore.retry.metadata.checked)

    def test_mapping_or_pairs(self):
        for given in ({'a': 'b', '': ''}, [('a', 'b'), ('', '')]):
            self.assertEqual({'a': 'b', '': ''}, self.checked(given))

    def test_is_a_copy(self):
        given = {'a': 'b'}
        found = self.checked(given)
        given['a'] = 'c'
        self.assertEqual({'a': 'b'}, found)

    def test_other_types(self):
        for given in ({'a': 1}, {1: 'a'}, {'a': None}, {'a': b'b'},
                      {'a': {}}, {'a': ['b']}):
            with self.subTest(given), self.assertRaisesRegex(
                    TypeError, 'map strings to strings'):
                self.checked(given)
        for given in (7, object()):
            self.assertRaises(TypeError, self.checked, given)
        self.assertRaises(ValueError, self.checked, 'a=b')

    def test_length(self):
        most = gocept.filestore.retry.metadata.MOST
        self.checked({'ä' * (most - 3): '\N{SNOWMAN}' * 3})
        with self.assertRaisesRegex(ValueError, '4000 .*4001'):
            self.checked({'a': 'b' * most})


class Case(gocept.filestore.tests.case.Case):

    options = {'durable': False,
               'retry_policy': gocept.filestore.retry.policy.RetryPolicy(
                   first=0)}

    def found(self, name='a'):
        return {place['space']: place['metadata']
                for place in self.store.history(name)}

    def lines(self, name='a'):
        path = self.path / 'attempts' / name
        return path.read_text().splitlines() if path.exists() else []

    def publish(self, text='text', name='a', **options):
        self.store.write_text(name, text, metadata={'text': text}, **options)


class Publish(Case):

    def test_nothing_given(self):
        for given in (None, {}, (), []):
            self.store.write_text('a', 'text', replace=True, metadata=given)
        self.assertEqual({}, self.store.claim().metadata)
        self.assertEqual({'work': ['a']}, self.tree())

    def test_strings_of_all_kinds(self):
        odd = {'\udcff': '\n\r\0', 'ä': '\N{SNOWMAN}' * 3000, '': ' ',
               '"': "'\\", 'metadata': '{}', 'inode': '1'}
        self.store.write_text('a', 'text', metadata=odd)
        self.assertEqual(odd, self.store.claim().metadata)
        self.assertEqual({'work': odd}, self.found())

    def test_unique_name(self):
        name = self.store.write_text(None, 'text', metadata=ANY)
        self.assertEqual({'new': ANY}, self.found(name))

    def test_odd_names(self):
        for name in ('a\nb', '\udcff', 'x' * 255, 'ä', '-'):
            self.publish(name=name)
            self.assertEqual({'new': {'text': 'text'}}, self.found(name))

    def test_each_verb(self):
        with self.store.publish('a', metadata=ANY):
            pass
        with self.store.group(print) as group:
            group.write_bytes('b', b'text', metadata=ANY)
        for two_phase in (False, True):
            with self.store.batch(two_phase) as batch:
                batch.write_text('c%s' % two_phase, 'text', metadata=ANY)
        with self.store.batch() as batch:
            batch.write_text('d', 'text', metadata=ANY)
            batch.write_text('e', 'text')
        self.assertEqual(
            {'a': ANY, 'b': ANY, 'cFalse': ANY, 'cTrue': ANY, 'd': ANY,
             'e': {}},
            {claim.filename: claim.metadata for claim in self.store.claims()})

    def test_wrong_ones_make_nothing(self):
        for place in (self.store, self.store.group(print),
                      self.store.batch()):
            with self.assertRaises(TypeError):
                place.write_text('a', 'text', metadata={'a': 1})
        self.assertEqual({}, self.tree())

    def test_error_in_the_block(self):
        with (self.assertRaises(KeyError),
              self.store.publish('a', metadata=ANY)):
            raise KeyError
        self.assertEqual({}, self.tree())

    def test_name_is_taken(self):
        self.publish('older')
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            self.publish('newer')
        refused = []
        with self.store.group(refused.append) as group:
            group.write_text('a', 'newer', metadata=ANY)
        self.assertEqual(["there is one in 'new'"],
                         [error.reason for error in refused])
        self.assertEqual({'new': {'text': 'older'}}, self.found())
        self.assertEqual(1, len(self.lines()))

    def test_first_name_that_is_taken(self):
        self.store.write_text('a', 'older')
        with self.assertRaises(gocept.filestore.interfaces.NameTaken):
            self.publish('newer')
        self.assertEqual({'new': ['a']}, self.tree())

    def test_draft_has_gone(self):
        with (self.assertRaises(FileNotFoundError),
              self.store.publish('a', metadata=ANY) as file):
            os.remove(file.name)
        self.assertEqual({}, self.tree())

    def test_another_file_in_the_place_of_the_draft(self):
        with self.store.publish('a', metadata=ANY) as file:
            other = self.put('tmp', 'other')
            os.rename(other, file.name)
        self.assertEqual({'new': ANY}, self.found())

    def test_what_is_replaced_leaves_nothing(self):
        for number in range(5):
            self.publish(str(number), replace=True)
        self.assertEqual({'new': {'text': '4'}}, self.found())
        self.assertLessEqual(len(self.lines()), 2)

    def test_attempts_can_not_be_written(self):
        self.put('tmp', 'file').rename(self.path / 'attempts')
        for place in (self.store, self.store.batch()):
            with self.assertRaises(OSError):
                with place.publish('a', metadata=ANY):
                    pass
                place.vote()
            self.assertEqual({'attempts'}, {
                path.name for path in self.path.iterdir()
                if path.is_file()})
        self.assertEqual([], self.store.list('new'))


class Along(Case):
    """The way of a file."""

    def test_every_space(self):
        self.publish()
        for outcome in ('fail', 'release', 'fail'):
            claim = self.store.claim()
            self.assertEqual({'text': 'text'}, claim.metadata)
            getattr(claim, outcome)(*['no paper'] * (outcome == 'fail'))
        self.store.claim().fail(gocept.filestore.interfaces.Reject())
        self.assertEqual({'failed': {'text': 'text'}}, self.found())
        self.store.retry('a')
        claim = self.store.claim()
        self.assertEqual((1, {'text': 'text'}),
                         (claim.attempt, claim.metadata))
        claim.finish()
        self.assertEqual({'cur': {'text': 'text'}}, self.found())
        self.assertEqual(1, len(self.lines()))
        self.store.move('a', 'cur', 'new')
        self.assertEqual({'text': 'text'}, self.store.claim().metadata)

    def test_number_in_failed(self):
        for text in ('older', 'newer'):
            self.publish(text)
            self.store.claim().fail(gocept.filestore.interfaces.Reject())
        [numbered] = set(os.listdir(self.path / 'failed')) - {'a'}
        self.assertEqual({'failed': {'text': 'newer'}}, self.found())
        self.assertEqual({'failed': {'text': 'older'}}, self.found(numbered))
        self.store.copy(numbered, 'failed', 'new')
        self.assertEqual(
            {'text': 'older'}, self.store.claim().metadata)

    def test_settled(self):
        self.publish()
        claim = self.store.claim()
        claim.finish()
        with self.assertRaises(gocept.filestore.interfaces.Settled):
            self.fail(claim.metadata)

    def test_process_has_died(self):
        self.publish()
        self.store.claim().drop()
        claim = self.store.claim()
        self.assertEqual((2, {'text': 'text'}),
                         (claim.attempt, claim.metadata))

    def test_removed(self):
        for remove in (
                lambda: self.store.remove('a', 'cur'),
                lambda: self.store.clean('cur', 0)):
            self.publish()
            self.store.claim().finish()
            remove()
            self.assertEqual({}, self.tree())
        self.publish()
        self.store.claim().finish(keep=False)
        self.assertEqual({}, self.tree())

    def test_batch(self):
        self.publish()
        with self.store.batch() as batch:
            batch.finish(self.store.claim())
        self.assertEqual({'cur': {'text': 'text'}}, self.found())

    def test_kept_in_the_place_of_an_older_one(self):
        for number in range(5):
            self.publish(str(number))
            self.store.claim().finish()
        self.assertEqual({'cur': {'text': '4'}}, self.found())
        self.assertLessEqual(len(self.lines()), 2)
        self.store.write_text('a', 'plain')
        self.store.claim().finish()
        self.assertEqual({'cur': {}}, self.found())
        self.assertLessEqual(len(self.lines()), 1)

    def test_copy(self):
        self.publish()
        for space in ('cur', 'failed', 'tmp'):
            self.store.copy('a', 'new', space)
        given = {'text': 'text'}
        self.assertEqual(
            {'new': given, 'cur': given, 'failed': given, 'tmp': {}},
            self.found())

    def test_moved_by_hand_while_it_is_worked_on(self):
        self.publish()
        claim = self.store.claim()
        os.rename(self.path / 'work' / 'a', self.path / 'cur' / 'a')
        with self.assertRaises(gocept.filestore.interfaces.NoSuchFile):
            claim.finish()
        self.assertEqual({'cur': {'text': 'text'}}, self.found())

    def test_taken_by_hand_while_it_is_worked_on(self):
        self.publish()
        claim = self.store.claim()
        os.remove(self.path / 'work' / 'a')
        with self.assertRaises(gocept.filestore.interfaces.NoSuchFile):
            claim.finish()
        self.assertEqual({}, self.tree())

    def test_changed_by_hand(self):
        self.publish()
        os.utime(self.path / 'new' / 'a', (7, 7))
        self.assertEqual({'new': {}}, self.found())
        claim = self.store.claim()
        self.assertEqual({}, claim.metadata)

    def test_changed_by_who_has_it(self):
        self.publish()
        claim = self.store.claim()
        with open(claim.path, 'a') as file:
            file.write('more')
        self.assertEqual({'text': 'text'}, claim.metadata)
        claim.fail('no paper')
        self.assertEqual({}, self.store.claim().metadata)

    def test_another_file_of_the_inode(self):
        self.publish()
        os.remove(self.path / 'new' / 'a')
        path = self.put('new', 'a', 'other')
        os.utime(path, (7, 7))  # as who unpacks an archive
        self.tell_of(inode=path.stat().st_ino)
        for outcome in ('fail', 'release', 'fail', 'finish'):
            claim = self.store.claim()
            self.assertEqual({}, claim.metadata)
            getattr(claim, outcome)(*['no paper'] * (outcome == 'fail'))
        self.assertEqual({'cur': {}}, self.found())

    def test_another_one_of_the_same_time(self):
        self.publish()
        status = os.stat(self.path / 'new' / 'a')
        path = self.put('new', 'a', 'another')
        os.utime(path, ns=(0, status.st_mtime_ns))
        self.assertEqual(status.st_ino, path.stat().st_ino)
        self.assertEqual({}, self.store.claim().metadata)

    def tell_of(self, **facts):
        """Let the line of a file be about another one."""
        path = self.path / 'attempts' / 'a'
        path.write_text(json.dumps({
            **json.loads(path.read_text()), **facts}) + '\n')

    def test_copied_store(self):
        self.publish()
        self.publish(name='b')
        self.store.claim().finish()
        self.path = self.directory / 'copy'
        shutil.copytree(self.directory / 'store', self.path)  # with mtimes
        self.store = self.open_store()
        self.assertEqual({'cur': {'text': 'text'}}, self.found())
        claim = self.store.claim()
        self.assertEqual(('b', {'text': 'text'}),
                         (claim.filename, claim.metadata))

    def test_numbered_one_that_goes_on_under_its_number(self):
        for text in ('older', 'newer'):
            self.publish(text)
            self.store.claim().fail(gocept.filestore.interfaces.Reject())
        self.store.move('a.~1~', 'failed', 'new')
        self.assertEqual({'text': 'older'}, self.store.claim().metadata)

    def test_spoilt_by_hand(self):
        for spoilt in ('7', '{"a": 1}', '[]', 'null'):
            self.publish(replace=True)
            path = self.path / 'attempts' / 'a'
            path.write_text(self.lines()[-1].replace(
                '{"text": "text"}', spoilt) + '\n')
            self.assertEqual({'new': {}}, self.found())
        for spoilt in ('7', '"../cur/a"', '""'):
            self.publish(replace=True)
            event = json.loads(self.lines()[-1])
            path.write_text(json.dumps({
                **event, 'draft': json.loads(spoilt)}) + '\n')
            self.assertEqual({'new': {}}, self.found())

    def test_no_time_of_change(self):
        self.publish()
        self.tell_of(changed=None)
        self.assertEqual({}, self.store.claim().metadata)

    def test_does_not_make_others_wait(self):
        """Nobody reads what nobody asks for."""
        self.publish()
        self.store.write_text('b', 'text')
        claims = list(self.store.claims())
        shutil.rmtree(self.path / 'attempts')
        self.assertEqual([{}, {}], [claim.metadata for claim in claims])


class InDoubt(Case):

    def vote(self):
        batch = self.store.batch(two_phase=True)
        batch.write_text('a', 'text', metadata=ANY)
        batch.vote()
        return batch

    def test_committed_by_somebody_else(self):
        child = self.child()
        child.run('batch = store.batch(two_phase=True)\n'
                  'batch.write_text("a", "text", metadata=%r)\n'
                  'batch.vote()' % ANY)
        child.kill()
        self.store.settle(commit=True)
        self.assertEqual({'new': ANY}, self.found())

    def test_aborted(self):
        self.vote().abort()
        self.assertEqual({}, self.tree())

    def test_aborted_by_somebody_else(self):
        child = self.child()
        child.run('batch = store.batch(two_phase=True)\n'
                  'batch.write_text("a", "text", metadata={"a": "b"})\n'
                  'batch.vote()')
        child.kill()
        self.store.settle(commit=False)
        self.assertEqual({}, self.tree())

    def test_in_a_copied_store(self):
        self.vote()
        self.path = self.directory / 'copy'
        shutil.copytree(self.directory / 'store', self.path)
        self.store = self.open_store()
        self.publish('other')
        self.store.claim().finish()
        self.store.settle(commit=True)
        self.assertEqual(
            {'new': ANY, 'cur': {'text': 'other'}}, self.found())

    def test_others_of_this_name(self):
        batch = self.vote()
        for _ in range(2):
            self.publish(replace=True)
            self.store.claim().finish()
        batch.commit()
        self.assertEqual({'new': ANY, 'cur': {'text': 'text'}}, self.found())


@gocept.filestore.tests.case.slow
class Race(Case):

    def race(self, keep):
        over = self.directory / 'over'
        takers = [self.child() for _ in range(2)]
        for taker in takers:
            taker.send(CLAIM % (str(over), keep))
        writers = [self.child() for _ in range(2)]
        for number, writer in enumerate(writers):
            writer.send(PUBLISH % number)
        for writer in writers:
            self.assertIsNone(writer.answer())
        over.touch()
        for taker in takers:
            self.assertEqual([], taker.answer())

    def test_each_file_has_its_own(self):
        self.race(keep=True)
        for name in self.tree()['attempts']:
            [metadata] = self.found(name).values()
            self.assertEqual({'text': self.read('cur', name)}, metadata)

    def test_nothing_is_left(self):
        self.race(keep=False)
        for name in 'abc':
            self.publish(name=name)
            self.store.claim().finish(keep=False)
        self.assertEqual({}, self.tree())
