"""What lies in a store and does not belong there."""
import gocept.filestore.disk.draft
import gocept.filestore.disk.layout
import gocept.filestore.disk.name
import gocept.filestore.disk.probe
import gocept.filestore.doctor.entry
import gocept.filestore.doctor.finding
import gocept.filestore.doctor.kind
import gocept.filestore.doctor.mode
import gocept.filestore.doctor.space
import gocept.filestore.retry.journal


AGED = 'new', 'failed', 'cur'  # whose files have an order, or an age
SECOND = 10 ** 9  # nanoseconds
PAUSE = 1  # second, until the second look
NAMES = gocept.filestore.doctor.space.ALL
KNOWN = (*NAMES, 'lost+found')  # many a file system has that
# The way of a file that has attempts.
WAY = ('new', *(name for name in gocept.filestore.disk.layout.sources('new')
                if name != 'tmp'), 'cur')


def content(spaces):
    """Look for what does not belong into a store."""
    content = Content(spaces)
    if content.look():
        spaces.sleep(PAUSE)
        content.look_again()
    yield from content.findings()
    yield gocept.filestore.doctor.finding.ok(
        'everything in %r belongs there' % spaces.path)


class Content:
    """What lies in a store, and does not belong there."""

    def __init__(self, spaces):
        self._path = spaces.path
        self._spaces = list(filter(None, [spaces.root, *spaces.found]))
        self._intents = spaces.intents
        # In nanoseconds; what came before is old.
        self._limit = 1e9 * (
            spaces.clock() - gocept.filestore.disk.draft.ABANDONED)
        self._piles = {}
        self._doubts = []
        self._twins = gocept.filestore.doctor.entry.Twins()
        self._numbered = set()

    def look(self):
        """Look at all that is there; tell if it wants a second look."""
        for space in self._spaces:
            for entry in gocept.filestore.doctor.entry.entries(space):
                self._sort(space, *entry)
        return bool(self._doubts or self._twins)

    def look_again(self):
        for kind, space, name in self._doubts:
            if self._holds(kind, space, name):
                self._add(kind, space, name)
        for kind, name in self._twins.left():
            self._add(kind, None, name)

    def findings(self):
        order = [(name, kind) for name in ('', *NAMES)
                 for kind in gocept.filestore.doctor.kind.KINDS]
        return [self._piles[key].finding() for key in order
                if key in self._piles]

    def _sort(self, space, name, status):
        is_old = status.st_ctime_ns < self._limit
        kind = gocept.filestore.doctor.entry.kind(name, status)
        if name.startswith(gocept.filestore.disk.probe.PREFIX):
            self._doubt('probe', space, name)
        elif name[0] == '.' and not is_old:
            return  # somebody is at work there, like rsync(1)
        elif not space.name:
            if name not in KNOWN:
                self._add('unknown', space, name)
        elif kind:
            self._add(kind, space, name)
        else:
            self._sort_file(space, name, status, is_old)

    def _sort_file(self, space, name, status, is_old):
        if status.st_nlink > 1:
            self._twins.add(space, name, status)
        if space.name in AGED and status.st_ctime_ns > SECOND + max(
                space.last, status.st_mtime_ns):
            self._add('touched', space, name)
        if space.name == 'failed' and (
                gocept.filestore.disk.name.original(name) != name):
            self._numbered.add(name)
        if space.name == 'tmp':
            if is_old and not self._intents.has_draft(name) and (
                    gocept.filestore.doctor.entry.is_left_draft(space, name)):
                self._add('draft', space, name)
        elif space.name != 'cur' and (
                gocept.filestore.doctor.mode.is_closed(space, name, status)):
            self._add('closed', space, name)
        elif space.name == 'attempts':
            if not self._doubt('alone', space, name):
                self._doubt('spoilt', space, name)
        elif space.name in ('voted', 'committed'):
            self._doubt('unreadable', space, name)

    def _doubt(self, kind, space, name):
        """Tell whether it is so, and wants a second look."""
        is_so = self._holds(kind, space, name)
        if is_so:
            self._doubts.append((kind, space, name))
        return is_so

    def _holds(self, kind, space, name):
        look = {'probe': gocept.filestore.doctor.entry.is_left,
                'spoilt': gocept.filestore.doctor.entry.is_spoilt,
                'unreadable': gocept.filestore.doctor.entry.is_unreadable,
                'alone': self._is_alone}[kind]
        try:
            return look(space, name)
        except OSError:
            return False  # gone meanwhile, or not ours

    def _is_alone(self, attempts, name):
        """Tell whether the file is nowhere to which these attempts belong.

        We look forwards and backwards, because files move meanwhile. One in
        `failed` may have got a number, and a draft of a batch has none yet.
        """
        way = [space for space in self._spaces if space.name in WAY]
        if any(space.has_file(name) for space in way):
            return False
        drafts = gocept.filestore.retry.journal.drafts(attempts, name)
        if any(space.has_file(draft) for space in self._spaces
               if space.name == 'tmp' for draft in drafts):
            return False
        return not any(
            space.has_file(name) for space in way[::-1]
        ) and attempts.has_file(name) and not any(
            gocept.filestore.disk.name.can_become(numbered, name)
            for numbered in self._numbered)

    def _add(self, kind, space, name):
        key = space.name if space else '', kind
        if key not in self._piles:
            self._piles[key] = gocept.filestore.doctor.kind.Pile(
                kind, space, self._path)
        self._piles[key].add(name)
