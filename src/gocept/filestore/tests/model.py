"""What a file store promises, as functions from one state to the next.

A *world* is a dictionary. For each place, a pair of space and name, it has the
`File` that lies there. A function of the name of a verb takes a world, the
number of the process, and the arguments of the verb; it yields pairs of an
answer and a world: all that may come of it. An error answers with its name.
`DEAD` is the answer of a process that dies within the verb, where the world
is neither the one before nor the one after it.

Nothing is lost where each world has each file once, and nothing is
half-written where the disk is like one of the worlds.
"""

import collections
import itertools


NAMES = ('a', 'b')
SPACES = ('new', 'work', 'cur', 'failed')
END = ' end'  # of each content
ATTEMPTS = 3  # that the policy of the store allows
DEAD = 'DEAD'
# How the last attempt has ended. 'open': it has not, or there was none.
WAITING = ('failed', 'now', 'later')
ENDED = (*WAITING, 'given up')

# `owner` is the number of the process that works on it or writes it, `own`
# is the name under which its attempts are written down.
File = collections.namedtuple(
    'File', 'text owner attempts state own', defaults=(None, 0, 'open', None))


def publish(world, process, name, replace, text):
    yield from put(world, ('new', name), File(text + END), replace)


def open_publication(world, process, name, replace, text):
    yield None, {**world, ('publishing', process): File(
        text, process, state=replace, own=name)}


def end_publication(world, process):
    place = 'publishing', process
    file = world[place]
    yield from publish(without(world, place), process, file.own, file.state,
                       file.text)


def draft(world, process, name, replace, text):
    place = 'tmp', name
    if place in world and not replace:
        yield 'NameTaken', world
    elif is_owned(world, place):
        yield 'DraftInUse', world
    else:
        yield DEAD, without(world, place)
        yield DEAD, {**world, place: File('', state='half')}
        yield None, {**world, place: File(text, process, state='half')}


def end_draft(world, process, name):
    place = 'tmp', name
    yield None, {**world, place: File(world[place].text + END)}


def move(world, process, name, source, target, replace):
    file = world[source, name]
    if source == 'work':
        yield 'InvalidSpace', world
        return
    for answer, after in carry(world, file, name, source, target, replace):
        if answer is None and source != target:
            after = without(after, (source, name))
        yield answer, after


def copy(world, process, name, source, target, replace):
    file = File(world[source, name].text)
    yield from carry(world, file, name, source, target, replace)


def carry(world, file, name, source, target, replace):
    if 'tmp' in (source, target) and is_owned(world, ('tmp', name)):
        yield 'DraftInUse', world
    else:
        yield from put(world, (target, name), file, replace)


def remove(world, process, name, space):
    if space == 'work':
        yield 'InvalidSpace', world
    elif is_owned(world, (space, name)):
        yield 'DraftInUse', world
    else:
        yield DEAD, forgotten(world, (space, name))
        yield None, without(world, (space, name))


def clean(world, process, space):
    if space in ('new', 'work'):
        yield 'InvalidSpace', world
        return
    old = [place for place in world
           if place[0] == space and not is_owned(world, place)]
    for some in subsets(old):
        after = without(world, *some)
        yield DEAD, after
        for place in set(old) - set(some):
            yield DEAD, forgotten(after, place)
    yield sorted(name for _, name in old), without(world, *old)


def retry(world, process, name):
    if ('failed', name) in world:
        source, target = ('failed', name), ('new', own_name(world, name))
    else:
        source, target = ('work', name), ('new', name)
    file = world.get(source)
    is_there = file and file.owner is None and (
        source[0] == 'failed' or file.state in WAITING)
    if not is_there:
        yield 'NoSuchFile', world
    elif target in world:
        yield 'NameTaken', world
    else:
        yield None, {**without(world, source), target: File(
            file.text, None, file.attempts, 'given up', file.own)}


def claim(world, process):
    """Whoever looks into `work` gives up what has had all its attempts."""
    expired = [place for place, file in world.items()
               if place[0] == 'work' and is_expired(file)]
    for some in subsets(expired):
        after = world
        for _, name in some:
            *halves, (_, after) = give_up(
                after, name, died(after['work', name]))
            yield from halves
        yield DEAD, after
        found = list(claimable(after))
        for place in found:
            yield begun(after, process, *place)
        if not found and len(some) == len(expired):
            yield None, after


def claimable(world):
    """Yield the places from which a file may be claimed."""
    for (space, name), file in world.items():
        if space == 'new' and ('work', name) not in world:
            yield space, name
        if (space == 'work' and file.owner is None
                and file.state != 'later' and not is_expired(file)):
            yield space, name


