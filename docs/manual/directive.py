"""Writes what ZCML may say, from the schemas of meta.zcml."""
import gocept.filestore
import manual.definition
import zope.configuration.docutils
import zope.configuration.xmlconfig
import zope.schema


NAMESPACE = 'http://namespaces.gocept.com/filestore'


def directives():
    context = zope.configuration.xmlconfig.file(
        'meta.zcml', gocept.filestore, execute=False)
    namespaces, _ = zope.configuration.docutils.makeDocStructures(context)
    for name, (schema, *_) in namespaces[NAMESPACE].items():
        yield from section('filestore:' + name, schema)


def section(directive, schema):
    yield from [directive, '-' * len(directive), '']
    yield from [f'.. index:: single: {directive}; in ZCML', '']
    yield from [schema.__doc__, '']
    for name, field in sorted(
            zope.schema.getFieldsInOrder(schema),
            key=lambda item: not item[1].required):
        yield from manual.definition.definition(
            name, 'of ' + directive, [sentence(field)], ', ' + kind(field))


def kind(field):
    """Return of what type it is, and what it is if nothing is said."""
    words = type(field).__name__
    if field.required:
        return words + ', required'
    if field.default in (None, '', []):
        return words
    return f'{words}, default ``{shown(field.default)}``'


def shown(value):
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    return ' '.join(value) if isinstance(value, list) else value


def sentence(field):
    words = [field.title.rstrip('.') + '.', field.description]
    return ' '.join(' '.join(filter(None, words)).split())
