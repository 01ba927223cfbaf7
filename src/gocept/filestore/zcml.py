"""The directives of ZCML, and the stores that zope.conf names."""
import contextlib
import gocept.filestore.filestore
import gocept.filestore.interfaces
import gocept.filestore.security
import gocept.filestore.server.declaration
import os
import sys
import zope.component
import zope.component.zcml
import zope.configuration.exceptions
import zope.configuration.fields
import zope.interface
import zope.schema
import zope.schema.interfaces


LAST = 9999  # among the actions of ZCML
POLICY_WORDS = gocept.filestore.server.declaration.RETRY.keys()
POLICY = zope.schema.Object(gocept.filestore.interfaces.IRetryPolicy)


class Mode(zope.schema.Int):
    """Permission bits, written in octal as for chmod."""

    def fromUnicode(self, value):
        with contextlib.suppress(ValueError):
            if 0 <= (mode := int(value, 8)) <= 0o7777:
                return mode
        raise invalid(
            self, value, 'a mode is an octal number like 660, not %r' % value)


class Path(zope.configuration.fields.Path):
    """A path that leads somewhere; else it might be one in the package."""

    def fromUnicode(self, value):
        if not value.strip():
            raise invalid(self, value, 'a path is not empty')
        if '$' in os.path.expandvars(value):
            raise invalid(
                self, value, 'there is no such variable in the environment')
        return super().fromUnicode(value)


def invalid(field, value, reason):
    error = zope.schema.interfaces.InvalidValue(reason)
    return error.with_field_and_value(field, value)


class IStoreDirective(zope.interface.Interface):
    """Register a file store as an `IFileStore` utility."""

    name = zope.schema.TextLine(
        title='The name of the utility', required=False, default='')

    path = Path(
        title='The directory of the store',
        description='~ and $VARIABLES are expanded; a relative path starts at '
                    'the package of this configuration file.')

    durable = zope.configuration.fields.Bool(
        title='Whether published files survive a power cut',
        required=False, default=True)

    prepare = zope.configuration.fields.Bool(
        title='Whether the directories are made when the store is first used',
        description='Say no if the directory is a mount point, so that '
                    'nothing is written below it while it is not mounted.',
        required=False, default=True)

    file_mode = Mode(
        title='The exact mode of files, in octal',
        description='Without it the umask counts.',
        required=False)

    directory_mode = Mode(
        title='The exact mode of directories, in octal',
        description='Without it the umask counts.',
        required=False)

    retry_policy = zope.configuration.fields.GlobalObject(
        title='The policy for files that have failed',
        description='The dotted name of an object that provides IRetryPolicy. '
                    'Without it there are five attempts.',
        value_type=POLICY, required=False)

    quiet = zope.schema.Float(
        title='Seconds that a file in "new" must not have changed',
        description='For plain files that others write there.',
        min=0.0, required=False)

    in_doubt = zope.schema.Choice(
        title='What becomes of a transaction in doubt: "commit" or "abort"',
        description='Whose process has died between vote and commit. Without '
                    'it somebody decides, with "filestore settle".',
        values=('commit', 'abort'), required=False)

    permission = zope.component.zcml.Permission(
        title='The permission that untrusted code needs for the store',
        description='One for all verbs. It needs zope.security, which the '
                    'extra "security" installs.',
        required=False)


def store(_context, path, name='', durable=True, prepare=True,
          file_mode=None, directory_mode=None, retry_policy=None,
          quiet=None, in_doubt=None, permission=None):
    gocept.filestore.security.check(permission)
    if permission:
        _context.action(
            None, gocept.filestore.security.open_up,
            args=(gocept.filestore.filestore.RETURNED,))
    zope.component.zcml.utility(
        _context,
        provides=gocept.filestore.interfaces.IFileStore,
        component=gocept.filestore.filestore.FileStore(
            path, durable, file_mode, directory_mode, prepare, retry_policy,
            quiet, in_doubt),
        permission=permission, name=name)


class ITaking(zope.interface.Interface):
    """Which files are taken, and how often somebody looks for them."""

    include = zope.configuration.fields.Tokens(
        title='Patterns for the names of the files that it takes',
        value_type=zope.schema.TextLine(), required=False, default=['*'])

    exclude = zope.configuration.fields.Tokens(
        title='Patterns for names that it leaves',
        value_type=zope.schema.TextLine(), required=False, default=[])

    poll = zope.schema.Float(
        title='Seconds between two looks if no notification comes',
        required=False, default=float(gocept.filestore.interfaces.POLL))


