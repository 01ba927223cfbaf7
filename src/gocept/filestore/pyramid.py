"""Stores in Pyramid: from its settings, in its transactions, and as pages.

    config.include('gocept.filestore.pyramid')

Settings, all of which may be left out:

    filestore.stores.NAME           the directory of a store, which is
                                    registered by this name
    filestore.prefix                the address of the pages, "filestores"
    filestore.permission            who may look; without it there are none
    filestore.action_permission     who may put back, clean and settle

``request.filestore(name='')`` is the `ITransactionalFileStore` of a request,
in the transaction of ``request.tm`` if pyramid_tm is there. Wants the extras
[transaction] and [web].
"""
import gocept.filestore.datamanager
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.web.application
import pyramid.request
import transaction
import zope.component


IFileStore = gocept.filestore.interfaces.IFileStore
STORES = 'filestore.stores.'


def includeme(config):
    settings = config.registry.settings
    for key, path in sorted(settings.items()):
        if key.startswith(STORES):
            config.registry.registerUtility(
                gocept.filestore.filestore.FileStore(path, prepare=True),
                IFileStore, key.removeprefix(STORES))
    config.add_request_method(filestore)
    if permission := settings.get('filestore.permission'):
        config.add_route('filestores', '/%s{page:(/.*)?}' % settings.get(
            'filestore.prefix', 'filestores').strip('/'))
        # A form of ours has a token of its own.
        config.add_view(
            Pages(config.registry,
                  settings.get('filestore.action_permission')),
            route_name='filestores', permission=permission,
            require_csrf=False)


def filestore(request, name=''):
    """Return the store of this name as the transaction sees it."""
    store = request.registry.queryUtility(IFileStore, name)
    if store is None:  # registered for all applications of the process
        store = zope.component.getUtility(IFileStore, name)
    return gocept.filestore.datamanager.TransactionalFileStore(
        store, getattr(request, 'tm', transaction.manager))


class Pages:
    """The pages as a view, which knows who may act."""

    def __init__(self, registry, permission):
        self._registry = registry
        self._permission = permission
        self._application = gocept.filestore.web.application.Application(
            self._stores, lambda request: request.environ[__name__])

    def __call__(self, context, request):
        prefix, page = split(
            request.environ['PATH_INFO'], request.matchdict['page'])
        return pyramid.request.Request({
            **request.environ,
            'SCRIPT_NAME': request.environ.get('SCRIPT_NAME', '') + prefix,
            'PATH_INFO': page,
            __name__: self._who(context, request)}).get_response(
                self._application)

    def _stores(self):
        return {**gocept.filestore.web.application.registered(),
                **dict(self._registry.getUtilitiesFor(IFileStore))}

    def _who(self, context, request):
        if not self._permission or not request.has_permission(
                self._permission, context):
            return None
        user = request.authenticated_userid
        return 'somebody' if user is None else str(user)


def split(path, page):
    """Return what leads to a page, and the page, both as WSGI has them."""
    length = len(path) - len(page.encode())
    return path[:length], path[length:]
