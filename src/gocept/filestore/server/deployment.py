"""What a server is to run: a site, by ZCML, zope.conf or our configuration."""
import contextlib
import functools
import gocept.filestore.interfaces
import logging
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


try:
    import zc.lockfile
    import ZConfig.datatypes
except ImportError:  # without the extra
    ZConfig = None
else:
    from_one = ZConfig.datatypes.RangeCheckedConversion(int, min=1)
SCHEMA = os.path.join(os.path.dirname(__file__), 'server.xml')
FORMAT = '%(asctime)s %(levelname)s %(name)s %(message)s'


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IDeployment)
class Deployment:
    """A site, and how it is to be served."""

    def __init__(self, load, path, workers=1, pid_filename=None,
                 eventlog=None):
        self.workers = workers
        self.pid_filename = pid_filename
        self._load = load
        self._path = path
        self._eventlog = eventlog

    def load(self):
        self._load(self._path)

    def start_logging(self):
        if self._eventlog is None:
            logging.basicConfig(format=FORMAT, level=logging.INFO, force=True)
        else:
            logging.basicConfig(handlers=(), force=True)  # only takes away
            self._eventlog()


# The deployment of a ZCML file, and that of a Zope instance by its zope.conf.
by_zcml = functools.partial(Deployment, load_zcml)
by_zope = functools.partial(Deployment, load_zope)


def by_configuration(path):
    """Return the deployment that a configuration file of ours describes."""
    options = read(path)
    how = options.workers, options.pid_filename, options.eventlog
    if options.zope_conf is None:
        return by_zcml(options.site_definition, *how)
    return by_zope(options.zope_conf, *how)


def read(path):
    """Return the options of a configuration file, see server.xml."""
    if ZConfig is None:
        raise gocept.filestore.interfaces.InvalidDeclaration(
            None, 'ZConfig is not installed, the extra [server] has it')
    try:
        options, _ = ZConfig.loadConfig(ZConfig.loadSchema(SCHEMA), path)
    except ZConfig.ConfigurationError as error:
        raise gocept.filestore.interfaces.InvalidDeclaration(
            None, str(error).replace('\n', ' ')) from error
    if (options.site_definition is None) == (options.zope_conf is None):
        raise gocept.filestore.interfaces.InvalidDeclaration(
            path, 'it takes one of site-definition and zope-conf')
    return options


@contextlib.contextmanager
def pid_file(path):
    """Write our process id into a file, and lock it, while the block runs."""
    if path is None:
        yield
        return
    try:
        lock = zc.lockfile.LockFile(path)
    except zc.lockfile.LockError as error:
        raise gocept.filestore.interfaces.InvalidDeclaration(
            path, 'another process has locked it') from error
    try:
        yield
    finally:
        os.unlink(path)
        lock.close()
