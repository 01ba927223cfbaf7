"""The pages as a view of Zope: @@filestores on its root, and on Plone.

The profile ``gocept.filestore:default`` leads there from the control panel of
Plone.
"""
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
# Neither the theme of Plone nor its tokens go into our pages.
UNCHANGED = 'plone.transformchain.disable'


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
        self.request.environ[UNCHANGED] = True
        answer = self.request.response
        answer.setStatus(response.status_int)
        for name, value in response.headerlist:
            if name == 'Set-Cookie':  # Zope has its own ones
                answer.addHeader(name, value)
            else:
                answer.setHeader(name, value)
        return Body(response.app_iter)

    def _environ(self):
        body = self._body()
        # A proxy in front may have told Zope of other names than it uses.
        url = urllib.parse.urlsplit(self.context.absolute_url())
        return {
            **self.request.environ,
            'wsgi.url_scheme': url.scheme,
            'HTTP_HOST': url.netloc,
            'SCRIPT_NAME': urllib.parse.unquote(
                '%s/@@%s' % (url.path, self.__name__), 'latin-1'),
            'PATH_INFO': self._path(),
            'CONTENT_LENGTH': str(len(body)),
            'wsgi.input': io.BytesIO(body),
            __name__: self._who()}

    def _path(self):
        is_folder = self.request.environ.get('PATH_INFO', '').endswith('/')
        return '/' + '/'.join(self._subpath) if (
            self._subpath or is_folder) else ''

    def _body(self):
        """Return what Zope has read, of which we want the token only."""
        token = self.request.form.get('token')
        if self.request.method != 'POST' or token is None:
            return b''
        return urllib.parse.urlencode(
            {'token': token}, errors='surrogateescape').encode()

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
