import pyramid.authentication
import pyramid.httpexceptions


class Policy:
    """Knows one user, who may do all, by the password of shop.ini."""

    def __init__(self, user, password):
        self._known = (user, password)

    def authenticated_userid(self, request):
        sent = pyramid.authentication.extract_http_basic_credentials(request)
        return sent.username if sent == self._known else None

    def permits(self, request, context, permission):
        return self.authenticated_userid(request) is not None


def ask_for_password(request):
    return pyramid.httpexceptions.HTTPUnauthorized(
        headers={'WWW-Authenticate': 'Basic realm="shop"'})
