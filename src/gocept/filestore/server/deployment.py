"""What a server is to run: a site, by ZCML, zope.conf or our configuration."""
import contextlib
import functools
import gocept.filestore.interfaces
import importlib.util
import logging
import os
import zope.component.hooks
import zope.configuration.exceptions
import zope.configuration.xmlconfig


def load_zcml(path):
    zope.component.hooks.setHooks()
    with in_one_line(path):
        zope.configuration.xmlconfig.file(os.path.abspath(path))


def load_zope(path):
    """Start Zope, its database and its ZCML, by a zope.conf."""
    import ZConfig
    try:
        import Zope2.Startup.run
    except ModuleNotFoundError as error:
        raise gocept.filestore.interfaces.InvalidDeclaration(
            path, 'Zope can not be imported: %s' % error) from error
    with in_one_line(path, ZConfig.ConfigurationError):
        Zope2.Startup.run.configure_wsgi(path)
        Zope2.startup_wsgi()


@contextlib.contextmanager
def in_one_line(path, *errors):
    """Say in one line what is wrong, with the file and the line of it."""
    try:
        yield
    except zope.configuration.xmlconfig.ZopeSAXParseException as error:
        raise invalid(error.evalue, path) from error
    except (zope.configuration.exceptions.ConfigurationError,
            UnicodeDecodeError, *errors) as error:
        raise invalid(error, path) from error


def invalid(error, path):
    """Return an error that tells the path, unless it is told anyway."""
    lines = filter(None, map(str.strip, str(error).splitlines()))
    reason = ': '.join(lines)
    return gocept.filestore.interfaces.InvalidDeclaration(
        None if os.path.basename(path) in reason else path, reason)


try:
    import zc.lockfile
    import ZConfig.datatypes
except ImportError:  # without the extra
    ZConfig = None
else:
    from_one = ZConfig.datatypes.RangeCheckedConversion(int, min=1)
    local = ZConfig.datatypes.InetAddress('127.0.0.1')
SCHEMA = os.path.join(os.path.dirname(__file__), 'server.xml')
FORMAT = '%(asctime)s %(levelname)s %(name)s %(message)s'


def address(value):
    """Return host and port; the host is this one if there is none."""
    host, port = local(value)
    if port is None:
        raise ValueError('%r is no address like 127.0.0.1:9400' % value)
    return host, port


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IDeployment)
class Deployment:
    """A site, and how it is to be served."""

    def __init__(self, load, path, workers=1, pid_filename=None,
                 eventlog=None, metrics=None):
        self.workers = workers
        self.pid_filename = pid_filename
        self.metrics = metrics
        self._load = load
        self._path = path
        self._eventlog = eventlog

    def load(self):
        self._load(self._path)

    def start_logging(self):
        if self._eventlog is None:
            logging.basicConfig(format=FORMAT, level=logging.INFO, force=True)
        else:
            with replaced_handlers():
                self._eventlog()
            escape_in_logs()


@contextlib.contextmanager
def replaced_handlers():
    """Take the handlers of the log away, unless there are no other ones."""
    before, logging.root.handlers[:] = logging.root.handlers[:], ()
    try:
        yield
    except BaseException:
        logging.root.handlers[:] = before
        raise
    for handler in before:
        handler.close()


def escape_in_logs():
    """Let no line be lost for a name that the encoding does not have."""
    for handler in logging.root.handlers:
        handler.errors = 'backslashreplace'  # when it is opened again
        with contextlib.suppress(AttributeError):  # it is no open file
            handler.stream.reconfigure(errors=handler.errors)


# The deployment of a ZCML file, and that of a Zope instance by its zope.conf.
by_zcml = functools.partial(Deployment, load_zcml)
by_zope = functools.partial(Deployment, load_zope)


def by_configuration(path):
    """Return the deployment that a configuration file of ours describes."""
    options = read(path)
    how = (options.workers, options.pid_filename, options.eventlog,
           options.metrics)
    if options.zope_conf is None:
        return by_zcml(options.site_definition, *how)
    return by_zope(options.zope_conf, *how)


def read(path):
    """Return the options of a configuration file, see server.xml."""
    if ZConfig is None:
        raise gocept.filestore.interfaces.InvalidDeclaration(
            None, 'ZConfig is not installed, the extra [server] has it')
    with in_one_line(path, ZConfig.ConfigurationError):
        options, _ = ZConfig.loadConfig(ZConfig.loadSchema(SCHEMA), path)
    if (options.site_definition is None) == (options.zope_conf is None):
        raise gocept.filestore.interfaces.InvalidDeclaration(
            path, 'it takes one of site-definition and zope-conf')
    if options.metrics and not importlib.util.find_spec('prometheus_client'):
        raise gocept.filestore.interfaces.InvalidDeclaration(
            path, 'prometheus_client is not installed, the extra [metrics] '
            'has it')
    return options


class PidFile:
    """A locked file with our process id, or none; the place may change."""

    def __init__(self, path=None):
        self._path = place_of(path)
        self._lock = path and locked(path)

    @contextlib.contextmanager
    def exchanged(self, path):
        """Be at another place; that of before counts if the block fails."""
        if place_of(path) == self._path:
            yield
            return
        new = PidFile(path)
        try:
            yield
        except BaseException:
            new.close()
            raise
        self.close()
        self._path, self._lock = new._path, new._lock

    def close(self):
        if self._lock:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
            self._lock.close()


def place_of(path):
    return path and os.path.abspath(path)


def locked(path):
    try:
        return zc.lockfile.LockFile(path)
    except zc.lockfile.LockError as error:
        raise gocept.filestore.interfaces.InvalidDeclaration(
            path, 'another process has locked it') from error
