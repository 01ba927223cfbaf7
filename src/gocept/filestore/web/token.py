"""That a form was sent from a page of ours, and by who has seen it."""
import hmac
import secrets
import urllib.parse
import webob.exc


NAME = 'filestore-token'


def of(request):
    """Return the token of this browser; one that has none gets one."""
    return request.cookies.get(NAME) or request.environ.setdefault(
        NAME, secrets.token_urlsafe(32))


def give(request, response):
    """Let the browser keep it, and send it to us from our own pages only."""
    if NAME in request.environ:
        response.set_cookie(
            NAME, request.environ[NAME], path=path(request.application_url),
            secure=request.scheme == 'https', httponly=True,
            samesite='Strict')


def path(url):
    return urllib.parse.urlsplit(url).path or '/'


def site(url):
    return urllib.parse.urlsplit(url).netloc


def check(request, form):
    """Refuse what other sites send, which know neither of the two."""
    origin = request.headers.get('Origin')
    if origin is not None and site(origin) != site(request.host_url):
        raise webob.exc.HTTPForbidden('another site has sent this form')
    kept, sent = request.cookies.get(NAME, ''), form.get('token', '')
    if not kept or not hmac.compare_digest(kept.encode(), sent.encode(
            'utf-8', 'surrogateescape')):
        raise webob.exc.HTTPForbidden(
            'this form is not from a page that this browser has seen; go '
            'back, load the page again, and send it from there')
