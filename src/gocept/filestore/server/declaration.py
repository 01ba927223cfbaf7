"""A consumer or an intake as ZCML declares it, and how it runs here."""
import errno
import gocept.filestore.consumer
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import gocept.filestore.server.collector
import os
import signal
import zope.component


try:
    import transaction
except ImportError:  # without the extra
    transaction = None

# Options of `IFileStore.select`; the others are for the consumer.
SELECTION = ('include', 'exclude', 'order', 'retry_policy', 'quiet')
# What stands for a policy, and what that calls it.
RETRY = {'attempts': 'attempts', 'delay': 'first', 'max_delay': 'longest'}


@gocept.filestore.interfaces.described(
    gocept.filestore.interfaces.IDeclaration)
class Declared:
    """What ZCML says that a worker process is to do with a store."""

    def __init__(self, store, name, directory, place):
        self.store = store
        self.name = name
        self.directory = directory
        self._place = place

    def check(self):
        self.worker()
        try:
            self._check_disk()
        except (OSError, gocept.filestore.interfaces.FileStoreError) as error:
            raise self._invalid(gocept.filestore.disk.space.described(
                error)) from error

    def _check_disk(self):
        check_directories(self._store())

    def _store(self):
        return self._named(
            gocept.filestore.interfaces.IFileStore, self.store, 'file store')

    def _named(self, interface, name, kind):
        found = zope.component.queryUtility(interface, name)
        if found is None:
            raise self._invalid('no %s %r is registered' % (kind, name))
        return found

    def _invalid(self, reason):
        return gocept.filestore.interfaces.InvalidDeclaration(
            self._place, '%s' % reason)


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IConsumerDeclaration)
class Declaration(Declared):
    """What ZCML says of a consumer."""

    def __init__(self, store, name='', handler=None, utility=None,
                 workers=None, transactional=False, place=None, **options):
        super().__init__(store, name, None, place)
        self.title = '/'.join(filter(None, (store, name)))
        self.workers = workers
        self._handler = handler
        self._utility = utility
        self._transactional = transactional
        self._selection = {
            option: options.pop(option) for option in SELECTION
            if option in options}
        self._policy = {
            name: value for option, name in RETRY.items()
            if (value := options.pop(option, None)) is not None}
        self._options = options

    def worker(self):
        return self.consumer()

    def consumer(self, **more):
        store, handler, manager = (
            self._store(), self._handling(), self._manager())
        try:
            return gocept.filestore.consumer.Consumer(
                self._selected(store), handler,
                transaction_manager=manager, **self._options, **more)
        except ValueError as error:
            raise self._invalid(error) from error

    def _selected(self, store):
        how = dict(self._selection)
        if self._policy:
            how['retry_policy'] = gocept.filestore.retry.policy.RetryPolicy(
                **self._policy)
        return store.select(**how)

    def _handling(self):
        if self._utility is None:
            return self._handler
        return self._named(
            gocept.filestore.interfaces.IHandler, self._utility, 'handler')

    def _manager(self):
        if not self._transactional:
            return None
        if transaction is None:
            raise self._invalid('the package transaction is not installed')
        return transaction.manager


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IDeclaration)
class Intake(Declared):
    """What ZCML says of an intake."""

    workers = 1

    def __init__(self, store, directory,
                 poll=gocept.filestore.interfaces.POLL, place=None, **options):
        super().__init__(store, '', directory, place)
        self.title = '%s from %s' % (store, directory)
        self._poll = poll
        self._options = options

    def worker(self):
        store = self._store()
        try:
            return gocept.filestore.server.collector.Collector(
                store.intake(self.directory, **self._options), watch=True,
                poll=self._poll)
        except ValueError as error:
            raise self._invalid(error) from error

    def _check_disk(self):
        super()._check_disk()
        self._store().intake(self.directory, **self._options).check()
        check_access(self.directory)


def check_directories(store):
    paths = [store.path]
    for space in store.sub_dirs:
        store.list(space)  # makes it, or raises NotPrepared
        paths.append(os.path.join(store.path, space))
    for path in paths:
        check_access(path)


def check_access(path):
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise PermissionError(
            errno.EACCES, 'it may not be read and written', path)


def declarations():
    return [declaration for title, declaration in sorted(
        zope.component.getUtilitiesFor(
            gocept.filestore.interfaces.IDeclaration))]


def declared(store, name='', directory=None):
    """Return a consumer, or the intake of a folder, which was checked."""
    for declaration in declarations():
        if (declaration.store, declaration.name, declaration.directory) == (
                store, name, directory):
            declaration.check()
            return declaration
    raise gocept.filestore.interfaces.InvalidDeclaration(
        None, 'no %s of the file store %r is declared' % (
            'consumer %r' % name if directory is None
            else 'intake %r' % directory, store))


def work(store, name='', directory=None):
    """Run a consumer that ZCML declares, or an intake, in this process.

    The component architecture has been set up. SIGTERM and SIGINT let it
    finish the file that it works on, and end. Raises `InvalidDeclaration`.
    """
    run(declared(store, name, directory).worker())


def run(worker):
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, worker.stop)
    worker.run()
