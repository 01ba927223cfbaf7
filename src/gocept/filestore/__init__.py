import importlib


__all__ = ['FileStore']


def __getattr__(name):
    """Import the public names when they are used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(
            'module %r has no attribute %r' % (__name__, name))
    return getattr(importlib.import_module(__name__ + '.filestore'), name)
