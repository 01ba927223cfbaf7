"""What went wrong with a file, and what follows from it."""
import datetime
import gocept.filestore.disk.name
import gocept.filestore.disk.process
import gocept.filestore.retry.journal
import gocept.filestore.retry.policy
import traceback


COUNTED = ('failed', 'died')
LATEST = datetime.datetime.max.replace(
    microsecond=0, tzinfo=datetime.UTC).timestamp()


class History:
    """What happened to a file since it was published, or put back."""

    def __init__(self, events):
        self._events = []
        for event in events:
            self._events.append(event)
            if event['event'] == 'retried':
                self._events.clear()
        self._last = self._events[-1] if self._events else {'event': None}

    @property
    def attempts(self):
        """The number of attempts that have come to a bad end."""
        return sum(event['event'] in COUNTED for event in self._events)

    @property
    def error(self):
        """What the last attempt has failed with, or None."""
        errors = [event.get('error') for event in self._events
                  if event['event'] in COUNTED]
        return errors[-1] if errors else None

    @property
    def is_running(self):
        """Tell whether an attempt has begun and has no end.

        Nothing is written down when the first one begins. So this is true of
        a file that has lost its process, when nobody has it locked.
        """
        return self._last['event'] not in ('failed', 'released')

    def is_older_than(self, time):
        """Tell whether all of it happened before then."""
        # 0 if that was changed by hand, and can not be told.
        return 0 < timestamp(self._last.get('time')) < time

    @property
    def is_given_up(self):
        return self._last['event'] in COUNTED and self.due is None

    @property
    def is_waiting(self):
        return self._last['event'] == 'failed' and self.due is not None

    @property
    def due(self):
        """When to try it again, in seconds since the epoch, or None."""
        due = self._last.get('due')
        return None if due is None else timestamp(due)


def written(time):
    """Return a time in seconds since the epoch as it is written down."""
    return datetime.datetime.fromtimestamp(
        min(time, LATEST), datetime.UTC).isoformat()


def timestamp(written):
    try:
        return datetime.datetime.fromisoformat(written).timestamp()
    except (TypeError, ValueError):
        return 0  # changed by hand; a file is not to wait for ever


DIED = 'the process that worked on it has died'


class Attempts:
    """What went wrong with the files of a store, and what follows from it.

    A file in `failed` and a newer one of its name have one attempts file.
    The inode tells their events apart; no move changes it.
    """

    def __init__(self, layout, policy):
        self.layout = layout
        self._journal = gocept.filestore.retry.journal.Journal(layout)
        self._policy = policy

    def history(self, filename, inode):
        """Return the `History` of a file."""
        return History(
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
        original = gocept.filestore.disk.name.original(filename)
        yield filename
        if original != filename:
            yield original
            yield from gocept.filestore.disk.name.cut_short(
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
                  due=None if is_last else self.layout.clock())
        return None if is_last else number + 1

    def fail(self, filename, inode, attempt, error):
        """Write down how an attempt has failed; tell if it was the last."""
        moment = self.layout.clock()
        due = gocept.filestore.retry.policy.due(
            self._policy, attempt, error, moment)
        self._add(filename, inode, 'failed', error, moment, due=due)
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

    def _add(self, filename, inode, event, error=None, moment=None, **facts):
        if facts.get('due') is not None:
            facts['due'] = written(facts['due'])
        self._journal.append(filename, {
            'event': event,
            'time': written(
                self.layout.clock() if moment is None else moment),
            **facts,
            'host': gocept.filestore.disk.name.HOST,
            'process': gocept.filestore.disk.process.number,
            'inode': inode,
            **described(error)})


def described(error):
    if not isinstance(error, BaseException):
        return {} if error is None else {'error': str(error)}
    found = traceback.TracebackException.from_exception(error)
    return {
        'error': '%s: %s' % (type(error).__name__, found),
        'traceback': ''.join(found.format())}
