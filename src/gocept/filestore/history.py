import datetime


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
        """When it is to be tried again, in seconds since the epoch, or None.
        """
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
