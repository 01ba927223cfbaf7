"""Each verb is killed at each of its steps, and somebody else goes on.

A step is a line of our code. Each time a process is forked that does the
same, one line more than the last time.
"""

import gocept.filestore.interfaces
import gocept.filestore.tests.case
import os
import shutil


STEPS = """
import gocept.filestore.filestore as filestore
import gocept.filestore.tests.test_race as race
import os, signal, sys, warnings

race.VARIANTS[%r]()
warnings.simplefilter('ignore')

def dies(source, step):
    pid = os.fork()
    if not pid:
        names = {'store': filestore.FileStore(store.path, durable=False)}
        code = compile(source, 'action', 'exec')
        sys.settrace(killer(step))
        exec(code, names)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == signal.SIGKILL

def killer(step):
    def trace(frame, event, arg):
        nonlocal step
        if 'filestore' not in frame.f_code.co_filename:
            return None
        step -= event == 'line'
        if not step:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace
    return trace
"""


@gocept.filestore.tests.case.slow
class KillCase(gocept.filestore.tests.case.Case):

    layer = gocept.filestore.tests.case.Slow
    variant = 'plain'

    def each_step(self, source):
        """Yield once for each step at which a process has been killed."""
        child = self.child()
        child.run(STEPS % self.variant)
        died, step = True, 0
        while died:
            step += 1
            shutil.rmtree(self.path)
            self.store = self.open_store()
            self.store.prepare()
            self.prepare()
            died = child.run('answer = dies(%r, %s)' % (source, step))
            yield step
        self.assertGreater(step, 10)

    def prepare(self):
        self.put('new', 'a', 'ours')

    def files(self, *spaces):
        """Return the contents of all files, each one once."""
        paths = [path for space in spaces
                 for path in (self.path / space).glob('[!.]*')]
        return sorted({os.stat(path).st_ino: path.read_text()
                       for path in paths}.values())

    def take(self):
        """Let another process do what is left."""
        texts = []
        for claim in self.open_store().claims():
            self.assertIn(claim.attempt, (1, 2))
            texts.append(self.text(claim))
            claim.finish()
        return texts

    def check_clean(self, **expected):
        found = self.tree()
        found.pop('tmp', None)
        self.assertEqual(expected, found)


