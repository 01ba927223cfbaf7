"""Where the papers of the site lie: the stories stay with their modules."""
import pathlib


DOCS = pathlib.Path(__file__).resolve().parent.parent
CHECKOUT = DOCS.parent
CHAPTERS = CHECKOUT / 'src' / 'gocept' / 'filestore'
# What lies beside them stays out.
PAPERS = [
    '*.txt', 'guides/*.txt', 'reference/*.txt', 'chapters/**.txt',
    'examples/*/README.txt']
# Where the files of a checkout are shown that are no pages.
REPOSITORY = 'https://github.com/gocept/gocept.filestore'
FOLDERS = ('.ci/', 'benchmarks/', 'docs/', 'examples/')
# What else a text names.
PAGES = {'interfaces.py': 'reference/interfaces'}


def gather(directory):
    """Let Sphinx see all papers below one directory, by links."""
    directory.mkdir(parents=True)
    for path in [*DOCS.iterdir(), CHECKOUT / 'CHANGES.txt',
                 CHECKOUT / 'examples']:
        (directory / path.name).symlink_to(path)
    (directory / 'chapters').symlink_to(CHAPTERS)


def page(text, found):
    """Return the page that a text names as README.txt would, or None.

    `found` are the names of all pages, without a suffix.
    """
    if text in PAGES:
        return PAGES[text]
    stem = text.removesuffix('.txt')
    if stem == text and not text.startswith('examples/'):
        return None
    names = ('chapters/' + stem, stem, stem.removeprefix('docs/'),
             stem + '/README', *chapters(stem, found))
    return next((name for name in names if name in found), None)


def address(text):
    """Return where a file or folder is shown that a text names, or None."""
    path = CHECKOUT / text
    if not text.startswith(FOLDERS) or not path.exists():
        return None
    kind = 'tree' if path.is_dir() else 'blob'
    return f'{REPOSITORY}/{kind}/main/{text}'


def chapters(stem, found):
    """Return a chapter that is named without its wing; they all differ."""
    return [name for name in found
            if name.startswith('chapters/') and name.endswith('/' + stem)]
