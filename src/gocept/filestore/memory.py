import gocept.filestore.clean
import gocept.filestore.draft
import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.memory_attempt
import gocept.filestore.memory_batch
import gocept.filestore.memory_intent
import gocept.filestore.memory_part
import gocept.filestore.memory_publish
import gocept.filestore.memory_queue
import gocept.filestore.memory_space
import gocept.filestore.memory_status
import gocept.filestore.name
import gocept.filestore.retry
import gocept.filestore.selection
import os
import time
import zope.interface


@zope.interface.implementer(gocept.filestore.interfaces.IFileStore)
class MemoryFileStore:
    """A file store without a disk, for the tests of applications.

    What needs a disk is not there: `intake`, and the descriptors of files.
    Paths are those of a store on a disk, and lead to no file. A claim, or a
    batch, that is dropped is one whose process has died.
    """

    sub_dirs = gocept.filestore.memory_space.Spaces.sub_dirs
    durable = False
    file_mode = directory_mode = quiet = None

    def __init__(self, path='memory', prepare=False, retry_policy=None,
                 in_doubt=None, now=time.time):
        self.path = path
        self.retry_policy = (
            gocept.filestore.retry.RetryPolicy() if retry_policy is None
            else retry_policy)
        self.in_doubt = in_doubt
        self._spaces = gocept.filestore.memory_space.Spaces(
            os.fspath(path), prepare, now)
        self._intents = gocept.filestore.memory_intent.Intents(
            self._spaces, in_doubt)
        self._all = self._queue(self.retry_policy)
        self._attempts = gocept.filestore.memory_attempt.Attempts(
            self._spaces, self.retry_policy)

    def prepare(self):
        self._spaces.prepare()

    def create(self, filename, mode='w', encoding=None, errors=None,
               newline=None):
        if not set(mode) & set('wxa+'):
            raise ValueError('%r is no mode to write with' % mode)
        open(os.devnull, mode.replace('x', 'w')).close()  # no bad mode
        text = gocept.filestore.draft.text_options(
            mode, encoding, errors, newline)
        filename = self._checked(filename)
        with self._spaces.lock:
            return self._spaces.write(
                filename, self._draft(filename, mode), mode, text)

    def _draft(self, filename, mode):
        if 'x' in mode:
            return self._spaces.add('tmp', filename)
        self._spaces.check_draft(filename, 'tmp')
        if 'w' in mode or (
                'a' in mode and filename not in self._spaces['tmp']):
            return self._spaces.add('tmp', filename, replace=True)
        return self._spaces.get('tmp', filename)

    def copy(self, filename, source, destination, replace=True):
        filename = self._bare(filename)
        self._check_space(source, 'work')
        self._check_space(destination)
        with self._spaces.lock:
            self._spaces.check_draft(filename, source, destination)
            file = self._spaces.get(source, filename)
            self._spaces.add(destination, filename, file.content, replace)
        self._tell(filename, destination)

    def move(self, filename, source, destination, replace=True):
        filename = self._bare(filename)
        self._check_space(source)
        self._check_space(destination)
        with self._spaces.lock:
            self._spaces.check_draft(filename, source, destination)
            self._spaces.move(filename, source, destination, replace)
        self._tell(filename, destination)

    def _tell(self, filename, space):
        if space == 'new':
            gocept.filestore.event.notify(
                gocept.filestore.event.Published, filename,
                self._spaces.path)

    def remove(self, filename, space):
        filename = self._bare(filename)
        self._check_space(space)
        with self._spaces.lock:
            self._spaces.check_draft(filename, space)
            self._remove(filename, space)

    def _remove(self, filename, space):
        file = self._spaces.get(space, filename)
        if space != 'tmp':
            gocept.filestore.memory_part.forget(
                self._attempts, filename, file)
        del self._spaces[space][filename]

    def list(self, space):
        self._check_space(space, *gocept.filestore.memory_space.ON_FIRST_USE)
        with self._spaces.lock:
            names = list(self._spaces[space])
            if space in ('voted', 'committed'):
                names = self._intents.names(space)
        return [self._spaces.path_of(space, name) for name in sorted(names)]

    def publish(self, filename=None, mode='w', replace=False, encoding=None,
                errors=None, newline=None):
        text = gocept.filestore.draft.text_options(
            mode, encoding, errors, newline)
        if filename is not None:
            filename = self._checked(filename)
        self._intents.settle()
        return gocept.filestore.memory_publish.Publication(
            self._spaces, filename, mode, replace, text)

    def claim(self):
        return self._all.claim()

    def claims(self):
        return self._all.claims()

    def watch(self, poll=1):
        return self._all.watch(poll)

    def select(self, include=('*',), exclude=(), order='age',
               retry_policy=None):
        return self._queue(
            self.retry_policy if retry_policy is None else retry_policy,
            gocept.filestore.selection.Selection(include, exclude), order)

    def _queue(self, retry_policy, *selection):
        return gocept.filestore.memory_queue.Queue(
            self._spaces, gocept.filestore.memory_attempt.Attempts(
                self._spaces, retry_policy), self._intents, *selection)

    def batch(self, two_phase=False):
        self._intents.settle()
        return gocept.filestore.memory_batch.Batch(
            self._spaces, self._attempts, self._intents, two_phase)

    def settle(self, commit, intents=None):
        return self._intents.decide(commit, intents)

    def failures(self):
        with self._spaces.lock:
            return gocept.filestore.memory_status.failures(
                self._spaces, self._attempts)

    def retry(self, filename):
        filename = self._bare(filename)
        with self._spaces.lock:
            file = self._spaces['failed'].get(filename)
            if file is None:
                self._retry_waiting(filename)
            else:
                self._retry_failed(filename, file.st_ino)

    def _retry_failed(self, filename, inode):
        own = self._attempts.name_of(filename, inode)
        self._spaces.move(filename, 'failed', 'new', new_name=own)
        self._attempts.restart(own, inode)

    def _retry_waiting(self, filename):
        file = self._spaces['work'].get(filename)
        if file is None or file.is_held or not self._attempts.history(
                filename, file.st_ino).is_waiting:
            raise self._spaces.no_such_file(
                filename, 'there is none that has failed')
        self._spaces.move(filename, 'work', 'new')

    def clean(self, space, older_than=None):
        if space not in gocept.filestore.clean.SPACES:
            raise self._invalid_space(space, gocept.filestore.clean.SPACES)
        age = gocept.filestore.clean.age(space, older_than)
        with self._spaces.lock:
            limit = self._spaces.now() - age
            removed = [
                filename for filename, file in self._spaces.by_age(space)
                if file.st_ctime <= limit and not self._is_used(
                    filename, file)]
            for filename in removed:
                self._remove(filename, space)
        return removed

    def _is_used(self, filename, file):
        return file.draft or file.is_held or self._intents.has_draft(filename)

    def status(self):
        with self._spaces.lock:
            return gocept.filestore.memory_status.status(
                self._spaces, self._attempts, self._intents)

    def intake(self, directory, quiet=5, marker=None, include=('*',),
               exclude=()):
        raise NotImplementedError(
            'a store in memory does not take files from a folder')

    def _checked(self, filename):
        return gocept.filestore.name.check(filename, self.path)

    def _bare(self, path):
        return self._checked(gocept.filestore.name.bare(path))

    def _check_space(self, space, *more):
        known = (*self.sub_dirs, 'failed')
        if space not in (*known, *more):
            raise self._invalid_space(space, dict.fromkeys((*known, *more)))

    def _invalid_space(self, space, known):
        return gocept.filestore.interfaces.InvalidSpace(
            space, self.path, 'the spaces for this are %s' % ', '.join(known))
