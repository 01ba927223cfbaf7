"""The WSGI application: which address is which page, and what goes with it."""
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import gocept.filestore.web.action
import gocept.filestore.web.address
import gocept.filestore.web.page
import gocept.filestore.web.view
import logging
import os
import webob
import webob.exc
import zope.component


logger = logging.getLogger(__name__)
DEFAULT = 'default'
PAGES = {
    '': gocept.filestore.web.view.overview,
    'store': gocept.filestore.web.view.store,
    'files': gocept.filestore.web.view.files,
    'file': gocept.filestore.web.view.file,
    'contents': gocept.filestore.web.view.contents,
    'health': gocept.filestore.web.view.health,
    'metrics': gocept.filestore.web.view.metrics,
    'style.css': gocept.filestore.web.page.style}
ACTIONS = {
    'retry': gocept.filestore.web.action.Retry,
    'clean': gocept.filestore.web.action.Clean,
    'settle': gocept.filestore.web.action.Settle}
# Whatever a file is called and contains: a browser runs nothing of it, and
# nobody shows the page as a part of his own.
HEADERS = {
    'Content-Security-Policy':
        "default-src 'none'; style-src 'self'; img-src 'self' data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cache-Control': 'no-store'}
# What an error of a store is in HTTP; the first that fits.
ERRORS = (
    (gocept.filestore.interfaces.InvalidName, webob.exc.HTTPBadRequest),
    (gocept.filestore.interfaces.InvalidSpace, webob.exc.HTTPBadRequest),
    (FileNotFoundError, webob.exc.HTTPNotFound),
    (gocept.filestore.interfaces.NotRegular, webob.exc.HTTPForbidden),
    (FileExistsError, webob.exc.HTTPConflict),
    (Exception, webob.exc.HTTPServiceUnavailable))


def registered():
    """Return the stores that are registered as utilities, by their names.

    That of who configures none is left out until somebody has used it.
    """
    stores = dict(zope.component.getUtilitiesFor(
        gocept.filestore.interfaces.IFileStore))
    if DEFAULT in stores and not os.path.isdir(stores[DEFAULT].path):
        del stores[DEFAULT]
    return stores


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IWebApplication)
class Application:
    """The pages."""

    def __init__(self, stores=registered, who=None, hosts=None):
        self._stores = stores
        self._who = who or nobody
        self._hosts = hosts
        self._looks = gocept.filestore.web.view.Looks()

    def __call__(self, environ, start_response):
        request = webob.Request(environ)
        try:
            response = self._respond(request)
        except webob.exc.HTTPException as error:
            response = gocept.filestore.web.page.refusal(error)
        except (OSError, gocept.filestore.interfaces.FileStoreError) as error:
            response = gocept.filestore.web.page.refusal(translated(error))
        response.headers.update(HEADERS)
        return response(environ, start_response)

    def _respond(self, request):
        self._check_host(request)
        path = request.environ.get('PATH_INFO', '')
        name = path.lstrip('/')
        if not path:
            # The addresses on a page go on from its own.
            return webob.exc.HTTPFound(location=request.path_url + '/')
        visit = gocept.filestore.web.address.Visit(
            request, self._stores, self._who, self._looks)
        if name in ACTIONS:
            return gocept.filestore.web.action.respond(
                ACTIONS[name](visit), visit)
        if name not in PAGES:
            raise webob.exc.HTTPNotFound('there is no such page')
        if request.method not in ('GET', 'HEAD'):
            raise webob.exc.HTTPMethodNotAllowed(
                'this page is only to be read', headers={'Allow': 'GET, HEAD'})
        return PAGES[name](visit)

    def _check_host(self, request):
        """Refuse names of ours that a page of somebody else has made up."""
        if self._hosts is not None and request.domain not in self._hosts:
            raise webob.exc.HTTPBadRequest(
                'this is not the host that was asked for')


def nobody(request):
    """Let all who come look, and do nothing."""


def translated(error):
    if isinstance(error, PermissionError):
        logger.warning('%s', error)
    kind = next(kind for known, kind in ERRORS if isinstance(error, known))
    return kind(gocept.filestore.disk.space.described(error))
