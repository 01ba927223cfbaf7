"""What the storm has left, and what must be true of it."""
import collections
import gocept.filestore.tests.test_race
import hashlib
import json
import pathlib
import statistics


ATTEMPTS = 5
SPACES = ('tmp', 'new', 'work', 'failed', 'cur')


class Outcome:
    """The store, and the log of those who have worked there."""

    def __init__(self, storm, killed):
        self.digests = storm.digests
        self.stumbled = storm.stumbled
        self.killed = killed
        self.path = pathlib.Path(storm.store.path)
        self.status = storm.store.status()
        self.failures = storm.store.failures()
        self.names = collections.defaultdict(set, {
            space.name: {path.name for path in space.iterdir()}
            for space in self.path.iterdir()})
        self.events = {name: events(self.path / 'attempts' / name)
                       for name in self.names['attempts']}
        # When a worker has stumbled, nobody knows. 0 is before everything.
        self.kills = collections.defaultdict(int, storm.kills)
        self.log = gocept.filestore.tests.test_race.Log(storm.log, self.kills)
        self.double_owners = self.log.double_owners()
        self.attempts, self.suicides = attempts(storm.log)

    def figures(self):
        failed = collections.Counter(map(kind, self.names['failed']))
        yield 'files', len(self.digests)
        yield 'workers killed from outside', self.killed
        yield 'workers killed by a file', self.suicides
        yield 'workers that stumbled', self.stumbled
        yield 'attempts', sum(map(len, self.log.intervals.values()))
        yield 'of these ended by an exception', self.count('failed')
        yield 'of these ended by a death, and taken over', self.deaths()
        yield 'seconds until then, median', self.waits()
        yield 'done', len(self.names['cur'])
        yield 'given up: raises', failed['raises']
        yield 'given up: kills', failed['kills']
        yield 'given up: killed from outside', failed['works']
        yield 'drafts of dead workers', len(self.names['tmp'])
        yield 'owned by two at once', len(self.double_owners)
        yield 'lost', len(set(self.digests) - self.at_end)

    @property
    def at_end(self):
        return self.names['cur'] | self.names['failed']

    def count(self, event):
        return sum(counter[event] for counter in self.events.values())

    def deaths(self):
        """Count deaths that are written down, or were until the file was done.

        What is done neither raises nor kills.
        """
        return self.count('died') + sum(
            self.attempts.get(name, 1) - 1 for name in self.names['cur'])

    def waits(self):
        """Return how long a file lay in `work` whose worker was killed."""
        ends = set(self.kills.values())
        waits = sorted(
            (second[0] - first[1]) / 1e9
            for intervals in self.log.intervals.values()
            for first, second in gocept.filestore.tests.test_race.pairs(
                sorted(intervals)) if first[1] in ends)
        return '%.2f, at most %.2f' % (
            statistics.median(waits), waits[-1]) if waits else '-'

    def promises(self):
        yield 'each is in cur or failed', self.at_end == set(self.digests)
        yield 'none is in both', not (
            self.names['cur'] & self.names['failed'])
        yield 'each is whole', all(map(self.is_whole, self.at_end))
        yield 'each was read whole', all(
            set(found) == {self.digests[name]}
            for name, found in self.log.digests.items())
        yield 'all that raise or kill have failed', all(
            kind(name) == 'works' for name in self.names['cur'])
        yield 'others only if each attempt was killed', all(
            self.events[name] == {'died': ATTEMPTS}
            for name in self.names['failed'] if kind(name) == 'works')
        yield 'what kills has killed each time', all(
            self.events[name] == {'died': ATTEMPTS}
            for name in self.names['failed'] if kind(name) == 'kills')
        yield 'each that failed tells why', all(
            failure['error'] and failure['attempts'] == ATTEMPTS
            for failure in self.failures)
        yield 'none was tried more often', max(
            map(len, self.log.intervals.values()), default=0) <= ATTEMPTS
        yield 'no more attempts died than workers', (
            self.deaths() <= self.killed + self.suicides)
        yield 'no other has attempts', (
            self.names['attempts'] == self.names['failed'])
        yield 'none is at work, none waits', not (
            self.names['new'] | self.names['work'])
        yield 'the status says the same', self.agrees()
        yield 'no worker has stumbled', not self.stumbled
        yield 'no two have owned one file at once', not self.double_owners

    def is_whole(self, name):
        space = 'cur' if name in self.names['cur'] else 'failed'
        content = (self.path / space / name).read_bytes()
        return self.digests.get(name) == hashlib.sha256(content).hexdigest()

    def agrees(self):
        files = {space: len(self.names[space]) for space in SPACES}
        found = {space: self.status['spaces'][space]['files']
                 for space in SPACES}
        return (files == found and self.status['claims'] == []
                and self.status['waiting']['files'] == 0)


def kind(name):
    return name.partition('.')[2]


def events(path):
    """Count the events in an attempts file."""
    return collections.Counter(
        json.loads(line)['event'] for line in path.read_text().splitlines())


def attempts(log):
    """Return the last attempt of each file, and how many workers it killed.
    """
    last, kills = {}, 0
    for line in log.read_text().splitlines():
        worker, event, name, number, rest = line.split()
        if event == 'attempt':
            last[name] = int(number)
        kills += event == 'kills'
    return last, kills
