"""Tells whoever subscribes what happens to files."""
import gocept.filestore.interfaces
import zope.event


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.IPublished)
class Published:
    """A file can be seen in `new`."""

    def __init__(self, filename, store):
        self.filename = filename
        self.store = store


class Attempt:
    """What is told of an attempt."""

    def __init__(self, filename, store, attempt):
        self.filename = filename
        self.store = store
        self.attempt = attempt


@gocept.filestore.interfaces.implementer(gocept.filestore.interfaces.IClaimed)
class Claimed(Attempt):
    """A file was taken from `new`."""


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.ITakenOver)
class TakenOver(Claimed):
    """A file was taken that was in work already."""


@gocept.filestore.interfaces.implementer(gocept.filestore.interfaces.IFinished)
class Finished(Attempt):
    """The work with a file is done."""


@gocept.filestore.interfaces.implementer(gocept.filestore.interfaces.IFailed)
class Failed(Attempt):
    """An attempt was not successful."""

    def __init__(self, filename, store, attempt, error):
        super().__init__(filename, store, attempt)
        self.error = error


@gocept.filestore.interfaces.implementer(gocept.filestore.interfaces.IGivenUp)
class GivenUp(Failed):
    """The last attempt was not successful."""


def notify(kind, *facts):
    """Tell of an event, unless nobody wants to know."""
    if zope.event.subscribers:
        zope.event.notify(kind(*facts))
