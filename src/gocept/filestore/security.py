"""What is done with the permission of a store, if zope.security is there."""


try:
    import zope.security.checker
except ImportError:  # without the extra
    zope = None

CLAIMS = type(iter(list, None))  # what `claims` returns


def known(permission):
    """Return the permission if somebody can check it, else None."""
    return zope and permission


def open_up(returned):
    """Let those use what a store returns who may use the store."""
    checkers = dict.fromkeys(returned, zope.security.checker.NoProxy)
    checkers[CLAIMS] = zope.security.checker.NamesChecker(
        ['__iter__', '__next__'])
    for class_, checker in checkers.items():
        if zope.security.checker.getCheckerForInstancesOf(class_) is None:
            zope.security.checker.defineChecker(class_, checker)
