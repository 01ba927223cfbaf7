"""Hands files from one process to another: whole, each to one worker."""
import importlib


PLACES = {
    'FileStore': '.filestore',
    'Reject': '.interfaces',
    'Retry': '.interfaces',
    'RetryPolicy': '.retry.policy'}
__all__ = sorted(PLACES)


def __dir__():
    """Return the public names as well, for who has a shell complete them."""
    return sorted({*globals(), *PLACES})


def __getattr__(name):
    """Import the public names when they are used (PEP 562)."""
    if name not in PLACES:
        raise AttributeError(
            'module %r has no attribute %r' % (__name__, name))
    try:
        return getattr(importlib.import_module(__name__ + PLACES[name]), name)
    except AttributeError as error:
        # Python would only say that the name can not be imported.
        raise ImportError(
            '%s can not be used here: %s' % (__name__, error)) from error
