import gocept.filestore.filestore
import gocept.filestore.interfaces
import os
import zope.component.zcml
import zope.configuration.fields
import zope.interface
import zope.schema
import zope.schema.interfaces


class Mode(zope.schema.Int):
    """Permission bits, written in octal as for chmod."""

    def fromUnicode(self, value):
        try:
            mode = int(value, 8)
        except ValueError:
            mode = None
        if mode is None or not 0 <= mode <= 0o7777:
            error = zope.schema.interfaces.InvalidValue(
                'a mode is an octal number like 660, not %r' % value)
            raise error.with_field_and_value(self, value)
        return mode


class Path(zope.configuration.fields.Path):
    """A path that leads somewhere; else it might be one in the package."""

    def fromUnicode(self, value):
        if not value.strip():
            raise self._error(value, 'a path is not empty')
        if '$' in os.path.expandvars(value):
            raise self._error(
                value, 'there is no such variable in the environment')
        return super().fromUnicode(value)

    def _error(self, value, reason):
        error = zope.schema.interfaces.InvalidValue(reason)
        return error.with_field_and_value(self, value)


class IStoreDirective(zope.interface.Interface):
    """Register a file store as an `IFileStore` utility."""

    name = zope.schema.TextLine(
        title='The name of the utility',
        required=False,
        default='')

    path = Path(
        title='The directory of the store',
        description='~ and $VARIABLES are expanded; a relative path starts at '
                    'the package of this configuration file.')

    durable = zope.configuration.fields.Bool(
        title='Whether published files survive a power cut',
        required=False,
        default=True)

    prepare = zope.configuration.fields.Bool(
        title='Whether the directories are made when the store is first used',
        description='Say no if the directory is a mount point, so that '
                    'nothing is written below it while it is not mounted.',
        required=False,
        default=True)

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
        value_type=zope.schema.Object(
            gocept.filestore.interfaces.IRetryPolicy),
        required=False)

    quiet = zope.schema.Float(
        title='Seconds that a file in "new" must not have changed',
        description='For plain files that others write there.',
        min=0.0,
        required=False)

    in_doubt = zope.schema.Choice(
        title='What becomes of a transaction in doubt: "commit" or "abort"',
        description='Whose process has died between vote and commit. Without '
                    'it somebody decides, with "filestore settle".',
        values=('commit', 'abort'),
        required=False)


def store(_context, path, name='', durable=True, prepare=True,
          file_mode=None, directory_mode=None, retry_policy=None,
          quiet=None, in_doubt=None):
    zope.component.zcml.utility(
        _context,
        provides=gocept.filestore.interfaces.IFileStore,
        component=gocept.filestore.filestore.FileStore(
            path, durable, file_mode, directory_mode, prepare, retry_policy,
            quiet, in_doubt),
        name=name)


def default():
    """Return the store that is there without being configured.

    It makes its directories when it is first used.
    """
    path = os.environ.get('GOCEPT_FILESTORE') or os.path.join(
        'var', 'filestore')
    return gocept.filestore.filestore.FileStore(
        os.path.abspath(path), prepare=True)
