"""Takes over what lies in `work`: abandoned, or due to be tried again."""
import collections
import functools
import gocept.filestore.disk.layout
import gocept.filestore.disk.listing
import gocept.filestore.disk.lock
import gocept.filestore.disk.name
import gocept.filestore.disk.probe
import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.queue.claim
import gocept.filestore.retry.failed
import logging
import time


logger = logging.getLogger(__name__)


class Recovery:
    """Takes over what lies in `work`: abandoned, or due to be tried again."""

    share = 0.03  # of the time, at most, is spent with looking in vain
    longest = 5  # seconds; what has taken so long was a pause, and no work
    coarse = gocept.filestore.disk.listing.CachedListing.coarse

    def __init__(self, attempts, intents, guard=None,
                 is_wanted=gocept.filestore.disk.name.everything,
                 disk_clock=time.time):
        self._layout = attempts.layout
        self._attempts = attempts
        self._intents = intents
        self._guard = guard
        self._listing = gocept.filestore.disk.listing.CachedListing(
            functools.partial(read, is_wanted), disk_clock)
        self._disk_clock = disk_clock
        self._found = collections.deque()
        self._due = {}
        self._moment = 0  # of the last look
        self._waiting = None, 0  # a list, and when the first of it is due
        self.look_at = self._layout.now()  # not before, unless in vain

    def claim(self, take, pauses, most=None):
        """Claim a file, or return None.

        `take` claims one that turns out to lie in `new`. Of what was found
        in one look, so many files are looked into, and the others when it is
        time again.
        """
        begin, work = self._layout.now(), self._layout.get('work')
        if most is None:
            # Of our own: another thread may have listed `work` earlier.
            found = self._look(work)
        else:
            found = self._found = self._found or self._look(work)
        claim = first(
            following(found, most),
            lambda key: self._claim(work, key, take), pauses)
        if claim is None or not self._found:
            self._postpone(self._layout.now() - begin)
        return claim

    def _look(self, work):
        """Return a list of what is abandoned, or may be due.

        Each move sets the ctime, so a file that has been in `new` meanwhile
        is looked into again.
        """
        moment, known, found = self._layout.clock(), {}, []
        files = self._listing.files(work) if work else ()
        if moment < self._moment:  # the clock was wrong, or is
            self._due, self._waiting = {}, (None, 0)
        self._moment, (waiting, until) = moment, self._waiting
        if files is waiting and moment < until:
            return collections.deque()
        for key in files:
            due = self._due.get(key, 0)
            if due > moment:
                known[key] = due
            else:
                found.append(key)
        self._due = known
        if not found:
            self._waiting = files, min(known.values(), default=0)
        return collections.deque(sorted(found))

    def _postpone(self, duration):
        """Leave it for a while; sooner if there is more to look into."""
        interval = 0 if self._found else self._layout.interval
        self.look_at = self._layout.now() + min(
            max(interval, duration / self.share), self.longest)

    def _claim(self, work, key, take):
        """Claim a file unless it waits; to see that needs no lock."""
        arrival, filename, inode = key
        history = self._attempts.history(filename, inode)
        if self._waits(history):
            if work.is_local or self._disk_clock(
            ) - arrival / 1e9 > self.coarse:
                self._due[key] = history.due
            return None  # and otherwise a move to come may set the same ctime
        return self.take_over(work, filename, take)

    def _waits(self, history):
        return history.is_waiting and history.due > self._layout.clock()

    def take_over(self, work, filename, take, is_new=False):
        """Claim a file where it lies, in `work`, or return None.

        The lookup may come from a cache which shows a file that another host
        has just finished; the listing does not.
        """
        held = gocept.filestore.disk.lock.hold(work, filename)
        if held is None:
            return None
        try:
            if not self._is_left(work, filename, held):
                return held.release()
            if held.status.st_nlink > 1 and self._is_elsewhere(filename, held):
                return self._undo(work, filename, held, take)
            return self._begin(work, filename, held, is_new) or (
                self._follow(work, filename, held, take))
        except BaseException:
            held.release()  # the error refers to it, and may live long
            raise

    def _is_left(self, work, filename, held):
        """Tell whether a file is there, and nobody has to do with it.

        Its process had its lock when it wrote down an intent, so now that it
        is ours we can see that.
        """
        inode = held.status.st_ino
        return (work.inode(filename) == inode
                and not self._intents.has_claim(filename, inode)
                and not (self._guard and self._guard.is_written(
                    work, held.descriptor)))

    def _begin(self, work, filename, held, is_new):
        if is_new:
            event = gocept.filestore.event.Claimed
            number = self._attempts.begin(filename, held.status)
        else:
            event = gocept.filestore.event.TakenOver
            number = self._resume(work, filename, held.status.st_ino)
        if number is None:
            return None
        return gocept.filestore.queue.claim.Claim(
            self._attempts, work, filename, held.give()).go_on(number, event)

    def _resume(self, work, filename, inode):
        """Return the number of the attempt that begins, or None for none."""
        history = self._attempts.history(filename, inode)
        if self._waits(history):
            return None  # another process has just tried it
        number = self._attempts.resume(filename, inode, history)
        if history.is_running:
            logger.warning('%s: the process of attempt %s has died',
                           work.path_of(filename), history.attempts + 1,
                           extra=work.facts(
                               filename, attempt=history.attempts + 1))
        if number is None:
            gocept.filestore.retry.failed.take(self._layout, work, filename)
            self._tell_given_up(work, filename, inode)
        return number

    def _tell_given_up(self, work, filename, inode):
        history = self._attempts.history(filename, inode)
        logger.error('%r of %r: given up after %s attempts', filename,
                     self._layout.path, history.attempts,
                     extra=work.facts(filename, attempt=history.attempts))
        gocept.filestore.event.notify(
            gocept.filestore.event.GivenUp, filename, self._layout.path,
            history.attempts, history.error)

    def _follow(self, work, filename, held, take):
        """Claim the newer file of a name that is free now, or return None."""
        if work.has_file(filename):
            return None  # it waits
        held.release()
        if self._layout['new'].has_file(filename):
            return take(filename)

    def _is_elsewhere(self, filename, held):
        """Tell whether a crash inside a move left the file with two names.

        Where this host still believes that the other name is an older file's,
        what it finds in `work` would be finished, and claimed once more.
        """
        return gocept.filestore.disk.probe.leaves_names(
            self._layout['new']) and self._layout.space_of(
                filename, held.status,
                gocept.filestore.disk.layout.targets('work'), held.descriptor)

    def _undo(self, work, filename, held, take):
        """Remove the name in `work`, which only the owner of the lock may.

        Then the file is done, or given up, or it waits in `new` as before.
        """
        work.remove(filename)
        held.close()
        return take(filename)


def first(found, claim, pauses):
    """Claim the first file that is to be had.

    What is wrong with one file does not keep others waiting, only itself.
    """
    for item in found:
        if pauses and pauses.is_on(name_of(item)):
            continue
        try:
            claimed = claim(item)
        except gocept.filestore.interfaces.WRONG_WITH_ALL:
            raise
        except OSError as error:
            pauses.append(error, name_of(item))
            continue
        if claimed is not None:
            return claimed


def name_of(item):
    return item if isinstance(item, str) else item[1]


def following(found, most):
    """Yield what was found, each to one thread only."""
    for _ in range(len(found) if most is None else most):
        try:
            yield found.popleft()
        except IndexError:
            return


def read(is_wanted, work):
    """Return when each file came there, its name and its inode."""
    return [(gocept.filestore.disk.listing.arrival(entry), entry.name,
             entry.inode()) for entry in work.entries()
            if is_wanted(entry.name)]
