"""The kinds of things that do not belong into a store, and remedies."""
import collections
import gocept.filestore.disk.draft
import gocept.filestore.doctor.finding
import gocept.filestore.doctor.mode
import os


# `actions` are commands that take paths. Those of many files are found by
# `tests`, as of find(1), if these can tell. Or there is one whole remedy.
Kind = collections.namedtuple(
    'Kind', 'verdict one why actions tests remedy many',
    defaults=((), (), None, None))

NOTE = gocept.filestore.doctor.finding.NOTE
PROBLEM = gocept.filestore.doctor.finding.PROBLEM
REMOVE = (['rm'],)
TAKE_AWAY = (['mv', '-n', '-t'],)  # and a directory
CHANGE = {'group': 'chgrp', 'user': 'chown'}
HOURS = gocept.filestore.disk.draft.ABANDONED // 3600

# In the order in which they are told of one space.
KINDS = {
    'unknown': Kind(NOTE, 'thing', 'not a space', TAKE_AWAY),
    'link': Kind(
        PROBLEM, 'symbolic link', 'never followed', REMOVE, ('-type', 'l')),
    'directory': Kind(
        PROBLEM, 'directory', 'never looked into', TAKE_AWAY, ('-type', 'd'),
        many='directories'),
    'special': Kind(
        PROBLEM, 'pipe, socket or device', 'never opened', REMOVE,
        ('!', '-type', 'f', '!', '-type', 'd', '!', '-type', 'l'),
        many='pipes, sockets or devices'),
    'dot': Kind(
        NOTE, 'dot file', 'never taken, %d hours old' % HOURS, REMOVE,
        ('-type', 'f', '-name', '.*', '-cmin', '+%d' % (HOURS * 60))),
    'probe': Kind(NOTE, 'file', 'left by a doctor that was killed', REMOVE),
    'draft': Kind(NOTE, 'draft', 'written by nobody for %d hours' % HOURS),
    'closed': Kind(PROBLEM, 'file', 'not to be read'),
    'touched': Kind(
        NOTE, 'file', 'copied, or changed by chown(1) and the like after they '
        'came, which sets their order and age anew',
        remedy='none is needed, but change only what has to be changed'),
    'spoilt': Kind(
        NOTE, 'attempts file', 'with lines that are no events', TAKE_AWAY),
    'unreadable': Kind(
        PROBLEM, 'intent', 'and nobody knows what is to be done', TAKE_AWAY),
    'alone': Kind(NOTE, 'attempts file', 'whose file is nowhere', REMOVE),
    'cut': Kind(
        PROBLEM, 'second name', 'left by a move that was cut off', REMOVE),
    'settled': Kind(
        NOTE, 'second name', 'left by a move that was cut off',
        remedy='none is needed, the next claim removes it')}


def kind(name, space, store):
    """Return the kind of this name, as it is of one space."""
    found = KINDS[name]
    if found.actions is TAKE_AWAY:
        return found._replace(actions=([
            *TAKE_AWAY[0], gocept.filestore.doctor.finding.beside(store)],))
    if name == 'draft':
        return found._replace(remedy=['filestore', 'clean', store, 'tmp'])
    return closed(found, space) if name == 'closed' else found


def closed(kind, space):
    """Say who may not read files of a space, and what lets them in."""
    rights = gocept.filestore.doctor.mode.Rights.of(space)
    who = gocept.filestore.doctor.mode.user(os.geteuid() or rights.owner)
    users, name = rights.users
    return kind._replace(
        why='not to be read by %r' % who,
        actions=([CHANGE[users], name], ['chmod', '%s+rw' % users[0]]),
        tests=('-type', 'f', '-links', '1', '(', '!', '-' + users, name, '-o',
               '!', '-perm', '-%s+r' % users[0], ')'))


class Pile:
    """What is of one kind in one directory: its number, and the first names.

    It takes no more room when there are many.
    """

    shown = 3

    def __init__(self, name, space, store):
        self._kind = kind(name, space, store)
        self._directory = space.path if space and space.name else store
        self._store = store
        self._count = 0
        self._names = []

    def add(self, name):
        self._count += 1
        self._names = sorted([*self._names, name])[:self.shown]

    def finding(self):
        kind = self._kind
        noun = kind.many or kind.one + 's' if self._count > 1 else kind.one
        return gocept.filestore.doctor.finding.Finding(
            kind.verdict, '%s %s in %r, %s: %s' % (
                self._count, noun, self._directory, kind.why,
                self._described()), *self._remedy())

    @property
    def _more(self):
        return self._count - len(self._names)

    def _described(self):
        names = ', '.join(map(repr, self._names))
        return '%s and %s more' % (names, self._more) if self._more else names

    def _remedy(self):
        if self._kind.remedy:
            return [self._kind.remedy]
        if self._more and self._kind.tests:
            return [self._find()]
        paths = [os.path.join(self._directory, name) for name in self._names]
        commands = [[*action, *paths] for action in self._kind.actions]
        if self._more:
            commands.append(['filestore', 'doctor', self._store])
        return commands

    def _find(self):
        words = ['find', self._directory, '-mindepth', '1', '-maxdepth', '1',
                 *self._kind.tests]
        for action in self._kind.actions:
            words += ['-exec', *action, '{}', '+']
        return words
