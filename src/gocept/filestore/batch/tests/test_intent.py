import errno
import gc
import gocept.filestore.batch.deed
import gocept.filestore.batch.intent
import gocept.filestore.batch.publishing
import gocept.filestore.batch.tests.test_batch
import gocept.filestore.batch.tests.test_settlement
import gocept.filestore.interfaces
import gocept.filestore.tests.case
import json
import os
import shutil
import subprocess
import sys
import unittest.mock


NoSuchFile = gocept.filestore.interfaces.NoSuchFile


class Writing(gocept.filestore.batch.tests.test_batch.BatchCase):

    def test_no_room_for_the_intent(self):
        # No file of this process may grow beyond 10 bytes.
        error = self.child().run(
            'import resource\n'
            'before = resource.getrlimit(resource.RLIMIT_FSIZE)\n'
            'resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))\n'
            'try:\n'
            '    with store.batch() as batch:\n'
            '        for name in "ab":\n'
            '            with batch.publish(name) as file:\n'
            '                _ = file.write("text")\n'
            'except OSError as error:\n'
            '    answer = error.errno, error.filename\n'
            'resource.setrlimit(resource.RLIMIT_FSIZE, before)')
        self.assertEqual(errno.EFBIG, error[0])
        self.assertTrue(error[1].startswith(str(self.path / 'voted')), error)
        self.assertEqual({}, self.files())

    def test_others_can_read_it_where_that_takes_a_close(self):
        tmp = self.store._layout['tmp']
        tmp.is_local = False
        closed = []
        with unittest.mock.patch.object(
                os, 'dup', lambda number, dup=os.dup: (
                    closed.append(number) or dup(number))):
            batch = self.store.batch()
            self.publish(batch, 'a')
            batch.vote()
        self.assertEqual(1, len(closed))
        batch.commit()
        self.assertEqual({'new': ['a']}, self.files())

    def test_directory_can_not_be_synced(self):
        voted = self.store._layout.made('voted')
        self.store._layout.made('committed')

        def fail():
            raise gocept.filestore.interfaces.NotSynced(5, 'failing')

        voted.sync = fail
        batch = self.store.batch()
        self.publish(batch, 'a')
        with self.assertRaises(gocept.filestore.interfaces.NotSynced) as error:
            batch.vote()
        self.assertTrue(error.exception.filename.startswith(
            str(self.path / 'voted')))
        batch.abort()
        self.assertEqual({}, self.files())

    def test_directories_that_have_gone(self):
        for names in ('ab', 'cd'):
            with self.store.batch() as batch:
                for name in names:
                    self.publish(batch, name)
            # It is not to be noticed by a look at them.
            self.store._layout._look_at = float('inf')
            for name in ('voted', 'committed'):
                os.rmdir(self.path / name)
        self.assertEqual({'new': ['a', 'b', 'c', 'd']}, self.files())

    def test_that_can_not_be_made(self):
        claims = [self.claimed(name) for name in 'xy']
        (self.path / 'work').chmod(0o777)
        self.store._layout.made('voted')
        self.store._layout.made('committed')
        self.forbid(self.path / 'tmp')
        batch = self.store.batch()
        for claim in claims:
            batch.finish(claim)
        with self.be_nobody(), self.assertRaises(PermissionError):
            batch.vote()
        batch.abort()
        self.assertEqual({'work': ['x', 'y']}, self.files())
        for claim in claims:
            claim.release()

    def test_is_what_json_would_write(self):
        batch = self.store.batch(two_phase=True)
        name = 'quo"te \udcff \N{SNOWMAN}'
        self.publish(batch, name, replace=True)
        self.put('cur', name)
        batch.remove(name, 'cur')
        batch.vote()
        intent, = os.listdir(self.path / 'voted')
        text = self.read('voted', intent)
        found = json.loads(text)
        self.assertEqual(json.dumps(found) + '\n', text)
        self.assertEqual([name, name], [
            deed['filename'] for deed in found['deeds']])
        self.assertEqual((True, True), (
            found['two_phase'], found['deeds'][0]['replace']))
        batch.abort()

    def test_can_be_read_whatever_callers_take_for_true(self):
        class Name(str):
            pass

        batch = self.store.batch(two_phase=True)
        self.publish(batch, Name('a'), replace=1)
        claim = self.claimed('x')
        batch.finish(claim, keep=None)
        batch.vote()
        del batch
        intent, = self.open_store().status()['intents']
        self.assertEqual((['a'], ['x']), (intent['publish'], intent['finish']))
        claim.finish()

    def test_removal_from_new_is_one_of_a_file_in_work(self):
        self.put('new', 'n')
        batch = self.store.batch()
        batch.remove('n', 'new')
        batch.vote()
        intent, = os.listdir(self.path / 'voted')
        deed, = json.loads(self.read('voted', intent))['deeds']
        self.assertEqual(('remove', 'work'), (deed['deed'], deed['space']))
        batch.abort()


