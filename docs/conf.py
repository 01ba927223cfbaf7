"""How Sphinx builds the site; `bin/docs` calls it."""
import builtins
import importlib.metadata
import manual.code
import manual.contract
import manual.glossary
import manual.index
import manual.place
import manual.reference
import manual.role


project = 'gocept.filestore'
author = 'gocept gmbh & co. kg'
copyright = author
release = version = importlib.metadata.version(project)
html_title = f'{project} {version}'

extensions = [
    'sphinx.ext.autodoc', 'sphinx_click',
    'sphinxcontrib.zopeext.autointerface']
source_suffix = {'.txt': 'restructuredtext'}
include_patterns = manual.place.PAPERS
default_role = 'named'
language = 'en'

add_module_names = False
autodoc_member_order = 'bysource'
toc_object_entries_show_parents = 'hide'
# What belongs to others is named, but no link of the site.
nitpick_ignore = [
    ('py:class', name) for name, thing in vars(builtins).items()
    if isinstance(thing, type)]
nitpick_ignore_regex = [('py:(class|func)', r'(logging|time|zope)\..*')]

html_theme = 'furo'
html_copy_source = False
html_show_sourcelink = False
html_css_files = ['site.css']
html_static_path = ['static']
html_show_sphinx = False
# Each page is read as it stands: no quotes turn round in an example.
smartquotes = False


def setup(app):
    app.add_role('named', manual.role.Named())
    app.add_directive('generated', manual.reference.Generated)
    app.connect('source-read', manual.glossary.rewrite)
    app.connect('autodoc-process-docstring', manual.contract.process)
    app.connect(
        'sphinx-click-process-description', manual.contract.process_help)
    app.connect('doctree-read', manual.code.colour)
    app.connect('doctree-read', manual.role.link_files)
    app.add_transform(manual.index.Titles)
