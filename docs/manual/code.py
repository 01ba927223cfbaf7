"""Tells what an example is written in, by how it looks."""
import docutils.nodes


STARTS = {
    '$ ': 'console',
    '# ': 'console',
    '<configure': 'xml',
    '<filestore:': 'xml',
    '<include': 'xml',
    '<product-config': 'apacheconf'}


def colour(app, document):
    for block in document.findall(docutils.nodes.doctest_block):
        block['language'] = 'pycon'
    for block in document.findall(docutils.nodes.literal_block):
        block.setdefault('language', language_of(block.astext()))
        block['force'] = True  # a shell has more than the lexer knows


def language_of(text):
    return next((language for start, language in STARTS.items()
                 if text.startswith(start)), 'none')