def begun(world, process, space, name):
    """Return the answer of a claim, and the world after it."""
    file = world[space, name]
    if space == 'work':
        file = died(file)
    elif file.state in ENDED or file.own != name:
        file = File(file.text)
    return (name, file.attempts + 1, file.text), {
        **without(world, (space, name)),
        ('work', name): file._replace(owner=process, state='open', own=name)}


def finish(world, process, name, keep):
    place, done = ('work', name), ('cur', name)
    yield DEAD, forgotten(world, place)
    if keep:
        yield DEAD, forgotten(without(world, done), place)
    after = without(world, place)
    yield None, {**after, done: File(world[place].text)} if keep else after


def fail(world, process, name, how):
    file = world['work', name]
    number = file.attempts + 1
    file = File(file.text, None, number, how, name)
    if how == 'given up' or number == ATTEMPTS:
        yield from give_up(world, name, file)
    else:
        yield None, {**world, ('work', name): file}


def release(world, process, name):
    place, back = ('work', name), ('new', name)
    file = world[place]._replace(owner=None)
    if back in world:
        yield None, {**world, place: file._replace(state='released')}
    else:
        yield None, {**without(world, place), back: file}


def kill(world, process):
    return ()


def drop(world, process):
    yield None, die(world, process)


def look(world, process):
    """What `status`, `failures` and `list` tell."""
    work = {name: file for (space, name), file in world.items()
            if space == 'work'}
    yield {
        'files': {space: totals(world, space) for space in SPACES},
        'claims': sorted(
            (name, file.attempts + 1, file.owner is not None)
            for name, file in work.items() if file.state not in WAITING),
        'waiting': waiting([
            file.state == 'later' for file in work.values()
            if file.state in WAITING]),
        'failures': {name: attempts(file, name)
                     for (space, name), file in world.items()
                     if space == 'failed'},
        'names': {space: sorted(name for place, name in world
                                if place == space)
                  for space in SPACES}}, world


def totals(world, space):
    """Return the number of files and of bytes."""
    texts = [file.text for place, file in world.items() if place[0] == space]
    return len(texts), sum(map(len, texts))


def waiting(are_late):
    """Return how many wait, and whether all of them will do so for long."""
    return len(are_late), all(are_late)


def attempts(file, name):
    return file.attempts if file.own in (name, original(name)) else 0


def lose(world, process, name):
    place = 'work', name
    yield None, {**world, place: world[place]._replace(owner=None)}


def give_up(world, name, file):
    """Move a file from `work` to `failed`; an older one gets a number."""
    place, target = ('work', name), ('failed', name)
    file = file._replace(state='given up', own=name)
    world = {**world, place: file}
    yield DEAD, world
    if target in world:
        world = {**without(world, target),
                 ('failed', backup(world, name)): world[target]}
        yield DEAD, world
    yield None, {**without(world, place), target: file}


def die(world, process):
    """Return the world that a process leaves, whatever it has held."""
    return {place: file._replace(owner=None) if file.owner == process
            else file for place, file in world.items()
            if place != ('publishing', process)}


def put(world, place, file, replace):
    if place in world and not replace:
        yield 'NameTaken', world
    else:
        yield None, {**world, place: file}


def is_named(name):
    """Tell whether a name is none that the store has made up."""
    return name.startswith(NAMES)


def died(file):
    """Return a file of `work` as it is when its process was found dead."""
    return file._replace(
        attempts=file.attempts + (file.state == 'open'))


def forgotten(world, place):
    """Return the world where the attempts of a file are forgotten."""
    return {**world, place: world[place]._replace(attempts=0, own=None)}


def is_expired(file):
    """Tell whether a file of `work` has had all its attempts."""
    return file.owner is None and (
        file.state == 'given up'
        or file.state == 'open' and died(file).attempts == ATTEMPTS)


def is_owned(world, place):
    return place in world and world[place].owner is not None


def own_name(world, name):
    """Return the name that a file in `failed` had before it got a number."""
    own = original(name)
    return own if own == world['failed', name].own else name


def original(name):
    return name.rpartition('.~')[0]


def backup(world, name):
    """Return the first name with a number that is free in `failed`."""
    names = ('%s.~%s~' % (name, number) for number in itertools.count(1))
    return next(name for name in names if ('failed', name) not in world)


def without(world, *places):
    return {place: file for place, file in world.items()
            if place not in places}


def subsets(items):
    return itertools.chain.from_iterable(
        itertools.combinations(items, size) for size in range(len(items) + 1))
