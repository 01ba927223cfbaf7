"""A layer of zope.testrunner that gives each test fresh stores."""
import contextlib
import gocept.filestore.interfaces
import gocept.filestore.testing.store
import sys


class Layer:
    """Gives each test fresh stores, registered as utilities of these names.

    A layer of zope.testrunner. Without a name it is one store, the unnamed
    utility. `options` are those of `Store`, which are those of `FileStore`.
    """

    def __init__(self, *names, bases=(), **options):
        caller = sys._getframe(1)
        self.__module__ = caller.f_globals.get('__name__', __name__)
        # The runner takes two layers of one name for the same.
        self.__name__ = 'Layer(%s):%s' % (
            ', '.join(map(repr, names)), caller.f_lineno)
        self.__bases__ = tuple(bases)
        self._names = names or ('',)
        self._options = options
        self._stores = {}
        self._end = contextlib.ExitStack()

    def __getitem__(self, name):
        """Return the store of this name; there is one during a test."""
        return self._stores[name]

    def testSetUp(self):
        with contextlib.ExitStack() as stack:
            stack.callback(self._stores.clear)
            for name in self._names:
                store = stack.enter_context(
                    gocept.filestore.testing.store.Store(**self._options))
                store.prepare()
                stack.enter_context(registered(store, name))
                self._stores[name] = store
            self._end = stack.pop_all()

    def testTearDown(self):
        self._end.close()


@contextlib.contextmanager
def registered(store, name):
    """Register a store, and in the end what was registered before."""
    import zope.component
    registry = zope.component.getGlobalSiteManager()
    utility = gocept.filestore.interfaces.IFileStore, name
    before = [registration for registration in registry.registeredUtilities()
              if (registration.provided, registration.name) == utility]
    registry.registerUtility(store, *utility)
    try:
        yield
    finally:
        registry.unregisterUtility(None, *utility)
        for registration in before:
            registry.registerUtility(
                registration.component, *utility, registration.info)
