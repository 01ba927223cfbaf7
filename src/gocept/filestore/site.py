"""Ways to set up the component architecture of a process."""
import contextlib
import gocept.filestore.interfaces
import os
import zope.component.hooks
import zope.configuration.exceptions
import zope.configuration.xmlconfig


def load_zcml(path):
    """Load a ZCML file."""
    zope.component.hooks.setHooks()
    with in_one_line():
        zope.configuration.xmlconfig.file(os.path.abspath(path))


def load_zope(path):
    """Start Zope, its database and its ZCML, by a zope.conf."""
    import Zope2.Startup.run
    with in_one_line():
        Zope2.Startup.run.configure_wsgi(path)
        Zope2.startup_wsgi()


@contextlib.contextmanager
def in_one_line():
    """Turn what ZCML says on several lines into one, places included."""
    try:
        yield
    except zope.configuration.xmlconfig.ZopeSAXParseException as error:
        raise gocept.filestore.interfaces.InvalidDeclaration(
            None, str(error.evalue)) from error
    except zope.configuration.exceptions.ConfigurationError as error:
        lines = filter(None, map(str.strip, str(error).splitlines()))
        raise gocept.filestore.interfaces.InvalidDeclaration(
            None, ': '.join(lines)) from error
