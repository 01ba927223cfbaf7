"""Some of the files of a store, as its users see them."""
import functools
import gocept.filestore.disk.process
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import gocept.filestore.queue.claim
import gocept.filestore.queue.watch
import gocept.filestore.retry.policy
import logging
import os
import zope.event


logger = gocept.filestore.queue.claim.logger


@gocept.filestore.interfaces.described(gocept.filestore.interfaces.IQueue)
class Claiming:
    """Claims the files of one queue, and carries on with batches."""

    def __init__(self, layout, settlement, queue):
        self._layout = layout
        self._settlement = settlement
        self._queue = queue
        self._pauses = gocept.filestore.queue.watch.Pauses()
        self._pauses.now = layout.now

    def claim(self, pauses=None):
        if pauses is None:
            pauses = gocept.filestore.retry.policy.Pauses()
        try:
            if self._layout.now() >= self._settlement.look_at:
                self._settlement.look(pauses)
            claim = self._queue.claim(pauses)
            if claim is None and self._settlement.settle(pauses):
                claim = self._queue.claim(pauses)
        except OSError as error:
            gocept.filestore.disk.space.tell_path(
                error, os.path.join(self._layout.path, 'new'))
            raise
        if pauses.errors:
            pauses.tell(claim)
        if claim is not None:
            claim.pauses = pauses
            if zope.event.subscribers or logger.isEnabledFor(logging.DEBUG):
                claim.tell()
        return claim

    def claims(self):
        pauses = gocept.filestore.retry.policy.Pauses()
        pauses.now = self._layout.now
        # This survives an error.
        return iter(functools.partial(self.claim, pauses), None)

    def watch(self, poll=gocept.filestore.interfaces.POLL):
        return gocept.filestore.queue.watch.Watch(
            functools.partial(self.claim, self._pauses), self._layout, poll)


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.ISelection)
class Selection(Claiming, gocept.filestore.disk.process.Ours):
    """The files that somebody has selected, and their store."""

    def __init__(self, store, *how):
        super().__init__(*how)
        self.store = store
