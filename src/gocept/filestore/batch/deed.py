"""What a batch does, each so that others can do it again after a crash."""
import gocept.filestore.disk.layout
import gocept.filestore.disk.lock
import gocept.filestore.disk.name
import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.queue.claim
import gocept.filestore.retry.removal


def is_name(value):
    return isinstance(value, str) and not gocept.filestore.disk.name.objection(
        value)


def is_number(value):
    return type(value) is int


def is_flag(value):
    return type(value) is bool


def is_space(value):
    return value != 'new' and (
        value in gocept.filestore.disk.layout.FROM_BATCH)


class Publish:
    """A draft moves to `new`."""

    facts = {'filename': is_name, 'draft': is_name, 'replace': is_flag}
    # A power cut must not bring the draft back when the intent has gone.
    spaces = ('new', 'tmp')
    is_ours = False  # to be done for the first time

    def __init__(self, filename, draft, replace):
        self.filename = filename
        self.draft = draft
        self.replace = replace

    def is_possible(self, layout):
        return layout['tmp'].has_file(self.draft)

    def carry_out(self, layout, attempts):
        tmp = layout['tmp']
        tmp.check(self.draft)
        status = tmp.stat(self.draft)
        if status is None:
            return self._was_moved(tmp)
        if status.st_nlink > 1 and layout.space_of(self.filename, status):
            tmp.remove(self.draft)  # a move in two steps was cut off
            return True
        move = tmp.replace if self.replace else tmp.move
        try:
            move(self.draft, layout['new'], self.filename)
        except gocept.filestore.interfaces.NameTaken:
            return False  # somebody was faster, so ours goes next
        return True

    def _was_moved(self, tmp):
        if self.is_ours:
            raise gocept.filestore.interfaces.NoSuchFile(
                self.filename, tmp.store, 'its draft has gone from tmp')
        return True


class Finish:
    """A file leaves `work`."""

    facts = {'filename': is_name, 'inode': is_number, 'changed': is_number,
             'attempt': is_number, 'keep': is_flag}
    claim = None  # of the process that has it, if this is that one

    def __init__(self, filename, inode, changed, attempt, keep):
        self.filename = filename
        self.attempt = attempt  # 0 if it is removed unseen
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
            self.claim.done(self.keep)
            return True
        if not self.is_possible(layout):
            return True
        held = gocept.filestore.disk.lock.hold(layout['work'], self.filename)
        if held is None:
            return False  # somebody asks whose it is, for a moment
        self._finish_for_another(layout, attempts, held)
        return True

    def _finish_for_another(self, layout, attempts, held):
        claim = gocept.filestore.queue.claim.Claim(
            attempts, layout['work'], self.filename, held,
            has_events=True)
        try:
            claim.done(self.keep)
        finally:
            claim.drop()


class Remove:
    """A file goes from where nobody claims it."""

    facts = {'filename': is_name, 'space': is_space, 'inode': is_number,
             'changed': is_number}
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
        return True  # what has gone need not be removed

    def carry_out(self, layout, attempts):
        space = layout.get(self.space)
        if not space:
            return True
        held = self.held or gocept.filestore.disk.lock.hold(
            space, self.filename)
        if held is None:
            # It has gone; or somebody works with it, for a moment.
            return not is_same(space.stat(self.filename), self)
        with held:
            if is_same(held.status, self):
                gocept.filestore.retry.removal.remove_aside(
                    attempts, space, self.filename, held)
        return True


def is_same(status, deed):
    """Tell whether this is the file of a deed.

    The inode of one that has gone may be that of another one, whose content
    was written at another time. No move changes the mtime.
    """
    return status is not None and (status.st_ino, status.st_mtime_ns) == (
        deed.inode, deed.changed)


DEEDS = {class_.__name__.lower(): class_
         for class_ in (Publish, Finish, Remove)}


def written(deed):
    """Return a deed as a dictionary that JSON can hold."""
    return {'deed': type(deed).__name__.lower(),
            **{name: getattr(deed, name) for name in deed.facts}}


def read(record):
    """Return the deed that was written; raise `ValueError` for what is none.

    Somebody may have changed it. No name leads out of the store.
    """
    class_ = DEEDS[record['deed']]
    facts = {name: record[name] for name in class_.facts}
    for name, is_good in class_.facts.items():
        if not is_good(facts[name]):
            raise ValueError('%s can not be %r' % (name, facts[name]))
    return class_(**facts)


def carry_out_all(deeds, layout, attempts):
    """Carry out deeds; tell whether none is left for later.

    What is wrong with one does not keep the others; but a directory that
    could not be synced is not synced again for the next one.
    """
    left, errors = 0, []
    for deed in deeds:
        try:
            left += not deed.carry_out(layout, attempts)
        except gocept.filestore.interfaces.NotSynced:
            raise
        except (OSError, gocept.filestore.interfaces.Settled) as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return not left


def sync(deeds, layout):
    """Bring to the disk what was carried out."""
    for name in sorted({name for deed in deeds for name in deed.spaces}):
        space = layout.get(name)
        if space:
            space.sync()


def tell(deeds, store):
    """Tell of what was published, and finished."""
    for deed in deeds:
        if isinstance(deed, Publish):
            gocept.filestore.event.notify(
                gocept.filestore.event.Published, deed.filename, store)
        elif isinstance(deed, Finish) and deed.attempt:
            gocept.filestore.event.notify(
                gocept.filestore.event.Finished, deed.filename, store,
                deed.attempt)


def kind_of(deed):
    """Return what is to be done: publish, finish or remove.

    A file of `new` that is to be removed lies in `work` from the vote on, and
    has no attempt.
    """
    if isinstance(
            deed, Finish) and not deed.attempt:
        return 'remove'
    return next(kind
                for kind, class_ in DEEDS.items()
                if isinstance(deed, class_))
