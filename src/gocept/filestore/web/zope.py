"""The pages as a view of Zope: @@filestores on its root, and on Plone."""
import AccessControl
import gocept.filestore.web.application
import io
import Products.Five.browser
import urllib.parse
import webob
import zope.interface
import zope.publisher.interfaces
import ZPublisher.Iterators


ACT = 'gocept.filestore: Act on stores'


@zope.interface.implementer(zope.publisher.interfaces.IPublishTraverse)
class Stores(Products.Five.browser.BrowserView):
    """Asks the WSGI application in place of whoever asks Zope."""

    application = gocept.filestore.web.application.Application(
        who=lambda request: request.environ[__name__])

    def __init__(self, context, request):
        super().__init__(context, request)
        self._subpath = []

    def publishTraverse(self, request, name):
        self._subpath.append(name)
        return self

    def __call__(self):
        response = webob.Request(self._environ()).get_response(
            self.application)
        answer = self.request.response
        answer.setStatus(response.status_int)
        for name, value in response.headerlist:
            answer.addHeader(name, value)
        return Body(response.app_iter)

    def _environ(self):
        environ = dict(self.request.environ)
        is_folder = environ.get('PATH_INFO', '').endswith('/')
        own = '%s/@@%s' % (self.context.absolute_url(), self.__name__)
        environ.update({
            'SCRIPT_NAME': urllib.parse.unquote(
                urllib.parse.urlsplit(own).path, 'latin-1'),
            'PATH_INFO': '/' + '/'.join(self._subpath)
            if self._subpath or is_folder else '',
            'wsgi.input': io.BytesIO(self.request.get('BODY') or b''),
            __name__: self._who()})
        return environ

    def _who(self):
        manager = AccessControl.getSecurityManager()
        if manager.checkPermission(ACT, self.context):
            return manager.getUser().getUserName()
        return None


@zope.interface.implementer(ZPublisher.Iterators.IUnboundStreamIterator)
class Body:
    """What Zope hands on piece by piece."""

    def __init__(self, pieces):
        self._pieces = pieces
        self._iterator = iter(pieces)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._iterator)

    def close(self):
        getattr(self._pieces, 'close', int)()
