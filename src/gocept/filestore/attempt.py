import gocept.filestore.history
import gocept.filestore.journal
import gocept.filestore.name
import gocept.filestore.process
import gocept.filestore.retry
import time
import traceback


DIED = 'the process that worked on it has died'


class Attempts:
    """What went wrong with the files of a store, and what follows from it.

    A file in `failed` and a newer one of its name have one attempts file.
    The inode tells their events apart; no move changes it.
    """

    def __init__(self, layout, drafts, policy, now=time.time):
        self._journal = gocept.filestore.journal.Journal(layout, drafts)
        self._policy = policy
        self._now = now

    def history(self, filename, inode):
        """Return the `History` of a file."""
        return gocept.filestore.history.History(
            event for event in self._journal.read(filename)
            if event['inode'] == inode)

    def name_of(self, filename, inode):
        """Return the name that a file had before it got a number.

        That is the one under which its events are written down.
        """
        for name in self._former_names(filename):
            if any(event['inode'] == inode
                   for event in self._journal.read(name)):
                return name
        return filename

    def _former_names(self, filename):
        original = gocept.filestore.name.original(filename)
        yield filename
        if original != filename:
            yield original
            yield from gocept.filestore.name.cut_short(
                filename, self._journal.names())

    def begin(self, filename, status):
        """Return the number of the attempt that begins with a file of `new`.

        One that has failed was put back by hand. One that was written after
        all that is written down has the inode of an older one.
        """
        inode = status.st_ino
        history = self.history(filename, inode)
        if history.is_older_than(status.st_mtime):
            self.forget(filename, inode)
            return 1
        if history.is_waiting or history.is_given_up:
            self.put_back(filename, inode)
            return 1
        return history.attempts + 1

    def resume(self, filename, inode, history):
        """Write down that a file found in `work` is taken over.

        Return the number of the attempt that begins, or None to give up. If
        it neither waits nor was given back, then its process has died.
        """
        if history.is_given_up:
            return None
        number = history.attempts + 1
        if not history.is_running:
            self._add(filename, inode, 'resumed')
            return number
        is_last = self._policy.delay(number, None) is None
        self._add(filename, inode, 'died', DIED,
                  due=None if is_last else self._now())
        return None if is_last else number + 1

    def fail(self, filename, inode, attempt, error):
        """Write down how an attempt has failed; tell if it was the last."""
        due = gocept.filestore.retry.due(
            self._policy, attempt, error, self._now())
        self._add(filename, inode, 'failed', error, due=due)
        return due is None

    def release(self, filename, inode):
        """Write down that a file was given back, although it is in `work`."""
        self._add(filename, inode, 'released')

    def restart(self, filename, inode):
        """Let the attempts begin anew, unless `begin` will see to that."""
        history = self.history(filename, inode)
        if history.attempts and not history.is_given_up:
            self.put_back(filename, inode)

    def put_back(self, filename, inode):
        """Write down that somebody wants a file to be tried again."""
        self._add(filename, inode, 'retried')

    def forget(self, filename, inode):
        """Drop the events of a file that is done."""
        self._journal.drop(filename, inode)

    def _add(self, filename, inode, event, error=None, **facts):
        if facts.get('due') is not None:
            facts['due'] = gocept.filestore.history.written(facts['due'])
        self._journal.append(filename, {
            'event': event,
            'time': gocept.filestore.history.written(self._now()),
            **facts,
            'host': gocept.filestore.name.HOST,
            'process': gocept.filestore.process.number,
            'inode': inode,
            **described(error)})


def described(error):
    if not isinstance(error, BaseException):
        return {} if error is None else {'error': str(error)}
    found = traceback.TracebackException.from_exception(error)
    return {
        'error': '%s: %s' % (type(error).__name__, found),
        'traceback': ''.join(found.format())}
