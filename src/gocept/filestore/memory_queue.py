import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.memory_claim
import gocept.filestore.memory_watch
import gocept.filestore.selection
import zope.interface


ORDERS = ('age', 'directory', 'name')


@zope.interface.implementer(gocept.filestore.interfaces.ISelection)
class Queue:
    """Files of a store in memory, in the order in which they are claimed."""

    def __init__(self, spaces, attempts, intents,
                 selection=gocept.filestore.selection.EVERYTHING,
                 order='age'):
        if order not in ORDERS:
            raise ValueError('the order of files is one of %s, not %r' % (
                ', '.join(ORDERS), order))
        self._spaces = spaces
        self._attempts = attempts
        self._intents = intents
        self._selection = selection
        self._order = order

    def claim(self):
        refused = self._intents.settle()
        events = []
        with self._spaces.lock:
            claim = self._take_over(events) or self._take(events)
        try:
            for kind, *facts in events:
                gocept.filestore.event.notify(kind, *facts)
        except BaseException:
            if claim is not None:
                claim.release()
            raise
        if claim is None and refused:
            raise refused[0]
        return claim

    def claims(self):
        return iter(self.claim, None)  # which survives an error

    def watch(self, poll=1):
        return gocept.filestore.memory_watch.Watch(
            self.claim, self._spaces, poll)

    def _found(self, space, order='age'):
        found = [(filename, file) for filename, file in self._spaces.by_age(
            space) if self._selection.has(filename)]
        return found if order == 'age' else sorted(found)

    def _take_over(self, events):
        """Claim a file of `work` that is due, or was left, or return None.
        """
        for filename, file in self._found('work'):
            if file.is_held:
                continue
            history = self._attempts.history(filename, file.st_ino)
            if history.is_waiting and history.due > self._spaces.now():
                continue
            number = self._attempts.resume(filename, file.st_ino, history)
            if number is not None:
                return self._begin(
                    gocept.filestore.event.TakenOver, filename, number,
                    events)
            self._give_up(filename, file.st_ino, events)

    def _give_up(self, filename, inode, events):
        gocept.filestore.memory_claim.give_up(self._spaces, filename)
        history = self._attempts.history(filename, inode)
        events.append((
            gocept.filestore.event.GivenUp, filename, self._spaces.path,
            history.attempts, history.error))

    def _take(self, events):
        """Claim a file of `new`, or return None."""
        for filename, file in self._found('new', self._order):
            if filename not in self._spaces['work']:
                number = self._attempts.begin(filename, file)
                self._spaces.move(filename, 'new', 'work')
                return self._begin(
                    gocept.filestore.event.Claimed, filename, number, events)

    def _begin(self, kind, filename, number, events):
        events.append((kind, filename, self._spaces.path, number))
        return gocept.filestore.memory_claim.Claim(
            self._spaces, self._attempts, filename, number)
