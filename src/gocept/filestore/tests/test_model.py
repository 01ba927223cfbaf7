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

import gocept.filestore.tests.actor
import gocept.filestore.tests.case
import gocept.filestore.tests.model
import hypothesis
import hypothesis.configuration
import hypothesis.stateful
import hypothesis.strategies
import itertools
import os
import pathlib
import shutil
import tempfile


EXAMPLES = int(os.environ.get('MODEL_EXAMPLES', 100))
PROCESSES = range(3)
OBSERVER = len(PROCESSES)
NOTHING = (None, gocept.filestore.tests.model.DEAD)
START = 'import {0}; actor = {0}.Actor(%r)'.format(
    gocept.filestore.tests.actor.__name__)

SPACES = ('tmp', 'new', 'work', 'cur', 'failed')
FATES = [('finish', True), ('finish', False), ('release',), ('lose',),
         *(('fail', how) for how in gocept.filestore.tests.model.ENDED)]
# What is done, in proportion.
GROUPS = ['claim', 'claim', 'settle', 'settle', 'settle', 'write', 'write',
          'end', 'carry', 'clear', 'die', 'doom']


class Pool:
    """Processes, some of which are started before they are needed."""

    ahead = 2

    def __init__(self, directory):
        self._directory = directory
        self._children = [self._start() for _ in range(self.ahead)]

    def _start(self):
        return gocept.filestore.tests.case.Child(self._directory, {})

    def take(self, path):
        """Return a process that works on a store."""
        child = self._children.pop(0)
        while len(self._children) < self.ahead:
            self._children.append(self._start())
        child.run(START % path)
        return child

    def give_back(self, child):
        self._children.append(child)

    def close(self):
        for child in self._children:
            child.kill()


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
        self.children = [self.start() for _ in PROCESSES]

    def start(self):
        return self.pool.take(self.observer.store.path)

    def teardown(self):
        try:
            self.come_to_an_end()
        finally:
            for child in self.children:
                self.pool.give_back(child)
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

    def do(self, process, verb, *args):
        """Let a process do something, and compare the answer and the disk."""
        answer = self.answer(process, verb, *args)
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

    def answer(self, process, verb, *args):
        if process == OBSERVER:
            return self.observer.do(verb, *args)
        try:
            return self.children[process].run(
                'answer = actor.do(%r, *%r)' % (verb, args))
        except ValueError:
            return gocept.filestore.tests.model.DEAD

    def left(self, promised, process, *args):
        """Yield the worlds that a process may leave which dies in a verb."""
        for before in self.worlds:
            yield gocept.filestore.tests.model.die(before, process)
            for _, after in promised(before, process, *args):
                yield gocept.filestore.tests.model.die(after, process)

    def replace(self, process):
        self.children[process].kill()
        self.children[process] = self.start()

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
        number=hypothesis.strategies.integers(0, 126))
    def act(self, group, process, number):
        actions = list(getattr(self, group)(process)) or [(process, 'claim')]
        action = actions[number % len(actions)]
        hypothesis.note(repr(action))
        self.do(*action)
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
            yield process, 'retry', name
            yield process, 'remove', name, space
            yield process, 'clean', space

    def die(self, process):
        yield process, 'kill'
        yield process, 'drop'

    def doom(self, process):
        for step in range(process + 1, 600, 5):
            yield process, 'doom', step

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


class Model(Machine.TestCase):

    settings = hypothesis.settings(
        max_examples=EXAMPLES, stateful_step_count=50, deadline=None,
        derandomize='CI' in os.environ, database=None,
        suppress_health_check=list(hypothesis.HealthCheck))

    def setUp(self):
        directory = tempfile.mkdtemp(prefix='filestore-')
        self.addCleanup(shutil.rmtree, directory)
        # It would keep files in the working directory.
        hypothesis.configuration.set_hypothesis_home_dir(directory)
        Machine.pool = Pool(directory)
        self.addCleanup(Machine.pool.close)
