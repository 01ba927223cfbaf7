"""Several processes go through all verbs, and die; a model says what may be.

The model, `model.py`, tells for each verb what it may answer and what may lie
where then. Here hypothesis chooses the verbs, real processes do them
(`actor.py`), and after each step the disk is compared with the model. A
process may die between two verbs, with what it holds, or at a line of the
store's code.

How many examples are tried can be said in the environment:

    $ MODEL_EXAMPLES=5000 bin/test -m test_model

With CI=true they are the same each time.
"""

import contextlib
import gocept.filestore.tests.actor
import gocept.filestore.tests.case
import gocept.filestore.tests.model
import hypothesis
import hypothesis.configuration
import hypothesis.stateful
import hypothesis.strategies
import itertools
import multiprocessing
import os
import pathlib
import shutil
import tempfile


EXAMPLES = int(os.environ.get('MODEL_EXAMPLES', 30))
PROCESSES = range(3)
OBSERVER = len(PROCESSES)
NOTHING = (None, gocept.filestore.tests.model.DEAD)
SPACES = ('tmp', 'new', 'work', 'cur', 'failed')
FATES = [('finish', True), ('finish', False), ('release',), ('lose',),
         *(('fail', how) for how in gocept.filestore.tests.model.ENDED)]
# What is done, in proportion.
GROUPS = [*4 * ['settle'], *3 * ['write'], 'claim', 'end', 'carry', 'clear',
          'retry', 'die']
# After how many steps the process dies, or 0. A claim may have 122.
DEATHS = hypothesis.strategies.one_of(
    *4 * [hypothesis.strategies.just(0)],
    hypothesis.strategies.integers(1, 62),
    hypothesis.strategies.integers(1, 126))


class Process:
    """A process of its own that does what it is told."""

    def __init__(self, path):
        # Forked, because there are some hundred of them.
        context = multiprocessing.get_context('fork')
        self._connection, other = context.Pipe()
        self._process = context.Process(
            target=gocept.filestore.tests.actor.main, args=(path, other))
        self._process.start()
        other.close()

    def do(self, *action):
        """Return the answer, or that the process has died."""
        try:
            self._connection.send(action)
            return self._connection.recv()
        except EOFError:
            return gocept.filestore.tests.model.DEAD

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self._connection.send(None)
        self._connection.close()
        self._process.join()


