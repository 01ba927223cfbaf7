"""Some of the files of a store, as its users see them."""
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import gocept.filestore.queue.watch
import os


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.ISelection)
class Selection:
    """The files of one queue, and of batches that are carried on."""

    def __init__(self, store, layout, settlement, queue):
        self.store = store
        self._layout = layout
        self._settlement = settlement
        self._queue = queue
        self._new = gocept.filestore.disk.space.Naming(
            os.path.join(layout.path, 'new'))

    def claim(self):
        refused = []
        with self._new:
            self._settlement.look(refused)
            claim = self._queue.claim()
            if claim is None and self._settlement.settle(refused):
                claim = self._queue.claim()
        if claim is None and refused:
            raise refused[0]
        return claim and claim.told()

    def claims(self):
        return iter(self.claim, None)  # which survives an error

    def watch(self, poll=gocept.filestore.interfaces.POLL):
        return gocept.filestore.queue.watch.Watch(
            self.claim, self._layout, poll)
