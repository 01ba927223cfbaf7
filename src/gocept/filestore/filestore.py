import gocept.filestore.attempt
import gocept.filestore.batch
import gocept.filestore.clean
import gocept.filestore.copy
import gocept.filestore.draft
import gocept.filestore.event
import gocept.filestore.failed
import gocept.filestore.folder
import gocept.filestore.guard
import gocept.filestore.intake
import gocept.filestore.intent
import gocept.filestore.interfaces
import gocept.filestore.layout
import gocept.filestore.lock
import gocept.filestore.name
import gocept.filestore.publish
import gocept.filestore.queue
import gocept.filestore.retry
import gocept.filestore.selected
import gocept.filestore.selection
import gocept.filestore.settlement
import gocept.filestore.space
import gocept.filestore.status
import os
import zope.interface


@zope.interface.implementer(gocept.filestore.interfaces.IFileStore)
class FileStore:
    """A file store in a directory of a file system.

    With `prepare` the directories are made when the store is first used.
    """

    sub_dirs = ('tmp', 'new', 'cur')

    def __init__(self, path, durable=True, file_mode=None,
                 directory_mode=None, prepare=False, retry_policy=None,
                 quiet=None, in_doubt=None):
        if not os.fspath(path):
            raise ValueError('the path of a file store can not be empty')
        self.path = path
        self.durable = durable
        self.file_mode = file_mode
        self.directory_mode = directory_mode
        self.retry_policy = (
            gocept.filestore.retry.RetryPolicy() if retry_policy is None
            else retry_policy)
        self.quiet = quiet
        self.in_doubt = in_doubt
        self._prepare = prepare
        self._layout = gocept.filestore.layout.Layout(
            os.fspath(path), self.sub_dirs, durable, directory_mode, prepare)
        self._drafts = gocept.filestore.draft.Drafts(self._layout, file_mode)
        self._attempts = gocept.filestore.attempt.Attempts(
            self._layout, self._drafts, self.retry_policy)
        self._intents = gocept.filestore.intent.Intents(
            self._layout, self._drafts)
        self._settlement = gocept.filestore.settlement.Settlement(
            self._layout, self._attempts, self._intents, in_doubt)
        self._all = self._selected(self._attempts)

    def __reduce__(self):
        return type(self), (self.path, self.durable, self.file_mode,
                            self.directory_mode, self._prepare,
                            self.retry_policy, self.quiet, self.in_doubt)

    def prepare(self):
        self._layout.prepare()

    def create(self, filename, mode='w', encoding=None, errors=None,
               newline=None):
        if not set(mode) & set('wxa+'):
            raise ValueError('%r is no mode to write with' % mode)
        text = gocept.filestore.draft.text_options(
            mode, encoding, errors, newline)
        filename = self._checked(filename)
        with self._naming('tmp', filename):
            return self._drafts.named(filename, mode, text)

    def copy(self, filename, source, destination, replace=True):
        filename = self._bare(filename)
        self._check_space(destination)
        source = self._source(filename, source, 'work')
        destination = self._destination(destination)
        publication = gocept.filestore.publish.Publication(
            self._layout, self._drafts, filename, 'wb', replace,
            target=destination.name, file_mode=0o600)
        with self._naming(destination.name, filename), self._drafts.left(
                filename, {source, destination}):
            gocept.filestore.copy.copy(source, filename, publication)

    def move(self, filename, source, destination, replace=True):
        filename = self._bare(filename)
        self._check_space(destination)
        source = self._source(filename, source)
        destination = self._destination(destination)
        source.check(filename)
        with self._naming(destination.name, filename), self._drafts.left(
                filename, {source, destination}):
            if source.name == 'tmp':
                source.sync_file(filename)
            if replace:
                source.replace(
                    filename, destination, filename, source.name == 'tmp')
            else:
                self._move_locked(filename, source, destination)
            if source.name == 'tmp':
                destination.sync()
        if destination.name == 'new':
            gocept.filestore.event.notify(
                gocept.filestore.event.Published, filename,
                self._layout.path)

    def _move_locked(self, filename, source, destination):
        """Move a file that nobody replaces or takes at this moment."""
        held = None
        if source.name != 'tmp':
            held = gocept.filestore.lock.hold(source, filename)
            if held is None:
                raise self._not_held(filename, source)
        source.move(filename, destination, filename, held and held.status)

    def _not_held(self, filename, source):
        if not source.has_file(filename):
            return source.no_such_file(filename)
        return gocept.filestore.interfaces.NoSuchFile(
            filename, self.path,
            'another process is taking it from %r' % source.name)

    def remove(self, filename, space):
        filename = self._bare(filename)
        space = self._source(filename, space)
        space.check(filename, gocept.filestore.space.FILE_OR_LINK)
        with self._naming(space.name, filename), self._drafts.left(
                filename, {space}):
            gocept.filestore.clean.remove(space, filename, self._attempts)

    def list(self, space):
        self._check_space(space, self._layout.on_first_use)
        space = self._layout.get(space)
        names = [entry.name for entry in space.entries()] if space else ()
        return [os.path.join(space.path, name) for name in sorted(names)]

    def publish(self, filename=None, mode='w', replace=False, encoding=None,
                errors=None, newline=None):
        text = gocept.filestore.draft.text_options(
            mode, encoding, errors, newline)
        if filename is not None:
            filename = self._checked(filename)
        # What is refused, `claim` and `status` tell.
        self._settlement.look(refused=[])
        return gocept.filestore.publish.Publication(
            self._layout, self._drafts, filename, mode, replace, text)

    def claim(self):
        return self._all.claim()

    def claims(self):
        return self._all.claims()

    def watch(self, poll=1):
        return self._all.watch(poll)

    def select(self, include=('*',), exclude=(), order='age',
               retry_policy=None):
        attempts = self._attempts
        if retry_policy is not None:
            attempts = gocept.filestore.attempt.Attempts(
                self._layout, self._drafts, retry_policy)
        return self._selected(
            attempts, gocept.filestore.selection.Selection(include, exclude),
            order)

    def _selected(self, attempts, *selection):
        # A guard forgets the files that are not in its queue.
        guard = None if self.quiet is None else gocept.filestore.guard.Guard(
            self.quiet)
        return gocept.filestore.selected.Selected(
            self._layout, self._settlement, gocept.filestore.queue.Queue(
                self._layout, attempts, self._intents, guard, *selection))

    def batch(self, two_phase=False):
        self._settlement.look(refused=[])
        return gocept.filestore.batch.Batch(
            self._layout, self._drafts, self._attempts, self._intents,
            two_phase)

    def settle(self, commit, intents=None):
        return self._settlement.decide(commit, intents)

    def failures(self):
        return gocept.filestore.failed.failures(self._layout, self._attempts)

    def retry(self, filename):
        filename = self._bare(filename)
        with self._naming('failed', filename):
            gocept.filestore.failed.put_back(
                self._layout, self._attempts, filename)

    def clean(self, space, older_than=None):
        with self._naming(space):
            return gocept.filestore.clean.clean(
                self._layout, self._attempts, self._intents, space,
                older_than)

    def status(self):
        return gocept.filestore.status.status(
            self._layout, self._attempts, self._intents)

    def intake(self, directory, quiet=5, marker=None, include=('*',),
               exclude=()):
        folder = gocept.filestore.folder.Folder(
            directory, self._layout, self.directory_mode, self.file_mode)
        return gocept.filestore.intake.Intake(
            self._layout, self._drafts, self.file_mode, folder, quiet, marker,
            include, exclude)

    def _naming(self, *path):
        return gocept.filestore.space.Naming(
            os.path.join(self._layout.path, *path))

    def _checked(self, filename):
        return gocept.filestore.name.check(filename, self.path)

    def _bare(self, path):
        return self._checked(gocept.filestore.name.bare(path))

    def _check_space(self, space, more=()):
        known = self.sub_dirs + ('failed',)
        if space not in known and space not in more:
            raise gocept.filestore.interfaces.InvalidSpace(
                space, self.path,
                'the spaces for this are %s' % ', '.join(
                    dict.fromkeys((*known, *more))))

    def _source(self, filename, space, *more):
        self._check_space(space, more)
        found = self._layout.get(space)
        if found is None:
            raise gocept.filestore.interfaces.NoSuchFile(
                filename, self.path, 'there is none in %r' % space)
        return found

    def _destination(self, space):
        self._check_space(space)
        if space in self._layout.on_first_use:
            return self._layout.made(space)
        return self._layout[space]
