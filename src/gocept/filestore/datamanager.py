"""Files that appear when a transaction commits, or not at all."""
import gocept.filestore.interfaces
import gocept.filestore.publish
import transaction
import transaction.interfaces
import zope.component
import zope.interface


@zope.component.adapter(gocept.filestore.interfaces.IFileStore)
@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.ITransactionalFileStore)
class TransactionalFileStore(gocept.filestore.publish.Writable):
    """The current transaction's view of a store."""

    def __init__(self, store, manager=transaction.manager):
        self._store = store
        self._manager = manager

    def publish(self, filename=None, mode='w', replace=False, encoding=None,
                errors=None, newline=None, metadata=None):
        return self._joined().batch.publish(
            filename, mode, replace, encoding, errors, newline, metadata)

    def claim(self):
        return self._joined().claim()

    def finish(self, claim, keep=True):
        claim = getattr(claim, 'original', claim)
        self._joined().batch.finish(claim, keep)

    def remove(self, filename, space):
        self._joined().batch.remove(filename, space)

    def _joined(self):
        """Return the data manager that is part of the transaction."""
        current = self._current()
        try:
            joined = current.data(self._store)
        except KeyError:
            joined = None
        # A savepoint that is older than the data manager takes it out again.
        if joined is None or joined.is_over:
            joined = DataManager(self._store, self._manager)
            current.join(joined)
            current.set_data(self._store, joined)
        return joined

    def _current(self):
        try:
            return self._manager.get()
        except transaction.interfaces.NoTransaction as error:
            raise gocept.filestore.interfaces.OutsideTransaction(
                None, self._store.path,
                'no transaction has begun, and its manager is in explicit '
                'mode') from error


@zope.interface.implementer(transaction.interfaces.ISavepointDataManager)
class DataManager:
    """What one transaction does with one store."""

    is_over = False

    def __init__(self, store, manager):
        self.transaction_manager = manager
        self.batch = store.batch(two_phase=True)
        self._store = store
        self._claims = []

    def claim(self):
        claim = self._store.claim()
        if claim is None:
            return None
        self._claims.append(claim)
        return TransactionalClaim(claim, self.batch)

    def sortKey(self):
        # After ZODB, whose keys are names and paths. Before those who commit
        # in their vote, such as ~sqlalchemy and ~gocept.amqprun: when one of
        # them has voted, nobody may say no any more.
        return '~0.gocept.filestore:%s' % self._store.path

    def savepoint(self):
        return Savepoint(self, self.batch.savepoint(), len(self._claims))

    def rollback(self, parts, claims):
        self.batch.rollback(parts)
        self._give_back(claims)

    def tpc_begin(self, transaction):
        """The drafts are on the disk already."""

    def commit(self, transaction):
        """The vote does it."""

    def tpc_vote(self, transaction):
        self.batch.vote()

    def tpc_finish(self, transaction):
        self.is_over = True
        # If this fails, nothing is given back: who comes next finishes it.
        self.batch.commit()
        self._give_back()

    def abort(self, transaction):
        if self.is_over:
            return
        self.is_over = True
        try:
            self.batch.abort()
        finally:
            self._give_back()

    tpc_abort = abort

    def _give_back(self, start=0):
        """Let claims that were not finished wait again."""
        errors = []
        for claim in self._claims[start:]:
            try:
                claim.release()
            except gocept.filestore.interfaces.Settled:
                continue  # it was finished, or has failed
            except OSError as error:
                errors.append(error)
        del self._claims[start:]
        if errors:
            raise errors[0]


@zope.interface.implementer(transaction.interfaces.IDataManagerSavepoint)
class Savepoint:
    """What a transaction had done with a store at one moment."""

    def __init__(self, joined, parts, claims):
        self._joined = joined
        self._parts = parts
        self._claims = claims

    def rollback(self):
        self._joined.rollback(self._parts, self._claims)


@gocept.filestore.interfaces.implementer(gocept.filestore.interfaces.IClaim)
class TransactionalClaim:
    """A claim that is finished with the transaction."""

    _was_settled = False

    def __init__(self, claim, batch):
        self.original = claim
        self.filename = claim.filename
        self.path = claim.path
        self.attempt = claim.attempt
        self._batch = batch

    def __reduce_ex__(self, protocol):
        return self.original.__reduce_ex__(protocol)

    def __enter__(self):
        self.original.__enter__()  # raises an error if it was settled
        return self

    def __exit__(self, kind, error, traceback):
        if kind is None and not self._was_settled:
            self.finish()

    def finish(self, keep=True):
        self._batch.finish(self.original, keep)
        self._was_settled = True

    def open(self, mode='r', encoding=None, errors=None, newline=None):
        return self.original.open(mode, encoding, errors, newline)

    def read_bytes(self):
        return self.original.read_bytes()

    def read_text(self, encoding=None, errors=None, newline=None):
        return self.original.read_text(encoding, errors, newline)

    def fileno(self):
        return self.original.fileno()

    @property
    def metadata(self):
        return self.original.metadata

    @property
    def due(self):
        return self.original.due

    def fail(self, error):
        self.original.fail(error)
        self._was_settled = True

    def release(self):
        self.original.release()
        self._was_settled = True
