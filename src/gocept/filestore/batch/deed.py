"""What is written down of a part of a batch, for others to carry out."""
import gocept.filestore.disk.file_system
import gocept.filestore.disk.lock
import gocept.filestore.disk.name
import gocept.filestore.queue.claim
import json


# Of a string alone it is quick. Of an intent it would take as long as to make
# the file, to remove it and to look for another one.
QUOTED = json.encoder.encode_basestring_ascii


def portable(name):
    return QUOTED(gocept.filestore.disk.name.portable(name))


class Deed:
    """One thing that is about to be done; `facts` says what is told of it.

    Others carry it out if its process dies: `reserved` is what they have to
    keep away from until then, each with the name of the file.
    """

    def __init__(self, **facts):
        self._facts = facts
        vars(self).update(facts)

    def written(self, quoted=QUOTED if gocept.filestore.disk.name.IS_UTF8
                else portable):
        return '{"deed": "%s", %s}' % (self.kind, ', '.join([
            '"%s": %s' % (name, quoted(fact) if isinstance(fact, str)
                          else str(fact).lower())
            for name, fact in self._facts.items()]))

    @classmethod
    def read(cls, record):
        """Return what was written; raise `ValueError` for what is no deed.

        Somebody may have changed it. No name leads out of the store.
        """
        facts = {name: record[name] for name in cls.facts}
        for name, allowed in cls.facts.items():
            if isinstance(facts[name], str):
                facts[name] = gocept.filestore.disk.name.local(facts[name])
            if not is_good(facts[name], allowed):
                raise ValueError('%s can not be %r' % (name, facts[name]))
        return cls(**facts)

    def adopt(self, layout):
        """Be about the file that this one is in a copy of the store."""
        status = self.status_in(layout.get(self.spaces[-1]))
        if status and 'inode' in self.facts and (
                gocept.filestore.disk.file_system.is_kept(
                    status.st_mtime_ns, self.changed)):
            self.inode, self.changed = status.st_ino, status.st_mtime_ns

    def status_in(self, space):
        """Return the status of a file that nobody but us moves, or None."""
        return space and space.stat(self.filename)

    def is_of(self, status):
        """Tell whether this is the status of the file.

        The inode of one that has gone may be that of another one, whose
        content was written at another time. No move changes the mtime.
        """
        return status is not None and (
            self.inode, self.changed) == (status.st_ino, status.st_mtime_ns)

    def give_back(self, attempts, work, held=None):
        """Let a file of `work` wait again, as if it had not been claimed."""
        held = held or gocept.filestore.disk.lock.hold(work, self.filename)
        if held and self.is_of(held.status):
            gocept.filestore.queue.claim.Claim(
                attempts, work, self.filename, held.give()).go_on().release()

    def give_up(self, attempts):
        """Undo what the vote has done, as far as nobody else does."""

    def tell(self, store):
        """Tell whoever subscribes to that, if anybody can."""


def is_good(value, allowed):
    """Tell whether it is one of some values, or of a type; a name is `str`."""
    if isinstance(allowed, tuple):
        return value in allowed
    return type(value) is allowed and not (
        allowed is str and gocept.filestore.disk.name.objection(value))
