"""Where the papers of the site lie: the stories stay with their modules."""
import pathlib


DOCS = pathlib.Path(__file__).resolve().parent.parent
LINKS = {
    'CHANGES.txt': '../CHANGES.txt',
    'chapters': '../src/gocept/filestore',
    'examples': '../examples'}
# What the folders that are linked have besides stays out.
PAPERS = [
    '*.txt', 'guides/*.txt', 'reference/*.txt', 'chapters/**.txt',
    'examples/*/README.txt']


def link():
    """Let Sphinx see below docs what lies elsewhere."""
    for name, target in LINKS.items():
        path = DOCS / name
        path.unlink(missing_ok=True)
        path.symlink_to(target)


def page(text, found):
    """Return the page that a text names as README.txt would, or None.

    `found` are the names of all pages, without a suffix.
    """
    stem = text.removesuffix('.txt')
    if stem == text and not text.startswith('examples/'):
        return None
    names = ('chapters/' + stem, stem, stem.removeprefix('docs/'),
             stem + '/README')
    return next((name for name in names if name in found), None)