class Locales(gocept.filestore.batch.tests.test_settlement.SettlementCase):
    """A name is its bytes, whatever the locale of who reads it."""

    names = [b'B\xc3\xbccher', b'B\xfccher', b'a"b', b'\xe2\x98\x83']
    program = (
        'import gocept.filestore, os, sys\n'
        'store = gocept.filestore.FileStore(sys.argv[1])\n'
        'names = list(map(os.fsdecode, %r))\n' % names)
    leave = (
        'batch = store.batch(two_phase=True)\n'
        'for name in names[:2]:\n'
        '    with batch.publish(name): pass\n'
        'for name in names[2:]:\n'
        '    open(os.path.join(store.path, "new", name), "w").close()\n'
        'for claim in list(store.claims()):\n'
        '    batch.finish(claim)\n'
        'batch.vote(); batch._intent.mark(); os._exit(0)\n')
    settle = (
        'found = sorted(claim.filename for claim in store.claims()\n'
        '               if claim.finish() is None)\n'
        'assert found == sorted(names[:2]), found')

    def run_in(self, locale, source):
        more = {} if locale is None else {
            'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'}
        subprocess.run(
            [sys.executable, '-W', 'ignore', '-c', self.program + source,
             self.path], check=True,
            env=gocept.filestore.tests.case.environment(
                LC_ALL=locale or 'C.UTF-8', **more))

    def check(self, first, second):
        self.run_in(first, self.leave)
        self.run_in(second, self.settle)
        self.assertEqual(
            sorted(self.names), sorted(os.listdir(bytes(self.path / 'cur'))))

    def test_is_written_by_its_bytes(self):
        name = os.fsdecode(b'B\xfccher')
        deed = gocept.filestore.batch.publishing.Publish(
            filename=name, draft='1', replace=True)
        text = deed.written(gocept.filestore.batch.deed.portable)
        self.assertEqual(deed.written(), text)
        self.assertEqual(name, deed.read(json.loads(text)).filename)

    def test_read_by_who_knows_ascii_only(self):
        self.check(None, 'C')

    def test_written_by_who_knows_ascii_only(self):
        self.check('C', None)


class Reading(gocept.filestore.batch.tests.test_settlement.SettlementCase):

    all = gocept.filestore.batch.tests.test_settlement.ALL

    def test_spoilt_intent(self):
        name = self.in_doubt()
        self.put('voted', '.hidden')
        for text in ('no JSON', '{}', '[]', '{"deeds": [{"deed": "x"}]}',
                     '{"deeds": [{}]}', '{"deeds": 1}', '{"deeds": []}'):
            (self.path / 'voted' / name).write_text(text)
            self.assertEqual([], self.store.settle(True), text)
            self.assertFalse(self.store._intents.has_draft('draft'))
            self.assertEqual([], self.store.status()['intents'])

    def test_intent_that_goes_while_it_is_looked_at(self):
        self.store._layout.made('voted')
        self.assertIsNone(self.store._intents._read('voted', 'none'))
        self.assertIsNone(self.store._intents._take('voted', 'none'))

    def test_second_name_of_an_intent(self):
        # A crash between the two steps of the mark, or of a deed.
        self.move_by_link()
        self.dies(gocept.filestore.batch.tests.test_settlement.MARKED % True)
        committed = self.path / 'committed'
        name, = os.listdir(committed)
        os.link(committed / name, self.path / 'voted' / name)
        draft = json.loads((committed / name).read_text())['deeds'][0]['draft']
        os.link(self.path / 'tmp' / draft, self.path / 'new' / 'a')
        os.link(self.path / 'work' / 'x', self.path / 'cur' / 'x')
        with self.open_store().batch():
            self.assertEqual(self.all, self.outcome())
        self.assertEqual({'new': ['a', 'b', 'c'], 'cur': ['x']}, self.files())

    @gocept.filestore.tests.case.needs_root('become somebody else')
    def test_intent_of_somebody_else_that_may_not_be_read(self):
        name = self.in_doubt()
        for path in self.path.rglob('*'):
            path.chmod(0o777)
        (self.path / 'voted' / name).chmod(0o600)
        self.put('new', 'z').chmod(0o666)
        with self.be_nobody():
            store = self.open_store()
            with store.publish('w'):
                pass
            self.assertEqual({'w', 'z'}, self.claimed_by(store))

    def test_intent_that_can_not_be_read_is_let_go_at_once(self):
        self.dies(gocept.filestore.batch.tests.test_settlement.MARKED % True)
        gc.disable()
        self.addCleanup(gc.enable)
        with unittest.mock.patch.object(
                gocept.filestore.batch.intent, 'parsed',
                side_effect=OSError(errno.EIO, 'the disk fails')) as parsed:
            self.store.batch()
        parsed.assert_called()
        with self.open_store().batch():
            self.assertEqual(self.all, self.outcome())

    def claimed_by(self, store):
        names = set()
        with self.assertRaises(PermissionError):
            for claim in store.claims():
                names.add(claim.filename)
                claim.finish()
        return names


