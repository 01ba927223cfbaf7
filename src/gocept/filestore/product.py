"""The stores that a Zope instance names, in its zope.conf."""
import gocept.filestore.filestore
import gocept.filestore.interfaces
import os
import sys
import zope.component
import zope.configuration.exceptions


NAME = 'gocept.filestore'


def register():
    """Register them, in place of stores of the same name from ZCML."""
    for name, path in sorted(configured().items()):
        zope.component.provideUtility(
            gocept.filestore.filestore.FileStore(
                absolute(name, path), prepare=True),
            gocept.filestore.interfaces.IFileStore, name)


def configured():
    """Return the names and the directories."""
    # Who runs in a Zope instance has imported it, and nobody else has to.
    if 'App.config' not in sys.modules:
        return {}
    options = sys.modules['App.config'].getConfiguration()
    return (getattr(options, 'product_config', None) or {}).get(NAME, {})


def absolute(name, path):
    path = os.path.expandvars(os.path.expanduser(path))
    if '$' in path or not os.path.isabs(path):
        raise zope.configuration.exceptions.ConfigurationError(
            '<product-config %s>: the directory of the file store %r is an '
            'absolute path, not %r' % (NAME, name, path))
    return path
