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
    import ZConfig
    import Zope2.Startup.run
    with in_one_line(ZConfig.ConfigurationError):
        Zope2.Startup.run.configure_wsgi(path)
        Zope2.startup_wsgi()


@contextlib.contextmanager
def in_one_line(*errors):
    """Say in one line what is wrong, with the file and the line of it."""
    try:
        yield
    except zope.configuration.xmlconfig.ZopeSAXParseException as error:
        raise invalid(error.evalue) from error
    except (zope.configuration.exceptions.ConfigurationError,
            *errors) as error:
        raise invalid(error) from error


def invalid(error):
    lines = filter(None, map(str.strip, str(error).splitlines()))
    return gocept.filestore.interfaces.InvalidDeclaration(
        None, ': '.join(lines))
