"""Looks whether what has been built is whole.

A link leads to a file of the site, and to a place in it; whatever a page
consists of comes from the site itself.
"""
import html.parser
import re
import urllib.parse


# What a browser loads by itself. The other addresses are only followed.
LOADED = {('iframe', 'src'), ('image', 'href'), ('img', 'src'),
          ('link', 'href'), ('script', 'src'), ('source', 'src'),
          ('use', 'href')}
NOT_LOADED = {'author', 'canonical', 'index', 'next', 'prev', 'search'}
STYLE = re.compile(r'(?:url\(\s*|@import\s+)["\']?([^"\')\s]+)')


class Page(html.parser.HTMLParser):
    """The places of a page, and its links."""

    def __init__(self, text):
        super().__init__()
        self.places = set()
        self.followed = []
        self.loaded = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.places.add(attributes.get('id'))
        for name in 'href', 'src':
            if address := attributes.get(name):
                self.list_for(tag, name, attributes).append(address)

    def list_for(self, tag, name, attributes):
        is_loaded = (tag, name) in LOADED and (
            attributes.get('rel') not in NOT_LOADED)
        return self.loaded if is_loaded else self.followed


def check(directory):
    """Return how many links there are, and a line for each that is wrong."""
    pages = {path: Page(path.read_text(encoding='utf-8'))
             for path in sorted(directory.resolve().rglob('*.html'))}
    faults = []
    for path, page in pages.items():
        for address in page.followed + page.loaded:
            faults += wrong(path, address, pages)
        for address in page.loaded:
            faults += foreign(path, address)
    for path in sorted(directory.resolve().rglob('*.css')):
        for address in STYLE.findall(path.read_text(encoding='utf-8')):
            faults += [*wrong(path, address, pages), *foreign(path, address)]
    return sum(len(page.followed + page.loaded) for page in pages.values()), [
        f'{path.relative_to(directory.resolve())}: {fault}'
        for path, fault in faults]


def wrong(path, address, pages):
    """Yield what is wrong with an address that is one of the site."""
    parts = urllib.parse.urlsplit(address)
    if parts.scheme or parts.netloc:
        return
    target = path
    if parts.path:
        target = (path.parent / urllib.parse.unquote(parts.path)).resolve()
    if not target.is_file():
        yield path, f'{address} leads to no file'
    elif target in pages and parts.fragment and (
            urllib.parse.unquote(parts.fragment) not in pages[target].places):
        yield path, f'{address} leads to no place in its page'


def foreign(path, address):
    """Yield an address that a browser would ask somebody else for."""
    parts = urllib.parse.urlsplit(address)
    if parts.netloc or parts.scheme not in ('', 'data'):
        yield path, f'{address} is loaded from elsewhere'
