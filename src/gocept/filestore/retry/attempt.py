"""What went wrong with a file, and what follows from it."""
import datetime
import gocept.filestore.disk.file_system
import gocept.filestore.disk.name
import gocept.filestore.retry.journal
import gocept.filestore.retry.policy
import math
import os
import traceback


COUNTED = ('failed', 'died')
LONGEST = 10_000  # characters that are kept of a reason, or of a traceback
LATEST = datetime.datetime.max.replace(
    microsecond=0, tzinfo=datetime.UTC).timestamp()
TOLD = 'event', 'time', 'host', 'process', 'error', 'traceback', 'due'
AHEAD = 10  # seconds that the clock of another host may be, and more is wrong


class History:
    """What happened to a file since it was published, or put back."""

    def __init__(self, events, now=math.inf):
        self._now = now
        self.events = list(events)
        self._events = []
        for event in self.events:
            self._events.append(event)
            if event['event'] == 'retried':
                self._events.clear()
        self._last = self._events[-1] if self._events else {'event': None}

    @property
    def attempts(self):
        """The number of attempts that have come to a bad end."""
        return sum(event['event'] in COUNTED for event in self._events)

    def told(self):
        """Yield all events, of before it was put back as well.

        Each has the number of the attempt that it is about.
        """
        number = 1
        for event in self.events:
            yield {'attempt': number,
                   **{fact: event.get(fact) for fact in TOLD}}
            if event['event'] in COUNTED:
                number += 1
            elif event['event'] == 'retried':
                number = 1

    def metadata(self, status):
        """Return what has come with a file; {} if it is not the same.

        A newer one may have its inode, and come with its time. So it is never
        changed: who works on a file, or has it in `new`, may only read it.
        """
        found = [event for event in self.events if 'metadata' in event]
        return found[-1]['metadata'] if found and (
            found[-1].get('size') == status.st_size
            and gocept.filestore.disk.file_system.is_kept(
                status.st_mtime_ns, found[-1]['changed'])) else {}

    @property
    def error(self):
        """What the last attempt has failed with, or None."""
        errors = [event.get('error') for event in self._events
                  if event['event'] in COUNTED]
        error = errors[-1] if errors else None
        return None if error is None else bounded(str(error))

    @property
    def is_running(self):
        """Tell whether an attempt has begun and has no end.

        Nothing is written down when the first one begins. So this is true of
        a file that has lost its process, when nobody has it locked.
        """
        return self._last['event'] not in ('failed', 'released')

    def is_of_older(self, status):
        """Tell whether all of it happened to one that had the same inode.

        This one was written later, and is not the same as then.
        """
        # 0 if that was changed by hand, and can not be told.
        return self._last.get('changed') != status.st_mtime_ns and (
            0 < timestamp(self._last.get('time')) < status.st_mtime)

    @property
    def is_given_up(self):
        return self._last['event'] in COUNTED and self.due is None

    @property
    def is_waiting(self):
        return self._last['event'] == 'failed' and self.due is not None

    @property
    def due(self):
        """When to try it again, in seconds since the epoch, or None.

        What is said to have happened in the future was written when a clock
        was wrong, and so nobody knows how much of the delay is over.
        """
        due = self._last.get('due')
        if due is None:
            return None
        is_wrong = timestamp(self._last.get('time')) > self._now + AHEAD
        return 0 if is_wrong else timestamp(due)


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
            [event for event in self._journal.read(filename)
             if event['inode'] == inode], self.layout.clock())

    def name_of(self, filename, inode):
        """Return the name under which the events of a file are written."""
        name, _ = self.found(filename, inode)
        return name

    def found(self, filename, inode):
        """Return that name, and the `History` of the file."""
        for name in self._former_names(filename):
            history = self.history(name, inode)
            if history.events:
                return name, history
        return filename, History(())

    def _former_names(self, filename):
        original = gocept.filestore.disk.name.original(filename)
        yield filename
        if original != filename:
            yield original
            yield from gocept.filestore.disk.name.cut_short(
                filename, self._journal.names())

    def announce(self, filename, draft, status, metadata):
        """Write down what comes with a draft, before it has this name."""
        self._journal.announce(filename, self._event(
            status.st_ino, 'published', metadata=metadata, draft=draft,
            changed=status.st_mtime_ns, size=status.st_size))

    def metadata(self, filename, status):
        """Return what has come with a file."""
        _, history = self.found(filename, status.st_ino)
        return history.metadata(status)

    def begin(self, filename, status):
        """Return the number of the attempt that begins with a file of `new`.

        One that has failed was put back by hand.
        """
        inode = status.st_ino
        history = self.history(filename, inode)
        if history.is_of_older(status):
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
        """Write down how an attempt has failed.

        Return when the next one is due, or None if it was the last.
        """
        now = self.layout.clock()
        due = gocept.filestore.retry.policy.due(
            self._policy, attempt, error, now)
        self._add(filename, inode, 'failed', error, due=due, time=written(now))
        return due

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
        """Drop the events of a file that goes."""
        self._journal.drop(filename, inode)

    def settle(self, filename, inode, is_there=False):
        """Drop the events of a file; keep its metadata while it is there."""
        self._journal.settle(filename, inode, is_there)

    def sweep(self, filename):
        """Drop what has come with files of a name that have gone."""
        self.settle(filename, None)

    def _add(self, filename, inode, event, error=None, **facts):
        if facts.get('due') is not None:
            facts['due'] = written(facts['due'])
        self._journal.append(
            filename, self._event(inode, event, error, **facts))

    def _event(self, inode, event, error=None, **facts):
        return {
            'event': event,
            'time': written(self.layout.clock()),
            **facts,
            'host': gocept.filestore.disk.name.HOST,
            'process': os.getpid(),
            'inode': inode,
            **described(error)}


def described(error, frames=None):
    """Return what is written down of an error, within bounds.

    Of its traceback there are all frames, or so many.
    """
    if not isinstance(error, BaseException):
        return {} if error is None else {'error': bounded(str(error))}
    try:
        found = traceback.TracebackException.from_exception(
            error, limit=frames)
    except Exception:  # of a class of theirs, when it is looked at
        return {'error': type(error).__name__}
    return {
        'error': bounded('%s: %s' % (type(error).__name__, found)),
        'traceback': bounded(''.join(found.format()))}


def log(logger, level, claim, outcome, seconds, then='', error=None):
    """Log how an attempt went, with the traceback of an error.

    Of one without end a part is logged.
    """
    if not logger.isEnabledFor(level):
        return
    words = described(error).get('traceback', '')
    is_long = len(words) > LONGEST
    logger.log(level, '%s: attempt %s %s after %.3f seconds%s', claim.path,
               claim.attempt, outcome, seconds,
               then + ('\n' + words if is_long else ''),
               exc_info=error if words and not is_long else None,
               extra={'store': os.path.dirname(os.path.dirname(claim.path)),
                      'file': claim.filename, 'attempt': claim.attempt,
                      'seconds': seconds})


def reason(error):
    """Return a line that tells an error."""
    return bounded(
        ' '.join(described(error, frames=0)['error'].splitlines()), 1000)


def bounded(text, longest=LONGEST):
    """Return a text; of a long one how it begins and ends, and say so."""
    left_out = len(text) - longest
    if left_out <= 0:
        return text
    return '%s... %s characters left out ...%s' % (
        text[:longest // 2], left_out, text[-longest // 2:])
