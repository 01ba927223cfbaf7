"""The verbs of a store; here the wings are put together."""
import gocept.filestore.batch.batch
import gocept.filestore.batch.intent
import gocept.filestore.batch.settlement
import gocept.filestore.clean
import gocept.filestore.disk.copy
import gocept.filestore.disk.draft
import gocept.filestore.disk.layout
import gocept.filestore.disk.lock
import gocept.filestore.disk.name
import gocept.filestore.disk.space
import gocept.filestore.event
import gocept.filestore.intake.folder
import gocept.filestore.intake.intake
import gocept.filestore.interfaces
import gocept.filestore.publish
import gocept.filestore.queue.claim
import gocept.filestore.queue.guard
import gocept.filestore.queue.queue
import gocept.filestore.queue.selection
import gocept.filestore.queue.watch
import gocept.filestore.retry.attempt
import gocept.filestore.retry.failed
import gocept.filestore.retry.metadata
import gocept.filestore.retry.policy
import gocept.filestore.retry.removal
import gocept.filestore.status
import os
import time


# What the verbs hand out.
RETURNED = (
    gocept.filestore.batch.batch.Batch,
    gocept.filestore.intake.intake.Intake,
    gocept.filestore.publish.Group,
    gocept.filestore.publish.Publication,
    gocept.filestore.queue.claim.Claim,
    gocept.filestore.queue.selection.Selection,
    gocept.filestore.queue.watch.Watch)


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IFileStore)
class FileStore(gocept.filestore.queue.selection.Claiming,
                gocept.filestore.publish.Writable):
    """A file store in a directory; `IFileStore` tells what it takes."""

    sub_dirs = gocept.filestore.disk.layout.PREPARED

    def __init__(self, path, durable=True, file_mode=None,
                 directory_mode=None, prepare=False, retry_policy=None,
                 quiet=None, in_doubt=None, clock=time.time,
                 now=time.monotonic):
        if not os.fspath(path):
            raise ValueError('the path of a file store can not be empty')
        self.path = path
        self.durable = durable
        self.file_mode = file_mode
        self.directory_mode = directory_mode
        self.retry_policy = (
            gocept.filestore.retry.policy.RetryPolicy() if retry_policy is None
            else retry_policy)
        self.quiet = quiet
        self.in_doubt = in_doubt
        self._layout = gocept.filestore.disk.layout.Layout(
            path, durable, file_mode, directory_mode, prepare, clock, now)
        self._attempts = gocept.filestore.retry.attempt.Attempts(
            self._layout, self.retry_policy)
        self._intents = gocept.filestore.batch.intent.Intents(self._layout)
        settlement = gocept.filestore.batch.settlement.Settlement(
            self._attempts, self._intents, in_doubt)
        super().__init__(
            self._layout, settlement, self._queue_of(self._attempts, quiet))
        self._arguments = (
            path, durable, file_mode, directory_mode, prepare,
            self.retry_policy, quiet, in_doubt, clock, now)

    def __reduce__(self):
        return type(self), self._arguments

    def prepare(self):
        self._layout.prepare()

    def create(self, filename, mode='w', encoding=None, errors=None,
               newline=None):
        if not set(mode) & set('wxa+'):
            raise ValueError('%r is no mode to write with' % mode)
        text = gocept.filestore.disk.draft.text_options(
            mode, encoding, errors, newline)
        filename = self._checked(filename)
        with self._naming('tmp', filename):
            return gocept.filestore.disk.draft.named(
                self._layout['tmp'], filename, mode, text, self.file_mode)

    def copy(self, filename, source, destination, replace=True):
        filename = self._bare(filename)
        self._check_space(destination)
        source = self._source(filename, source, 'work')
        destination = self._destination(destination)
        publication = gocept.filestore.publish.Publication(
            self._layout, filename, 'wb', replace,
            target=destination.name, file_mode=0o600)

        def look(status):
            metadata = self._attempts.metadata(filename, status)
            if metadata and destination.name != 'tmp':
                publication.announcement = self._announcement(metadata)

        with gocept.filestore.disk.draft.left(filename, source, destination):
            gocept.filestore.disk.copy.copy(
                source, filename, publication, look)

    def move(self, filename, source, destination, replace=True):
        filename = self._bare(filename)
        self._check_space(destination)
        source = self._source(filename, source)
        destination = self._destination(destination)
        source.check(filename)
        with gocept.filestore.disk.draft.left(filename, source, destination):
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
                gocept.filestore.event.Published, filename, self._layout.path)

    def _move_locked(self, filename, source, destination):
        """Move a file that nobody replaces or takes at this moment."""
        held = None
        if source.name != 'tmp':
            held = gocept.filestore.disk.lock.hold(source, filename)
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
        space.check(filename, gocept.filestore.disk.space.FILE_OR_LINK)
        with gocept.filestore.disk.draft.left(filename, space):
            gocept.filestore.retry.removal.remove(
                space, filename, self._attempts)

    def list(self, space):
        self._check_space(space, gocept.filestore.disk.layout.ON_FIRST_USE)
        space = self._layout.get(space)
        names = [entry.name for entry in space.entries()] if space else ()
        return [space.path_of(name) for name in sorted(names)]

    def publish(self, filename=None, mode='w', replace=False, encoding=None,
                errors=None, newline=None, metadata=None):
        text = None
        if not (encoding is errors is newline is None):
            text = gocept.filestore.disk.draft.text_options(
                mode, encoding, errors, newline)
        if filename is not None:
            filename = gocept.filestore.disk.name.check(filename, self.path)
        if self._layout.now() >= self._settlement.look_at:
            # What is refused, `claim` and `status` tell.
            self._settlement.look(refused=[])
        publication = gocept.filestore.publish.Publication(
            self._layout, filename, mode, replace, text)
        if metadata:
            publication.announcement = self._announcement(metadata)
        return publication

    def _announcement(self, metadata):
        return gocept.filestore.retry.metadata.Announcement(
            self._attempts, metadata)

    def group(self, refuse):
        return gocept.filestore.publish.Group(
            self._layout, self._settlement.look, refuse, self._announcement)

    def select(self, include=('*',), exclude=(), order='age',
               retry_policy=None, quiet=None):
        attempts = self._attempts
        if retry_policy is not None:
            attempts = gocept.filestore.retry.attempt.Attempts(
                self._layout, retry_policy)
        return gocept.filestore.queue.selection.Selection(
            self, self._layout, self._settlement, self._queue_of(
                attempts, self.quiet if quiet is None else quiet,
                gocept.filestore.disk.name.wanted(include, exclude), order))

    def _queue_of(self, attempts, quiet, *patterns_and_order):
        # A guard forgets the files that are not in its queue.
        guard = None if quiet is None else (
            gocept.filestore.queue.guard.Guard(quiet, self._layout.now))
        return gocept.filestore.queue.queue.Queue(
            attempts, self._intents, guard, *patterns_and_order)

    def batch(self, two_phase=False):
        self._settlement.look(refused=[])
        return gocept.filestore.batch.batch.Batch(
            self._attempts, self._intents, two_phase)

    def settle(self, commit, intents=None):
        return self._settlement.decide(commit, intents)

    def failures(self, wanted=None):
        return gocept.filestore.retry.failed.failures(
            self._attempts, wanted)

    def retry(self, filename, dry_run=False):
        filename = self._bare(filename)
        with self._naming('failed', filename):
            return gocept.filestore.retry.failed.put_back(
                self._attempts, filename, dry_run)

    def clean(self, space, older_than=None, wanted=None, dry_run=False):
        with self._naming(space):
            return gocept.filestore.clean.clean(
                self._attempts, self._intents, space, older_than, wanted,
                dry_run)

    def status(self):
        return gocept.filestore.status.status(self._attempts, self._intents)

    def history(self, filename):
        filename = self._bare(filename)
        found = gocept.filestore.status.history(self._attempts, filename)
        if not found:
            raise gocept.filestore.interfaces.NoSuchFile(
                filename, self.path, 'there is none in any space')
        return found

    def intake(self, directory, quiet=5, marker=None, include=('*',),
               exclude=()):
        folder = gocept.filestore.intake.folder.Folder(directory, self._layout)
        return gocept.filestore.intake.intake.Intake(
            self._layout, folder, quiet, marker, include, exclude)

    def _naming(self, *path):
        return gocept.filestore.disk.space.Naming(
            os.path.join(self._layout.path, *path))

    def _checked(self, filename):
        return gocept.filestore.disk.name.check(filename, self.path)

    def _bare(self, path):
        return self._checked(gocept.filestore.disk.name.bare(path))

    def _check_space(self, space, more=()):
        self._layout.check(space, gocept.filestore.disk.layout.MOVED + more)

    def _source(self, filename, space, *more):
        self._check_space(space, more)
        found = self._layout.get(space)
        if found is None:
            raise gocept.filestore.interfaces.NoSuchFile(
                filename, self.path, 'there is none in %r' % space)
        return found

    def _destination(self, space):
        if space in gocept.filestore.disk.layout.ON_FIRST_USE:
            return self._layout.made(space)
        return self._layout[space]