class Machine(hypothesis.stateful.RuleBasedStateMachine):
    """A store, three processes that work on it, and one that looks."""

    def __init__(self):
        super().__init__()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='filestore-'))
        self.observer = gocept.filestore.tests.actor.Actor(
            str(self.directory / 'store'))
        self.observer.store.prepare()
        self.worlds = [{}]
        self.texts = itertools.count(1)
        self.processes = [self.start() for _ in PROCESSES]
        self.processes.append(self.observer)

    def start(self):
        return Process(str(self.directory / 'store'))

    def teardown(self):
        try:
            self.come_to_an_end()
        finally:
            for number in PROCESSES:
                self.processes[number].close()
            shutil.rmtree(self.directory)

    def come_to_an_end(self):
        """See that another process can do all that is left."""
        for process in PROCESSES:
            self.do(process, 'drop')
        self.work_all(OBSERVER)
        for _, name in self.lying('work'):
            self.do(OBSERVER, 'retry', name)
        self.work_all(OBSERVER)
        self.do(OBSERVER, 'clean', 'tmp')
        assert not os.listdir(self.directory / 'store' / 'tmp')

    def work_all(self, process):
        """Work until nothing is left."""
        answer = self.do(process, 'claim')
        while answer not in NOTHING:
            self.do(process, 'finish', answer[0], True)
            answer = self.do(process, 'claim')

    # What comes of it.

    def do(self, process, verb, *args, death=0):
        """Let a process do something, and compare the answer and the disk."""
        answer = self.processes[process].do(death, verb, *args)
        promised = getattr(gocept.filestore.tests.model, verb)
        if answer == gocept.filestore.tests.model.DEAD:
            possible = self.left(promised, process, *args)
            self.replace(process)
        else:
            possible = (after for before in self.worlds
                        for told, after in promised(before, process, *args)
                        if told == answer)
        self.see(possible, (process, verb, args, answer))
        return answer

    def left(self, promised, process, *args):
        """Yield the worlds that a process may leave which dies in a verb."""
        for before in self.worlds:
            yield gocept.filestore.tests.model.die(before, process)
            for _, after in promised(before, process, *args):
                yield gocept.filestore.tests.model.die(after, process)

    def replace(self, process):
        self.processes[process].close()
        self.processes[process] = self.start()

    def see(self, possible, event):
        """Keep the worlds that are like the disk."""
        disk, found = self.disk(), []
        for world in possible:
            if world not in found and disk == {
                    place: file.text for place, file in world.items()
                    if place[0] != 'publishing'}:
                found.append(world)
        assert found, (event, self.worlds, disk)
        self.worlds = found

    def disk(self):
        return {(path.parent.name, path.name): path.read_text()
                for path in self.directory.glob('store/*/*')
                if path.parent.name != 'attempts'
                and gocept.filestore.tests.model.is_named(path.name)}

    # Which claim succeeds is a matter of time, and hypothesis wants the same
    # choices in the same order. So it chooses numbers, and we what they mean.

    @hypothesis.stateful.rule(
        group=hypothesis.strategies.sampled_from(GROUPS),
        process=hypothesis.strategies.sampled_from(PROCESSES),
        number=hypothesis.strategies.integers(0, 126),
        death=DEATHS)
    def act(self, group, process, number, death):
        actions = list(getattr(self, group)(process)) or [(process, 'claim')]
        action = actions[number % len(actions)]
        hypothesis.note('%s, death at %s' % (action, death))
        self.do(*action, death=death)
        self.do(OBSERVER, 'look')

    # What may be done. The worlds are the same in what this asks for.

    def claim(self, process):
        yield process, 'claim'

    def settle(self, process):
        for owner, name in self.owned('work'):
            for verb, *args in FATES:
                yield owner, verb, name, *args

    def write(self, process):
        text = 'begin %s' % next(self.texts)
        for verb in ('publish', 'publish', 'open_publication', 'draft'):
            for name in gocept.filestore.tests.model.NAMES:
                for replace in (False, True):
                    yield process, verb, name, replace, text

    def end(self, process):
        for _, owner in self.lying('publishing'):
            yield owner, 'end_publication'
        for owner, name in self.owned('tmp'):
            yield owner, 'end_draft', name

    def carry(self, process):
        for source, name in self.files():
            for verb in ('move', 'copy'):
                for target in ('tmp', 'new', 'cur', 'failed'):
                    for replace in (False, True):
                        yield process, verb, name, source, target, replace

    def clear(self, process):
        for space, name in self.files():
            yield process, 'remove', name, space
            yield process, 'clean', space

    def retry(self, process):
        for _, name in self.lying('failed', 'work'):
            yield process, 'retry', name

    def die(self, process):
        yield process, 'kill'
        yield process, 'drop'

    def owned(self, space):
        """Return process and name of each file that is in the works."""
        return [(file.owner, place[1]) for place in self.lying(space)
                if (file := self.worlds[0][place]).owner is not None]

    def files(self):
        """Return all places, but not of what a dead process has begun."""
        return [place for place in self.lying(*SPACES)
                if self.worlds[0][place][1:4:2] != (None, 'half')]

    def lying(self, *spaces):
        return sorted(place for place in self.worlds[0] if place[0] in spaces)


@gocept.filestore.tests.case.slow
class Model(Machine.TestCase):

    layer = gocept.filestore.tests.case.Slow

    settings = hypothesis.settings(
        max_examples=EXAMPLES, stateful_step_count=50, deadline=None,
        derandomize='CI' in os.environ, database=None,
        suppress_health_check=list(hypothesis.HealthCheck))

    def setUp(self):
        directory = tempfile.mkdtemp(prefix='filestore-')
        self.addCleanup(shutil.rmtree, directory)
        # It would keep files in the working directory.
        hypothesis.configuration.set_hypothesis_home_dir(directory)


class Found(gocept.filestore.tests.case.Case):
    """What the model has found, in a few lines."""

    options = gocept.filestore.tests.actor.OPTIONS

    def publish(self, name, **options):
        with self.store.publish(name, **options) as file:
            file.write(name)

    def lose(self, name):
        """Let a process die with a file, and the next one give it back."""
        self.publish(name)
        child = self.child()
        child.run('claim = store.claim()')
        child.kill()
        self.store.claim().release()

    @gocept.filestore.tests.case.slow
    def test_none_waits_if_there_is_none(self):
        # The call that gives a file up lets a newer one of its name go.
        self.publish('a')
        for _ in range(gocept.filestore.tests.model.ATTEMPTS):
            child = self.child()
            child.run('claim = store.claim()')
            self.publish('b')
            self.store.claim().finish()  # it has just looked into `work`
            child.kill()
        self.publish('a')
        with self.store.claim() as claim:
            self.assertEqual('a', claim.filename)

    def test_a_new_file_does_not_inherit_attempts(self):
        # It may have the inode of one that was removed.
        self.lose('a')
        self.store.remove('a', 'new')
        for _ in range(20):
            self.publish('a')
            with self.store.claim() as claim:
                self.assertEqual(1, claim.attempt)

    def test_retry_begins_anew_with_what_was_moved_by_hand(self):
        self.lose('a')
        self.store.move('a', 'new', 'failed')
        self.store.retry('a')
        with self.store.claim() as claim:
            self.assertEqual(1, claim.attempt)