class IConsumerDirective(ITaking):
    """Declare a consumer, for ``filestore serve`` or `declaration.work`."""

    store = zope.schema.TextLine(title='The name of the store')

    name = zope.schema.TextLine(
        title='A name, if the store has several consumers',
        required=False, default='')

    handler = zope.configuration.fields.GlobalObject(
        title='What works on the files',
        description='The dotted name of a callable that gets a claim.',
        required=False)

    utility = zope.schema.TextLine(
        title='Instead of it, the name of an `IHandler` utility',
        required=False)

    workers = zope.schema.Int(
        title='How many processes run it', min=1, required=False)

    renew_after = zope.schema.Int(
        title='After how many files a new process takes its place',
        min=1, required=False)

    renew_above = zope.schema.Int(
        title='Above how many megabytes of memory, after a file', min=1,
        required=False)

    order = zope.schema.Choice(
        title='Which file comes next: by "age", "name" or "directory"',
        values=gocept.filestore.interfaces.ORDERS,
        required=False, default='age')

    retry_policy = zope.configuration.fields.GlobalObject(
        title='The policy for files that have failed',
        description='Without it that of the store counts.',
        value_type=POLICY, required=False)

    attempts = zope.schema.Int(
        title='Instead of a policy: how often a file is tried',
        min=1, required=False)

    delay = zope.schema.Float(
        title='Seconds until the second attempt', min=0.0, required=False)

    max_delay = zope.schema.Float(
        title='Seconds between two attempts, at most', min=0.0,
        required=False)

    quiet = zope.schema.Float(
        title='Seconds that a file in "new" must not have changed',
        description='Without it what the store says counts.',
        min=0.0, required=False)

    keep = zope.configuration.fields.Bool(
        title='Whether done files are kept in "cur"',
        required=False, default=True)

    transactional = zope.configuration.fields.Bool(
        title='Whether the handler and its file are one transaction',
        description='Of transaction.manager, which ZODB joins by itself.',
        required=False, default=False)

    rate = zope.schema.Float(
        title='Files per second, at most, in each process', required=False)

    timeout = zope.schema.Float(title='Seconds for one file', required=False)


def consumer(_context, store, name='', handler=None, utility=None, **options):
    if (handler is None) == (utility is None):
        raise zope.configuration.exceptions.ConfigurationError(
            'a consumer has either a handler or a utility')
    if options.get('retry_policy') and not POLICY_WORDS.isdisjoint(options):
        raise zope.configuration.exceptions.ConfigurationError(
            'a consumer has either a retry_policy, or attempts and delays')
    if isinstance(handler, type) or not (handler is None or callable(handler)):
        raise zope.configuration.exceptions.ConfigurationError(
            'a handler is a function or another callable object, not %r'
            % (handler,))
    declaration = gocept.filestore.server.declaration.Declaration(
        store, name, handler, utility, place=repr(_context.info), **options)
    declare(_context, declaration)


def declare(_context, declaration):
    _context.action(
        discriminator=('filestore', declaration.title),
        callable=zope.component.zcml.handler,
        args=('registerUtility', declaration,
              gocept.filestore.interfaces.IDeclaration, declaration.title,
              _context.info))


class IIntakeDirective(ITaking):
    """Declare an intake, for ``filestore serve`` or `declaration.work`."""

    store = zope.schema.TextLine(title='The name of the store')

    directory = Path(
        title='The folder that others drop files into',
        description='~ and $VARIABLES are expanded; a relative path starts at '
                    'the package of this configuration file.')

    quiet = zope.schema.Float(
        title='Seconds that a file must not have changed',
        description='Without it, and without a marker, there are five.',
        min=0.0, required=False)

    marker = zope.schema.TextLine(
        title='Instead of it, the suffix of a second file, like ".done"',
        description='A file is taken when its marker is there.',
        required=False)


def intake(_context, store, directory, **options):
    if {'quiet', 'marker'} <= set(options):
        raise zope.configuration.exceptions.ConfigurationError(
            'an intake has either a marker or a quiet period')
    declare(_context, gocept.filestore.server.declaration.Intake(
        store, directory, place='%r: intake' % _context.info, **options))


class IProductConfigDirective(zope.interface.Interface):
    """Register the stores of Zope's configuration, in ``configure.zcml``."""


def product_config(_context):
    # After the stores of ZCML: who deploys an application has the last word.
    _context.action(None, register, order=LAST)


def default():
    """Return the store of who configures none; it prepares itself."""
    path = os.environ.get('GOCEPT_FILESTORE') or os.path.join(
        'var', 'filestore')
    return gocept.filestore.filestore.FileStore(
        os.path.abspath(path), prepare=True)


NAME = 'gocept.filestore'


def register():
    """Register them, in place of stores of the same name from ZCML."""
    for name, path in sorted(configured().items()):
        zope.component.provideUtility(
            gocept.filestore.filestore.FileStore(
                absolute(name, path), prepare=True),
            gocept.filestore.interfaces.IFileStore, name)


def configured():
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
