"""What is done with the permission of a store, if zope.security is there."""
import zope.configuration.exceptions


try:
    import zope.security.checker
    IS_THERE = True
except ImportError:  # without the extra
    IS_THERE = False

CLAIMS = type(iter(list, None))  # what `claims` returns


def check(permission):
    """Raise an error if nobody can check it."""
    if permission and not IS_THERE:
        raise zope.configuration.exceptions.ConfigurationError(
            'a permission needs zope.security: '
            "pip install 'gocept.filestore[security]'")


def open_up(returned):
    """Let those use what a store returns who may use the store."""
    checkers = dict.fromkeys(returned, zope.security.checker.NoProxy)
    checkers[CLAIMS] = zope.security.checker.NamesChecker(
        ['__iter__', '__next__'])
    for class_, checker in checkers.items():
        if zope.security.checker.getCheckerForInstancesOf(class_) is None:
            zope.security.checker.defineChecker(class_, checker)
