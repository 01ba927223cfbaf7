"""Pages, made of what is known by templates beside this module."""
import chameleon
import functools
import gocept.filestore.monitor.words
import gocept.filestore.web.address
import gocept.filestore.web.token
import importlib.resources
import webob


SHOWN = 20_000  # characters of a reason or a traceback
DIRECTORY = importlib.resources.files('gocept.filestore.web') / 'pages'
DOCTYPE = '<!DOCTYPE html>\n'  # which a macro can not hand on
SIZES = ('KiB', 'MiB', 'GiB', 'TiB')


@functools.cache
def templates():
    return chameleon.PageTemplateLoader(
        str(DIRECTORY), default_extension='.pt', auto_reload=False)


def page(template, visit, /, **known):
    """Return a page; only those who may act get what they need for it."""
    response = webob.Response(charset='utf-8')
    response.text = rendered(
        template, visit=visit, may_act=bool(visit.who),
        token=gocept.filestore.web.token.of(visit.request), **known)
    if visit.who:
        gocept.filestore.web.token.give(visit.request, response)
    return response


def refusal(error):
    """Return the page of an error, which says in a line what is wrong."""
    response = webob.Response(status=error.status, charset='utf-8')
    if allowed := error.headers.get('Allow'):
        response.headers['Allow'] = allowed
    response.text = rendered(
        'refusal', title=error.title, reason=cut(error.detail or ''))
    return response


def rendered(template, /, **known):
    text = templates()[template](
        templates=templates(), shown=shown, size=size, counted=counted,
        duration=gocept.filestore.monitor.words.duration,
        address=gocept.filestore.web.address.address, cut=cut, **known)
    return DOCTYPE + text.encode('utf-8', 'backslashreplace').decode('utf-8')


counted = gocept.filestore.monitor.words.counted


def shown(value):
    """Return a text that shows all of a name, also what is not printable."""
    return gocept.filestore.monitor.words.printable(str(value))


def cut(text):
    text = str(text)
    more = len(text) - SHOWN
    if more > 0:
        text = '%s\n[... and %s more characters]' % (text[:SHOWN], more)
    return gocept.filestore.monitor.words.printable(text, '\n\t')


def size(number):
    """Return a size as people read it."""
    if number < 1024:
        return counted(number, 'byte')
    power = min(len(SIZES), (number.bit_length() - 1) // 10)
    return '%.1f %s' % (number / 1024 ** power, SIZES[power - 1])


def style(visit):
    return webob.Response(
        (DIRECTORY / 'style.css').read_bytes(), content_type='text/css',
        charset='utf-8')
