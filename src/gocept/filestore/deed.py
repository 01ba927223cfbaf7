"""What a batch does, each so that others can do it again after a crash."""
import gocept.filestore.claim
import gocept.filestore.clean
import gocept.filestore.interfaces
import gocept.filestore.lock
import gocept.filestore.move


class Publish:
    """A draft moves to `new`."""

    spaces = ('new',)

    def __init__(self, filename, draft, replace):
        self.filename = filename
        self.draft = draft
        self.replace = replace

    def is_possible(self, layout):
        return layout['tmp'].has_file(self.draft)

    def carry_out(self, layout, attempts):
        tmp = layout['tmp']
        status = tmp.stat(self.draft)
        if status is None:
            return True
        if status.st_nlink > 1 and layout.space_of(self.filename, status):
            tmp.remove(self.draft)  # a move in two steps was cut off
            return True
        move = tmp.replace if self.replace else tmp.move
        try:
            move(self.draft, layout['new'], self.filename)
        except gocept.filestore.interfaces.NameTaken:
            return False  # somebody was faster, so ours goes next
        return True


class Finish:
    """A claimed file leaves `work`."""

    claim = None  # of the process that has it, if this is that one

    def __init__(self, filename, inode, changed, keep):
        self.filename = filename
        self.inode = inode
        self.changed = changed
        self.keep = keep

    @property
    def spaces(self):
        return ('cur', 'work') if self.keep else ('work',)

    def is_possible(self, layout):
        return is_same(layout['work'].stat(self.filename), self)

    def carry_out(self, layout, attempts):
        if self.claim is not None:
            self.claim.finish(self.keep)
            return True
        if not self.is_possible(layout):
            return True
        held = gocept.filestore.lock.hold(layout['work'], self.filename)
        if held is None:
            return False  # somebody asks whose it is, for a moment
        self._finish_for_another(layout, attempts, held)
        return True

    def _finish_for_another(self, layout, attempts, held):
        claim = gocept.filestore.claim.Claim(
            layout, attempts, layout['work'], self.filename, held,
            has_events=True)
        try:
            claim.finish(self.keep)
        finally:
            claim.drop()


class Remove:
    """A file goes."""

    held = None  # if this is the process that has locked it

    def __init__(self, filename, space, inode, changed):
        self.filename = filename
        self.space = space
        self.inode = inode
        self.changed = changed

    @property
    def spaces(self):
        return (self.space,)

    def is_possible(self, layout):
        return is_same(layout[self.space].stat(self.filename), self)

    def carry_out(self, layout, attempts):
        space = layout[self.space]
        held = self.held or gocept.filestore.lock.hold(space, self.filename)
        if held is None:
            return not is_same(space.stat(self.filename), self)
        with held:
            if is_same(held.status, self) and gocept.filestore.move.is_at(
                    space.descriptor, self.filename, held.status):
                gocept.filestore.clean.remove_aside(
                    layout, attempts, space, self.filename, held)
        return True


def is_same(status, deed):
    """Tell whether this is the file of a deed.

    The inode of one that has gone may be that of another one, whose content
    was written at another time. No move changes the mtime.
    """
    return status is not None and (status.st_ino, status.st_mtime_ns) == (
        deed.inode, deed.changed)


DEEDS = {deed.__name__.lower(): deed for deed in (Publish, Finish, Remove)}
LIVE = ('claim', 'held')


def written(deed):
    """Return a deed as a dictionary that JSON can hold."""
    facts = {name: value for name, value in vars(deed).items()
             if name not in LIVE}
    return {'deed': type(deed).__name__.lower(), **facts}


def read(record):
    facts = dict(record)
    return DEEDS[facts.pop('deed')](**facts)


def carry_out(deeds, layout, attempts):
    """Carry out deeds; tell whether none is left for later.

    What is wrong with one does not keep the others.
    """
    left, errors = 0, []
    for deed in deeds:
        try:
            left += not deed.carry_out(layout, attempts)
        except (OSError, gocept.filestore.interfaces.Settled) as error:
            errors.append(error)
    if errors:
        raise errors[0]
    for name in {name for deed in deeds for name in deed.spaces}:
        layout[name].sync()
    return not left