class Kill:

    def test_claim_and_finish(self):
        for _ in self.each_step('store.claim().finish()'):
            self.assertEqual(['ours'], self.files('new', 'work', 'cur'))
            self.take()
            self.check_clean(cur=['a'])
            self.assertEqual('ours', self.read('cur', 'a'))

    def test_finish_over_an_older_one(self):
        for _ in self.each_step(
                'open(store.path + "/cur/a", "w").close()\n'
                'store.claim().finish()'):
            self.take()
            self.check_clean(cur=['a'])
            self.assertEqual('ours', self.read('cur', 'a'))

    def test_finish_without_keeping(self):
        marker = self.directory / 'marker'
        for _ in self.each_step('claim = store.claim()\n'
                                'open(%r, "w").close()\n'
                                'claim.finish(keep=False)' % str(marker)):
            if not marker.exists():
                self.assertEqual(['ours'], self.files('new', 'work'))
            for claim in self.open_store().claims():
                claim.finish(keep=False)
            self.check_clean()
            marker.unlink(missing_ok=True)

    def test_release(self):
        for _ in self.each_step('store.claim().release()'):
            self.assertEqual(['ours'], self.take())
            self.check_clean(cur=['a'])

    def test_release_while_a_newer_one_waits(self):
        for _ in self.each_step(
                'claim = store.claim()\n'
                'with open(store.path + "/new/a", "w") as file:\n'
                '    file.write("newer")\n'
                'claim.release()'):
            texts = self.take()
            self.assertIn(texts, (['ours'], ['ours', 'newer']))
            self.check_clean(cur=['a'])
            self.assertEqual(texts[-1], self.read('cur', 'a'))

    def test_fail_over_an_older_one(self):
        for _ in self.each_step(
                'import os\n'
                'os.mkdir(store.path + "/failed")\n'
                'with open(store.path + "/failed/a", "w") as file:\n'
                '    file.write("older")\n'
                'import gocept.filestore\n'
                'store.claim().fail(gocept.filestore.Reject("no paper"))'):
            for claim in self.open_store().claims():
                claim.fail(gocept.filestore.interfaces.Reject('no paper'))
            self.assertEqual('ours', self.read('failed', 'a'))
            self.assertEqual(
                1, os.stat(self.path / 'failed' / 'a').st_nlink)
            # Killed before its first step, it has put no older one there.
            older = self.files('failed')[1:-1] or self.files('failed')[:-1]
            self.check_clean(failed=['a', 'a.~1~'][:1 + len(older)],
                             attempts=['a'])
            self.assertIn(older, ([], ['older']))

    def test_publish(self):
        for _ in self.each_step(
                'with store.publish("a", replace=True) as file:\n'
                '    file.write("newer")'):
            self.assertIn(self.files('new'), (['ours'], ['newer']))
            self.assertEqual(self.files('new'), self.take())
            self.check_clean(cur=['a'])

    def test_publish_a_new_one(self):
        for _ in self.each_step(
                'with store.publish("b") as file:\n'
                '    file.write("newer")'):
            self.assertIn(self.files('new'), (['ours'], ['newer', 'ours']))
            self.assertEqual(self.files('new'), sorted(self.take()))

    def test_copy(self):
        for _ in self.each_step('store.copy("a", "new", "cur")'):
            self.assertIn(self.files('cur'), ([], ['ours']))
            self.assertEqual(['ours'], self.files('new'))

    def test_move(self):
        for _ in self.each_step('store.move("a", "new", "cur")'):
            self.assertEqual(['ours'], self.files('new', 'cur'))
            if self.store.list('new'):
                self.store.move('a', 'new', 'cur')
            self.check_clean(cur=['a'])

    def test_move_without_replacing(self):
        for _ in self.each_step('store.move("a", "new", "cur", False)'):
            self.assertEqual(['ours'], self.files('new', 'cur'))
            if self.store.list('new'):
                self.store.move('a', 'new', 'cur')
            self.check_clean(cur=['a'])

    def test_create(self):
        for _ in self.each_step(
                'open(store.path + "/tmp/a", "w").close()\n'
                'with store.create("a") as file:\n'
                '    file.write("newer")'):
            with self.store.create('a') as file:
                file.write('again')
            self.assertEqual('again', self.read('tmp', 'a'))

    def test_prepare(self):
        for _ in self.each_step('import shutil\n'
                                'shutil.rmtree(store.path)\n'
                                'store.prepare()'):
            self.open_store().prepare()
            self.assertEqual([], self.open_store().list('new'))


class ByKernel(Kill, KillCase):
    pass


class ByLink(Kill, KillCase):

    variant = 'by_link'


class Takeover(KillCase):
    """The one who takes over dies as well."""

    def prepare(self):
        self.put('work', 'a', 'ours')

    def test_takeover(self):
        for _ in self.each_step('store.claim().finish()'):
            self.assertEqual(['ours'], self.files('work', 'cur'))
            for claim in self.open_store().claims():
                self.assertIn(claim.attempt, (2, 3))
                claim.finish()
            self.assertEqual(['ours'], self.files('cur'))
            self.assertEqual([], self.store.list('work'))
            self.assertEqual([], self.store.list('attempts'))


class Twins(KillCase):
    """A half-done move is found, and its finder dies as well."""

    variant = 'by_link'

    def prepare(self):
        path = self.put('work', 'a', 'ours')
        os.link(path, self.path / 'new' / 'a')

    def test_takeover(self):
        for _ in self.each_step('store.claim().finish()'):
            self.assertEqual(['ours'], self.files('new', 'work', 'cur'))
            self.take()
            self.check_clean(cur=['a'])
