"""Writes what the file of the server may say, from its schema."""
import gocept.filestore.interfaces
import gocept.filestore.server.deployment
import manual.definition
import ZConfig


HANDLER = 'zconfig.logger.handler'
ELSEWHERE = {'win32-eventlog'}  # not on Linux


def configuration():
    schema = ZConfig.loadSchema(gocept.filestore.server.deployment.SCHEMA)
    yield from keys(schema)
    yield from section('<eventlog>', schema.gettype('eventlog'))
    handlers = handlers_of(schema)
    common = set.intersection(*map(descriptions, handlers.values()))
    for name, kind in handlers.items():
        yield from section(f'<{name}>, in <eventlog>', kind, common)
    yield from heading('In each section of <eventlog>')
    yield from keys(kind, lambda item: said(item[1]) in common)


def handlers_of(schema):
    kind = schema.gettype(HANDLER)
    return {name: kind.getsubtype(name) for name in kind.getsubtypenames()
            if name not in ELSEWHERE}


def descriptions(kind):
    return {said(key) for _, key in kind}


def said(key):
    return key.name, key.description


def section(title, kind, common=()):
    """Yield the keys of a section that are not common, and an example."""
    yield from heading(title)
    yield from [*text(kind.description), '']
    if kind.example:
        lines = gocept.filestore.interfaces.dedented(kind.example)
        yield from ['.. code-block:: apacheconf', '']
        yield from ['    ' + line for line in lines.splitlines()]
        yield ''
    yield from keys(kind, lambda item: said(item[1]) not in common)


def heading(title):
    return [title, '-' * len(title), '']


def keys(kind, wanted=None):
    for name, key in filter(wanted, kind):
        yield from manual.definition.definition(
            name or section_of(key), 'in the configuration of the server',
            text(key.description), besides(key))


def section_of(key):
    name = key.sectiontype.name
    return '<handler>' if name == HANDLER else f'<{name}>'


def besides(key):
    """Return what is to be known of a key beside its name."""
    if key.minOccurs:
        return ', required'
    default = None if key.issection() else key.getdefault()
    return default.value and f', default ``{default.value}``' if (
        default) else ''


def text(description):
    return gocept.filestore.interfaces.dedented(
        description or '').splitlines()
