import gocept.filestore.cli.terminal
import time


NO_LEASES = ('it can not be told here whether a process has a file open for '
             'writing: only the quiet period shows which ones are whole')


class Collector:
    """Lets an intake take files, once or again and again, and tells of it."""

    interval = 1  # seconds between two looks

    def __init__(self, intake, quiet, watch=False, now=time.monotonic,
                 sleep=time.sleep):
        self.taken = 0
        self.refused = 0
        self._intake = intake
        self._quiet = quiet
        self._watch = watch
        self._now = now
        self._sleep = sleep
        self._told = {}
        self._has_told_of_leases = False
        self._is_stopped = False

    def stop(self, *args):
        """End after this look, if there is one."""
        self._is_stopped = True

    def run(self):
        """Look until it is stopped; or, unless it watches, until all that was
        there has been taken or has had its quiet period.
        """
        self._look()
        self._end = self._now() + self._quiet
        while not self._is_stopped and (pause := self._pause()):
            self._sleep(pause)
            if not self._is_stopped:
                self._look()

    def _pause(self):
        """Return the seconds until the next look, 0 if there is none."""
        if self._watch:
            return self.interval
        if not self._intake.waiting:
            return 0
        return max(0, min(self.interval, self._end - self._now()))

    def _look(self):
        self.taken += len(self._intake.take())
        self._tell_refused()
        if self._intake.leases is False and not self._has_told_of_leases:
            self._has_told_of_leases = True
            gocept.filestore.cli.terminal.complain(NO_LEASES)
            # A second period has just begun.
            self._end = self._now() + self._quiet

    def _tell_refused(self):
        """Tell why files are refused, each reason once."""
        told, self._told = self._told, {
            filename: gocept.filestore.cli.terminal.described(error, filename)
            for filename, error in self._intake.refused.items()}
        for filename, reason in self._told.items():
            if told.get(filename) != reason:
                self.refused += 1
                gocept.filestore.cli.terminal.complain(reason)
