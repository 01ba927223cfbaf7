"""A consumer as ZCML declares it, and how it runs in this process."""
import errno
import gocept.filestore.consumer
import gocept.filestore.interfaces
import os
import signal
import zope.component


try:
    import transaction
except ImportError:  # without the extra
    transaction = None

# Options of `IFileStore.select`; the others are for the consumer.
SELECTION = ('include', 'exclude', 'order', 'retry_policy')


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IDeclaration)
class Declaration:
    """What ZCML says of a consumer."""

    def __init__(self, store, name='', handler=None, utility=None,
                 workers=None, transactional=False, place=None, **options):
        self.store = store
        self.name = name
        self.title = '/'.join(filter(None, (store, name)))
        self.workers = workers
        self._handler = handler
        self._utility = utility
        self._transactional = transactional
        self._place = place
        self._selection = {
            option: options.pop(option) for option in SELECTION
            if option in options}
        self._options = options

    def check(self):
        self.consumer()
        try:
            check_directories(self._store())
        except gocept.filestore.interfaces.FileStoreError as error:
            raise self._invalid(error) from error
        except OSError as error:
            raise self._invalid('%r: %s' % (
                error.filename, error.strerror)) from error

    def consumer(self):
        store, handler, manager = (
            self._store(), self._handling(), self._manager())
        try:
            return gocept.filestore.consumer.Consumer(
                store.select(**self._selection), handler,
                transaction_manager=manager, **self._options)
        except ValueError as error:
            raise self._invalid(error) from error

    def _store(self):
        return self._named(
            gocept.filestore.interfaces.IFileStore, self.store, 'file store')

    def _handling(self):
        if self._utility is None:
            return self._handler
        return self._named(
            gocept.filestore.interfaces.IHandler, self._utility, 'handler')

    def _named(self, interface, name, kind):
        found = zope.component.queryUtility(interface, name)
        if found is None:
            raise self._invalid('no %s %r is registered' % (kind, name))
        return found

    def _manager(self):
        if not self._transactional:
            return None
        if transaction is None:
            raise self._invalid('the package transaction is not installed')
        return transaction.manager

    def _invalid(self, reason):
        return gocept.filestore.interfaces.InvalidDeclaration(
            self._place, '%s' % reason)


def check_directories(store):
    paths = [store.path]
    for space in store.sub_dirs:
        store.list(space)  # makes it, or raises NotPrepared
        paths.append(os.path.join(store.path, space))
    for path in paths:
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK,
                         effective_ids=True):
            raise PermissionError(
                errno.EACCES, 'it may not be read and written', path)


def declarations():
    """Return all declarations, in the order of their titles."""
    return [declaration for title, declaration in sorted(
        zope.component.getUtilitiesFor(
            gocept.filestore.interfaces.IDeclaration))]


def declared(store, name=''):
    """Return one declaration, which has been checked."""
    for declaration in declarations():
        if (declaration.store, declaration.name) == (store, name):
            declaration.check()
            return declaration
    raise gocept.filestore.interfaces.InvalidDeclaration(
        None, 'no consumer %r of the file store %r is declared' % (
            name, store))


def work(store, name=''):
    """Run a consumer that ZCML declares, in this process.

    The component architecture has been set up. SIGTERM and SIGINT let it
    finish the file that it works on, and end. Raises `InvalidDeclaration`.
    """
    declaration = declared(store, name)
    consumer = declaration.consumer()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, consumer.stop)
    consumer.run()
