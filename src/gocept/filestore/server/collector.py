"""The loop of an intake: looks into a folder, once or again and again.

Logged with the path of the folder or of the file:

- warning: why a file is not taken in, once; that the folder can be read again
- error: why the folder can not be read, once
"""
import gocept.filestore.disk.process
import gocept.filestore.disk.space
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import logging
import math
import time


described = gocept.filestore.disk.space.described
logger = logging.getLogger(__name__)
NO_LEASES = ('it can not be told here whether a process has a file open for '
             'writing: only the quiet period shows which ones are whole')


@gocept.filestore.interfaces.implementer(
    gocept.filestore.interfaces.ICollector)
class Collector:
    """Lets an intake take files, once or again and again."""

    def __init__(self, intake, quiet=0, watch=False,
                 poll=gocept.filestore.interfaces.POLL):
        if not 0 < poll < math.inf:
            raise ValueError(
                'the time between two looks is a number of seconds above 0, '
                'not %r' % (poll,))
        self.taken = 0
        self.refused = 0
        self._intake = intake
        self._quiet = quiet
        self._watch = watch
        self._poll = poll
        self._told = {}
        self._errors = 0  # of looks, one after the other
        self._has_told_of_leases = False
        self._bell = gocept.filestore.disk.process.Bell()

    def stop(self, *args):
        self._bell.ring(*args)

    def run(self):
        if self._watch:
            self._intake.watch()
        with self._bell.rung_by_signals():
            self._look_again()
            self._end = time.monotonic() + self._quiet
            while (pause := self._pause()) and not self._rest(pause):
                self._look_again()

    def _rest(self, seconds):
        """Wait, and tell whether to end; a change of the folder wakes."""
        changes = not self._errors and self._intake.changes
        if not changes:
            return self._bell.wait(seconds)
        return (self._bell.wait(min(seconds, self._poll))
                or self._bell.wait(seconds - self._poll, [changes]))

    def _look_again(self):
        """Look; who stays outlives a share, for example, that is away."""
        try:
            self._look()
        except OSError as error:
            if not self._watch:
                raise
            if not self._errors:
                self._log(logging.ERROR, 'can not look: ' + described(error))
            self._errors += 1
        else:
            if self._errors:
                self._log(logging.WARNING, 'can look again: %r' % str(
                    self._intake.directory))
            self._errors = 0

    def _pause(self):
        """Return the seconds until the next look, 0 if there is none."""
        if self._errors:
            return gocept.filestore.retry.policy.BACK_OFF.delay(
                self._errors, None)
        if self._watch:
            return max(self._poll, self._intake.pause)
        if not self._intake.waiting:
            return 0
        return max(0, min(self._poll, self._end - time.monotonic()))

    def _look(self):
        self.taken += len(self._intake.take())
        self._tell_refused()
        if self._intake.leases is False and not self._has_told_of_leases:
            self._has_told_of_leases = True
            self._log(logging.WARNING, NO_LEASES)
            # A second period has just begun.
            self._end = time.monotonic() + self._quiet

    def _tell_refused(self):
        told, self._told = self._told, {
            filename: described(error, filename)
            for filename, error in self._intake.refused.items()}
        for filename, reason in self._told.items():
            if told.get(filename) != reason:
                self.refused += 1
                self._log(logging.WARNING, reason, file=filename)

    def _log(self, level, message, **facts):
        logger.log(level, '%s', message,
                   extra={'store': self._intake.store, **facts})
