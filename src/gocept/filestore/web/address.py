"""What a request asks for, and the addresses that ask for it."""
import functools
import gocept.filestore.disk.layout
import os
import urllib.parse
import webob.exc


LONGEST = 100_000  # bytes of what a form sends


class Visit:
    """One request: its arguments, the store that it is about, and who it is.

    Names of files are bytes to the browser, so none is lost on the way that
    is not UTF-8.
    """

    def __init__(self, request, stores, who, looks):
        self.request = request
        self.looks = looks
        self._stores = stores
        self._who = who

    @functools.cached_property
    def stores(self):
        return dict(sorted(self._stores().items()))

    @functools.cached_property
    def who(self):
        """Who may act, as the log tells it, or None who may only look."""
        return self._who(self.request)

    @functools.cached_property
    def arguments(self):
        return parsed(self.request.query_string)

    @functools.cached_property
    def form(self):
        if self.request.content_type != 'application/x-www-form-urlencoded':
            raise webob.exc.HTTPUnsupportedMediaType('this is no form')
        if (self.request.content_length or 0) > LONGEST:
            raise webob.exc.HTTPRequestEntityTooLarge('this form is too long')
        return parsed(self.request.body_file.read(LONGEST).decode(
            'ascii', 'replace'))

    @property
    def store_name(self):
        return self.arguments.get('store', '')

    @property
    def store(self):
        try:
            return self.stores[self.store_name]
        except KeyError:
            raise webob.exc.HTTPNotFound(
                'there is no store %r here' % self.store_name) from None

    def layout(self):
        """Return the spaces of the store; it has to be there, none is made.
        """
        layout = gocept.filestore.disk.layout.Layout(self.store.path)
        layout['new']  # or it is no store, and tells so
        return layout

    def argument(self, name):
        if self.arguments.get(name):
            return self.arguments[name]
        raise webob.exc.HTTPBadRequest('this address lacks the %s' % name)

    def address(self, page, /, **arguments):
        """Return the address of a page that is about the same store."""
        return address(page, store=self.store_name, **arguments)


def parsed(query):
    try:
        return dict(urllib.parse.parse_qsl(
            query, keep_blank_values=True, errors='surrogateescape',
            encoding='utf-8', max_num_fields=100))
    except ValueError as error:
        raise webob.exc.HTTPBadRequest('these are no arguments: %s'
                                       % error) from None


def address(page, /, **arguments):
    return page + '?' + urllib.parse.urlencode(
        {name: os.fsencode(str(value)) for name, value in arguments.items()})