class Moving(gocept.filestore.batch.tests.test_settlement.SettlementCase):
    """An intent is committed while somebody looks."""

    def late(self, child):
        """Return intents that are listed before a commit, and read after it.
        """
        intents = self.store._intents
        found = intents._found

        def late(*args):
            intents._found = found
            result = found(*args)
            child.run('batch._intent.mark()')
            return result

        intents._found = late
        return intents

    def voted(self):
        child = self.child()
        child.run(gocept.filestore.batch.tests.test_settlement.VOTED % True)
        return child

    def test_draft(self):
        child = self.voted()
        draft = os.path.basename(self.store.list('tmp')[0])
        self.assertTrue(self.late(child).has_draft(draft))

    def test_claim(self):
        child = self.voted()
        inode = os.stat(self.path / 'work' / 'x').st_ino
        self.assertTrue(self.late(child).has_claim('x', inode))

    def test_name(self):
        child = self.voted()
        intents = self.late(child)
        with intents.write([], False) as ours:
            self.assertEqual({'a', 'b', 'c'}, {
                filename for kind, filename, *_ in intents.reserved(but=ours)
                if kind == 'name'})

    def test_space_that_has_gone(self):
        self.store._layout.made('voted')
        self.assertIsNone(self.store._intents._read('voted', 'x'))


class Spaces(gocept.filestore.batch.tests.test_settlement.SettlementCase):
    """Spaces are removed by hand, or the store is exchanged."""

    all = gocept.filestore.batch.tests.test_settlement.ALL

    def test_voted(self):
        self.dies(gocept.filestore.batch.tests.test_settlement.MARKED % True)
        os.rmdir(self.path / 'voted')
        self.store.claim().finish(keep=False)
        self.assertEqual(['x'], self.tree()['cur'])
        self.assertNotIn('committed', self.tree())

    def test_committed(self):
        self.in_doubt()
        os.rmdir(self.path / 'committed')
        self.assertEqual(1, len(self.store.settle(True)))
        self.assertEqual(self.all, self.outcome())

    def test_voted_before_an_abort(self):
        self.put('cur', 'old')
        batch = self.store.batch()
        self.publish(batch, 'a')
        batch.remove('old', 'cur')
        batch.vote()
        shutil.rmtree(self.path / 'voted')
        batch.abort()
        self.assertEqual({'cur': ['old']}, self.files())
        self.assertEqual(['old'], self.store.clean('cur', 0))

    def test_what_can_not_be_aborted_is_left_to_others(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        batch.vote()
        for path in self.path.iterdir():
            path.chmod(0o777)
        self.forbid(self.path / 'voted')
        with self.be_nobody(), self.assertRaises(PermissionError):
            batch.abort()
        (self.path / 'voted').chmod(0o777)
        # It is settled although its process, and the batch, are still there.
        self.open_store().batch()
        self.assertEqual({}, self.tree())
        batch.abort()

    def test_store_is_exchanged_before_the_vote(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        os.rename(self.path, self.directory / 'aside')
        self.store.prepare()
        with self.assertRaises(NoSuchFile):
            batch.vote()
        batch.abort()
        self.assertEqual({}, self.files())

    def test_store_is_exchanged_after_the_vote(self):
        """Nothing is decided, in neither of them."""
        self.put('cur', 'old')
        claims = [self.claimed(name) for name in 'xy']
        for has_voted in (False, True):
            batch = self.store.batch(two_phase=True)
            batch.finish(claims[0])
            batch.finish(claims[1], keep=False)
            self.publish(batch, 'a')
            batch.remove('old', 'cur')
            batch.vote()
            os.rename(self.path, self.directory / 'aside')
            other = self.open_store()
            other.prepare()
            if has_voted:
                with other.batch() as voted:
                    self.publish(voted, 'b')
            with self.assertRaises(FileNotFoundError):
                batch.commit()
            batch.abort()
            self.assertEqual({'new': ['b']} if has_voted else {}, self.files())
            shutil.rmtree(self.path)
            os.rename(self.directory / 'aside', self.path)
            self.assertEqual(
                {'cur': ['old'], 'work': ['x', 'y']}, self.files())
        for claim in claims:
            claim.finish()

    def test_draft_goes_after_the_vote(self):
        batch = self.store.batch()
        self.publish(batch, 'a')
        self.publish(batch, 'b')
        batch.vote()
        os.remove(self.store.list('tmp')[0])
        with self.assertRaises(NoSuchFile) as raised:
            batch.commit()
        self.assertIn('its draft has gone', str(raised.exception))


class Hostile(gocept.filestore.batch.tests.test_settlement.SettlementCase):
    """Somebody writes an intent by hand."""

    def setUp(self):
        super().setUp()
        self.victim = self.directory / 'victim'
        self.victim.write_text('precious')
        self.put('tmp', 'draft', 'text')
        self.put('cur', 'old')

    deeds = (
        {'deed': 'publish', 'filename': 'a', 'draft': '../../victim',
         'replace': False},
        {'deed': 'publish', 'filename': '../../victim', 'draft': 'draft',
         'replace': True},
        {'deed': 'publish', 'filename': '.hidden', 'draft': 'draft',
         'replace': False},
        {'deed': 'publish', 'filename': 'a\0', 'draft': 'draft',
         'replace': False},
        {'deed': 'publish', 'filename': '\ud800', 'draft': 'draft',
         'replace': False},
        {'deed': 'publish', 'filename': 5, 'draft': 'draft',
         'replace': False},
        {'deed': 'publish', 'filename': 'a', 'draft': 'draft', 'replace': 1},
        {'deed': 'publish', 'filename': 'a'},
        {'deed': 'finish', 'filename': '../../victim', 'inode': 1,
         'changed': 1, 'attempt': 1, 'keep': False},
        {'deed': 'finish', 'filename': 'a', 'inode': '1', 'changed': 1,
         'attempt': 1, 'keep': False},
        {'deed': 'remove', 'filename': 'victim', 'space': '..', 'inode': 1,
         'changed': 1},
        {'deed': 'remove', 'filename': 'a', 'space': [], 'inode': 1,
         'changed': 1},
        {'deed': 'remove', 'filename': 'a', 'space': 'new', 'inode': 1,
         'changed': 1},
        {'deed': 'burn', 'filename': 'a'},
        'no deed')

    def test_nothing_is_done(self):
        for deed in self.deeds:
            self.check([deed], {})

    def test_other_facts(self):
        good = [{'deed': 'publish', 'filename': 'a', 'draft': 'draft',
                 'replace': False}]
        for facts in ({'time': 'x'}, {'time': 10 ** 400}, {'two_phase': 1},
                      {'time': None}):
            self.check(good, facts)

    def check(self, deeds, facts):
        before = self.tree()
        for space in ('voted', 'committed'):
            self.put(space, 'intent', json.dumps({
                'time': 1, 'two_phase': False, 'deeds': deeds, **facts}))
            with self.subTest(space=space, deeds=deeds, facts=facts):
                self.assertIsNone(self.store.claim())
                with self.store.batch():
                    pass
                self.assertEqual([], self.store.status()['intents'])
                self.assertEqual([], self.store.settle(False))
                self.assertEqual('precious', self.victim.read_text())
            os.remove(self.path / space / 'intent')
            self.assertEqual(before, self.tree())

    def test_draft_that_is_none(self):
        os.symlink(self.victim, self.path / 'tmp' / 'link')
        os.mkfifo(self.path / 'tmp' / 'pipe')
        (self.path / 'tmp' / 'directory').mkdir()
        for draft in ('link', 'pipe', 'directory'):
            self.put('committed', 'intent', json.dumps({
                'time': 1, 'two_phase': False, 'deeds': [{
                    'deed': 'publish', 'filename': 'a', 'draft': draft,
                    'replace': False}]}))
            with self.assertRaises(gocept.filestore.interfaces.NotRegular):
                self.store.claim()
            self.assertNotIn('new', self.tree())
