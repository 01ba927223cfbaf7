"""The contracts: the verbs of a store first, then what they hand out."""
import errno
import math
import textwrap
import zope.interface


POLL = 1  # second between two looks, unless somebody says otherwise


class IFileStore(zope.interface.Interface):
    """Hands whole files from one process to another, without locks to wait on.

    A store is a directory. A file's state is the space, the subdirectory, in
    which it lies:

        tmp        drafts: being written
        new        published, waiting
        cur        done (or taken, by a client of the lineage)
        work       claimed: in work, or waiting to be tried again
        failed     given up; wants a person
        attempts   for each name that failed, one JSON line per event
        voted      what batches are about to do, not decided yet (JSON)
        committed  the same, decided and not all done yet

    The first three are made by `prepare`, the others on first use.

    A *name* is a bare file name: 1 to 255 bytes in the encoding of the file
    system, without a separator, a NUL byte or a leading dot. Anything else
    raises `InvalidName`. A *path* leads to a file; where a verb takes a name
    or a path, its leading elements are stripped, so that a path from `list`
    can be handed back and no path can leave the store. A space that the store
    does not have raises `InvalidSpace`.

    Symbolic links and special files in a space belong to nobody: they are not
    listed and not claimed, and a verb that meets one raises `NotRegular`. The
    directory of the store itself may be reached through a link; a space that
    is one raises `InTheWay`.

    Each verb, or what it returns when it is used, raises `NotPrepared` when
    the store is not there, unless the store prepares itself when it is first
    used: a `FileStore` does so with `prepare=True`, and the directive in ZCML
    by default. `OSError` from the disk (full, read-only, forbidden, failing)
    passes through with the path in its `filename`.

    Two links to one file (link(2)) do not count as two files: they are what a
    crash inside a move leaves behind. To work on a file in `cur` again, move
    or copy it to `new`.

    One store object may be used by several threads, and after a fork.

    What happens is logged by one logger per module, below
    ``gocept.filestore``, with path and attempt: published files and given up
    ones as info, claims as debug, what processes have left that died as
    warnings. Nothing is logged when nothing happens.
    """

    path = zope.interface.Attribute(
        'The directory of the store, as it was given. A relative one starts '
        'at the working directory of when the object was made. Readonly.')

    sub_dirs = zope.interface.Attribute(
        'A tuple with the names of the spaces that `prepare` makes: tmp, new '
        'and cur. Readonly.')

    durable = zope.interface.Attribute(
        'True if a published file survives a power cut: file and directory '
        'are synced (fsync(2)) before publishing returns. False leaves out '
        'every sync. Readonly.')

    file_mode = zope.interface.Attribute(
        'The exact permission bits of files that the store makes, an int like '
        '0o660, whatever the umask; or None, for what the umask leaves of '
        '0o666. They are set before the file becomes visible. Readonly.')

    directory_mode = zope.interface.Attribute(
        'The exact permission bits of directories that the store makes, an '
        'int like 0o2770, whatever the umask; or None, for what the umask '
        'leaves of 0o777. Parents of the store get the latter. Readonly.')

    retry_policy = zope.interface.Attribute(
        'The `IRetryPolicy` for files that fail. By default there are 5 '
        'attempts; the delay between them begins with 60 seconds and doubles '
        'up to an hour, less up to a tenth by chance, so that what has failed '
        'together is not tried together. Readonly.')

    quiet = zope.interface.Attribute(
        'None, or a number of seconds, for a store into whose `new` others '
        'write plain files: `claim` takes a file when it has not changed for '
        'so long since this store first saw it, and no process has it open '
        'for writing. The kernel tells that by a lease, fcntl(2), on Linux '
        'and local file systems, to the owner of the file and to root; where '
        'it does not, a `RuntimeWarning` says so, and the time has to do. '
        'Readonly.')

    in_doubt = zope.interface.Attribute(
        "What becomes of a two-phase batch whose process has died between "
        "vote and commit: None, it waits for `settle`; 'commit' or 'abort', "
        'whoever claims or publishes next does that. Readonly.')

    def prepare():
        """Make the directories of the store that are missing.

        Parents of the store are made, too. What is there already is left as
        it is; a second call does nothing. A durable store syncs its own
        directory and its parent.

        Raises `InTheWay` with the path of what is there and no directory.
        """

    def create(filename, mode='w', encoding=None, errors=None, newline=None):
        """Create a draft in `tmp` and return the open file.

        The file is a plain one, of the builtin `open`: the caller closes it,
        then moves it to `new`. `mode` is a mode of `open` that can write,
        else `ValueError` is raised. Text is UTF-8 unless `encoding` says
        otherwise.

        - 'w' starts a draft of that name anew that was left behind. It is
          replaced, and never truncated: it may be linked elsewhere.
        - 'x' raises `FileExistsError` for it.
        - 'a' and 'r+' write on. A draft with a second name elsewhere raises
          `NotRegular`, because that file would change, too.

        `DraftInUse` is raised when a live process has the draft open through
        this verb; it can be made again as soon as that file is closed. If the
        process dies, the draft stays in `tmp`.
        """

    def copy(filename, source, destination, replace=True):
        """Copy a file from source space to destination space.

        Takes a name or a path. The copy appears whole or not at all, in every
        space; in a durable store it is synced when this returns. It has the
        permission bits of its source and its group. If the group can not be
        given, it has the bits that the group and the others both have; if the
        source has an ACL, acl(5), it has none, and no bits for the group. A
        file of that name in the destination
        is replaced, or raises `NameTaken` with `replace=False`.

        Spaces are tmp, new, cur and failed; work may be a source. A draft
        that a live process is writing is neither copied nor replaced:
        `DraftInUse`.

        If the process dies, a draft with a unique name stays in `tmp`.
        Raises `NoSuchFile`.
        """

    def move(filename, source, destination, replace=True):
        """Move a file from source space to destination space.

        Takes a name or a path. Used to move a file from tmp to new when it is
        whole, or from new to cur. A file of that name in the destination is
        replaced, or raises `NameTaken` with `replace=False` and nothing is
        changed.

        Moving from tmp in a durable store syncs the file before and the
        destination afterwards. A draft that a live process is writing is
        neither moved nor replaced: `DraftInUse`.

        Over a network `replace=True` is not exact: of two hosts that move the
        same file, both may be told that they did (measured). To take a file,
        use `claim`.

        Where the file system can not rename without replacing (it answers
        EINVAL to renameat2(2), as MooseFS and GlusterFS do), a file in `new`
        that another process is taking at this moment is waited for; after ten
        seconds `NameTaken` is raised. The same goes for `publish`. Replacing
        a file in `new` by other means, like mv(1), is not safe there.

        Spaces are tmp, new, cur and failed. Raises `NoSuchFile`, a
        `FileNotFoundError`, for whoever comes too late.
        """

    def remove(filename, space):
        """Remove a file from the given space (tmp, new, cur or failed).

        Takes a name or a path. A symbolic link is removed itself, never what
        it leads to; anything else that is no file raises `NotRegular`, and a
        draft that a live process is writing `DraftInUse`. Raises
        `NoSuchFile`.
        """

    def list(space):
        """List the files in the given space with their full path names.

        All spaces may be listed, work and attempts as well. Returns a new
        list, sorted by name. Regular files only; names with a
        leading dot are left out. A space that is made on first use and has
        not been yet is empty.
        """

    def publish(filename=None, mode='w', replace=False, encoding=None,
                errors=None, newline=None):
        """Return an `IPublication`, which puts a new file into `new`.

        Used as `with store.publish('a.xml') as f: f.write(...)`. Without a
        name a unique one is taken which sorts by time, in the form of
        maildir(5): seconds, microseconds, process, counter, host. `mode` is
        'w', 'wb', 'w+' or 'w+b' as for the builtin `open`, with which 'wt' and
        'wb+' mean the same; else `ValueError` is raised.

        Like `claim` and `batch` it carries on with the batches of processes
        that have died, see `IBatch`. What goes wrong with them is told by
        `claim`, when nothing else waits, and by `status`; only `NotSynced`
        is raised at once. `InvalidName` is raised for a bad name; what leaving
        the block raises, and what `replace` decides, see `IPublication`. Text
        is UTF-8 unless `encoding` says otherwise.
        """

    def claim():
        """Take a waiting file and return an `IClaim`, or None if none waits.

        A file in `work` comes first whose process has died, or whose time to
        be tried again has come. `work` is looked through every tenth of a
        second, but in no more than 3 % of the time: if thousands wait there,
        it takes some seconds until all have had their turn. At most a hundred
        of them are looked into before one of `new` is claimed, and all before
        None is returned.

        Of `new`, it is the file that has been there longest (st_ctime, which
        its move there has set), then by name. One listing of `new` serves
        many calls, so that the cost of a call does not grow with the backlog;
        None is said only after a new listing.

        Where others work as well, the next file of this listing may have gone
        already. After two of them in a row, up to 64 of the next ones, and at
        most a sixteenth of what is left, are left to the others: so the order
        is that of age but for some files for each process, and not each
        process tries each file. What was left to others is looked at again,
        in a new listing, after a tenth of a second, or 33 times as long as
        the listing has taken.

        A store that is moved aside is noticed within a tenth of a second.

        Exactly one of many processes and threads gets a file. Nobody waits: a
        file that another one holds, or whose name is in work already, is
        passed over. What is wrong with one file does not keep others waiting:
        if it may not be opened or moved, or if it can not be written down
        that its process has died, it is passed over as well, and its
        `OSError` is raised when nothing else is left.

        A process that dies with a claim, in whatever way, leaves its file in
        `work` without a lock, for the next call in any process (the lock,
        flock(2), goes with the last descriptor of the file: children that
        were forked without exec share it). This counts as an attempt, and is
        written down by the call that takes the file over. If the policy
        allows no other one, that call moves the file to `failed`.

        A file that failed and lies in `new` was put back by somebody: its
        attempts begin anew.
        """

    def claims():
        """Yield one claim after the other until none is left.

        The same as calling `claim` until it returns None. Each claim is to be
        settled before the next one is asked for.
        """

    def select(include=('*',), exclude=(), order='age', retry_policy=None):
        """Return an `ISelection`: some of the files, in an order of its own.

        `include` and `exclude` are sequences of patterns for names, as in the
        shell and case-sensitive (fnmatch). `order` is 'age', those first that
        have been in `new` longest, 'name', or 'directory': in no particular
        order, for a million of files, of which the others have to look at
        each one before the first claim. `retry_policy` is an
        `IRetryPolicy` for what is claimed through it, None for the store's.

        Files of `work` come first in any case: those that are due, or whose
        process has died. Raises `ValueError` for another order, `TypeError`
        for patterns that are one string.
        """

    def watch(poll=POLL):
        """Return an `IWatch`, which yields claims for ever.

        `poll` is the longest time in seconds, a number above 0, between two
        looks at a store in which nothing waits. A look that takes longer
        than a fiftieth of that makes the time longer, too, up to ten
        seconds. Raises `ValueError` for other numbers.
        """

    def batch(two_phase=False):
        """Return an `IBatch`: what is published, finished and removed in one.

        `two_phase` is for who coordinates a batch with others, such as
        databases, by `IBatch.vote` and `IBatch.commit`. If the process dies
        between these two, only the others may know what was decided: the
        batch is in doubt, shown by `status` until it is settled. Without
        `two_phase` it is aborted then, by whoever claims or publishes next.
        """

    def settle(commit, intents=None):
        """Commit (True) or abort (False) what is in doubt.

        `intents` is a sequence of names from `status`, or None for all that
        are in doubt. Returns the names of those that were settled. To abort
        removes the drafts; what was claimed, or was to be removed from `new`,
        is taken over by the next claim.

        Raises `NoSuchFile` for an intent that is not in doubt (any more), and
        for one that can not be committed because somebody has taken a draft
        from `tmp` or a file from `work` by hand; nothing of that one is done,
        and the others are settled before. `TypeError` is raised for a string.
        If the process dies, the next one goes on with what was committed.
        """

    def failures():
        """Return what has failed for good, as a list of dictionaries.

        One for each file in `failed`, those first that have been there
        longest:

            filename    its name there
            age         seconds since it came there, or got a number because
                        a newer one of its name came
            attempts    how many there were, 0 if it was moved by hand
            error       what the last one has failed with, or None
        """

    def retry(filename):
        """Put a file that has failed back into `new`.

        Takes a name or a path. It lies in `failed`, or waits in `work` for
        its next attempt. Its attempts begin anew; the old ones stay written
        down until it is done. One that has got a number in `failed`, like
        a.xml.~1~, gets its own name back, unless somebody has moved it there
        by hand.

        Raises `NoSuchFile`, and `NameTaken` when a newer one of its name
        waits in `new`; then nothing is changed. If the process dies, the file
        is in one of the two spaces; with two names for a moment, the next
        claim removes the one in `failed`.
        """

    def clean(space, older_than=None):
        """Remove old files from tmp, cur or failed; return their names.

        `older_than` is the age in seconds, a number, or a
        `datetime.timedelta`. For tmp the default is 36 hours, as maildir(5)
        has it; for the others it has to be given, else `ValueError` is
        raised. Age counts from st_ctime: when the file came into the space,
        or was last changed there.

        A draft that a live process is writing is left alone (also if it was
        opened by other means, where the kernel can tell, see `quiet`), and so
        is whatever another process has locked; a claimed file lies in `work`,
        which can not be cleaned: `InvalidSpace`. The attempts of a file from
        `failed` are removed with it. Links and special files stay. Between
        the writing and the move a draft is nobody's for a moment, and one of
        a batch until its vote: with an age as short as that it may be
        removed, and whoever publishes it gets `NoSuchFile`, or `DraftInUse`
        just then.

        The names are in order of age, oldest first. What is wrong with one
        file does not keep others: its `OSError` is raised at the end. If the
        process dies, the rest stays; one file may lie in `tmp` with a unique
        name, and is removed from there in its time.
        """

    def status():
        """Return what lies where, as a dictionary that json can write.

            store       the path
            spaces      for each of tmp, new, work, failed, cur and attempts
                        a dictionary: files, bytes, and oldest, the age in
                        seconds of what has been there longest, or None
            claims      a list with a dictionary for each file in `work` that
                        does not wait, longest there first: filename, age in
                        seconds since it came there, attempt, and alive: False
                        if its process has died and nobody has taken it over
            waiting     for the next attempt: files, and next: seconds until
                        the next one is due (0 if it is), or None
            intents     a list with a dictionary for each batch whose process
                        has died before its end, oldest first: intent, its
                        name; age in seconds since its vote; decided: False if
                        it is in doubt; publish, finish and remove, each a
                        list of names. One that is decided is carried out by
                        whoever claims or publishes next; if it stays, it
                        waits until a name is free in `new`. One without two
                        phases that is not decided is not shown: the next
                        claim aborts it

        Each file counts once, where it was seen last, also while others move
        it; one that comes or goes meanwhile may count or not. An attempt
        that is read while the file goes on is that of now.

        To see whether a process lives, its lock is asked for, so a claim at
        this moment may pass over a file that is about to be taken over, or a
        batch that is about to be carried on.
        """

    def intake(directory, quiet=5, marker=None, include=('*',), exclude=()):
        """Return an `IIntake`, which takes over files from a folder.

        For folders of FTP, SFTP and scanners, whose writers do not know of
        the store. `quiet` is a number of seconds; a file is ready when it
        has not changed for so long, counted from when it was first seen, and
        whatever its mtime says. Writers that close and open a file again
        want it longer than their pauses. With 0, a writer that is just about
        to open a file is not seen. A writer that has died looks like one that
        is done.

        With a `marker` like '.done' a.xml is ready when a.xml.done is there,
        and there is no quiet period. A name that ends with the marker is that
        of a marker. It is removed before its file is published. Who writes a
        file anew waits until the old one, or its marker, has gone.

        `include` and `exclude` are sequences of patterns for names, as in the
        shell and case-sensitive (fnmatch). Directories, and names with a dot
        in front, are never looked at.

        Nothing is done before `IIntake.take`. Raises `ValueError` for an
        empty path or a marker that can not be one, `TypeError` for patterns
        that are one string.
        """


class IPublication(zope.interface.Interface):
    """A file on its way into `new`, as a context manager.

    Entering makes a draft with a unique name in `tmp` and returns it, a plain
    file of the builtin `open`. Leaving the block publishes: the draft is
    flushed, closed and moved to `new` under its own name. In a durable store
    it is synced before the move and `new` after it; nothing more is needed on
    ext4, xfs and btrfs, and nothing less will do (measured). The caller may
    have closed the file inside the block.

    When leaving raises, or the block did, nothing is left behind. The errors
    are `NameTaken` (without `replace`), and `OSError` of the disk, for
    example for a full one. There is one exception: if syncing `new` fails,
    the last step, the file is visible already, and may not survive a power
    cut. A second use raises `Settled`.

    A store that is moved aside and made anew is noticed within a tenth of a
    second; until then, files may be published into the old one.

    If the process dies, a draft with a unique name stays in `tmp`.
    """

    filename = zope.interface.Attribute(
        'The name in `new`: as given, or the unique one. Readonly.')


class IClaim(zope.interface.Interface):
    """A file that this process, and nobody else, works on.

    A context manager: leaving the block finishes; an exception fails the
    attempt and goes on to the caller, `Retry` and `Reject` as well. An
    exception that is no `Exception`
    (KeyboardInterrupt, SystemExit) is not the file's fault and releases it.
    Inside the block the claim may be settled by hand.

    A claim is settled by one of `finish`, `fail` and `release`; each raises
    `Settled` after that, and so do `open`, `fileno` and entering the block.
    If it raises an `OSError` the claim stands, and it may be tried again,
    except after `NoSuchFile`: somebody took the file from `work` by hand, and
    nothing is left to settle. A claim that nobody settles, or whose block is
    left with an error of settling it, counts as left by a process that died,
    as after `drop`; the former warns with a `ResourceWarning`. In a forked
    child, dropping the claim or leaving the block does not settle it.

    While a file is being worked on, a newer one of its name waits in `new`.
    """

    filename = zope.interface.Attribute('The bare name. Readonly.')

    path = zope.interface.Attribute(
        'The path of the file in `work`, good until the claim is settled. It '
        'is for reading: the file is visible to others. Readonly.')

    attempt = zope.interface.Attribute(
        'The number of this attempt, an int from 1. Attempts that failed or '
        'whose process died count, since the file was published, or was put '
        'back after it had failed. Readonly.')

    def open(mode='r', encoding=None, errors=None, newline=None):
        """Open the file for reading and return it, from its beginning.

        `mode` is 'r', 'rt' or 'rb', else `ValueError` is raised: what lies
        outside `tmp` is never half-written. Text is UTF-8 unless `encoding`
        says otherwise. The caller closes it; it may be opened several times.
        """

    def fileno():
        """Return the descriptor that holds the lock.

        A command that inherits it (`subprocess`: `pass_fds`) keeps the claim
        alive as long as it runs, even if this process dies.
        """

    def finish(keep=True):
        """Say that the work is done.

        The file moves to `cur`, where an older one of its name is removed
        first; or is removed with `keep=False`. If the process dies before the
        move, the file is worked on again: at least once.
        """

    def fail(error):
        """Say that the attempt did not succeed, and why.

        `error` is an exception or a string. The event goes as one JSON line
        into the attempts file of that name, with time, host, process, error,
        traceback, and when the file is due to be tried again. The attempts
        file is replaced as a whole, so nothing can tear it. Then the file
        waits in `work`, and newer ones of its name in `new` behind it.

        When the policy of the store says so, or `error` is a `Reject`, the
        file is given up: it moves to `failed`, and a newer one in `new` is
        free to go. An older one of that name in `failed` gets a number, as
        GNU cp --backup=numbered does: a.xml.~1~. A `Retry` says when the file
        is due, unless the policy gives it up.

        If the event can not be written, its `OSError` is raised and nothing
        has changed. If the process dies before the event is written, that
        counts as the attempt; if it dies between the event and the move, the
        next claim by anybody moves the file to `failed`.
        """

    def release():
        """Give the file back to `new`, without counting an attempt.

        If a newer one of that name waits there, the file stays in `work` for
        the next claim, so that it goes first.
        """


class ISelection(zope.interface.Interface):
    """Some of the files of a store, see `IFileStore.select`.

    Several selections of one store do not know of each other; no file is
    claimed twice if it belongs to two.
    """

    store = zope.interface.Attribute(
        'The `IFileStore` that it selects from. Readonly.')

    def claim():
        """Return an `IClaim`, or None, as `IFileStore.claim` does."""

    def claims():
        """Yield one claim after the other, as `IFileStore.claims` does."""

    def watch(poll=POLL):
        """Return an `IWatch`, as `IFileStore.watch` does."""


class IWatch(zope.interface.Interface):
    """An iterator of claims that waits for more when there are none.

    File notification (inotify(7), with the extra ``[watch]``) only wakes it:
    what is claimed is decided by a listing, as by `IFileStore.claim`. So it
    misses nothing: neither what was there before, nor what comes in a burst,
    nor what no notification tells of, like a file from another host, one that
    is due to be tried again, or one whose process has died. These are found
    by the next look, see `IFileStore.watch`.

    At the first look, and after the store was moved aside and made again, a
    probe is moved into `new` to see whether notification works here. How it
    waits is logged by ``gocept.filestore.queue.watch`` (info).

    An error of `IFileStore.claim` is raised, and the next call goes on. One
    thread uses it at a time, except for `stop`.
    """

    notifies = zope.interface.Attribute(
        'True if a notification wakes it, False if it only polls, None before '
        'the first look. Readonly.')

    def __iter__():
        """Return itself."""

    def __next__():
        """Return the next `IClaim`; wait as long as there is none.

        Raises `StopIteration` when it was stopped.
        """

    is_stopped = zope.interface.Attribute(
        'True as soon as `stop` was called. Readonly.')

    def pause(seconds):
        """Wait for so many seconds, a number, or until it is stopped.

        It does not wait for files, and a number below 0 is 0.
        """

    def stop(*args):
        """End the iteration: at once if it waits, else with the next call.

        May be called from another thread, from a signal handler (which is
        why it takes, and ignores, arguments), and twice.
        """


class IBatch(zope.interface.Interface):
    """What is published, finished and removed together or not at all.

    A context manager: leaving the block votes and commits; an error inside
    aborts and goes on to the caller. After that, each verb but `abort` raises
    `Settled`.

        with store.batch() as batch:
            with batch.publish('a.xml') as f: ...
            batch.finish(claim)

    On the disk it goes like this. Each publication is a draft in `tmp`. The
    vote syncs all of them together, and writes an intent, a file that tells
    what is to be done, into `voted`. To commit, the intent moves to
    `committed`: that decides. Then the drafts move to `new`, one after the
    other, the claimed files leave `work`, and the intent is removed.

    If the process dies, then what is not decided is not done: it is aborted,
    or in doubt, see `IFileStore.batch`. What is decided is carried on by
    whoever claims or publishes next, within a tenth of a second, and before a
    claim says that nothing waits. In a durable store that holds for a power
    cut as well. Until then, files of an intent are not claimed and drafts are
    not cleaned. Others may see a part of it for a moment. A file whose mtime
    somebody changes after the vote counts as another one: it is worked on
    again if the process dies just then.

    A batch that is dropped, without `commit` and `abort`, lets go of its locks
    at once. What it leaves on the disk is as if the process had died, but for
    the claims: they stay with the caller.

    Somebody may remove a file by hand between vote and commit. Then this one
    is left out, and all the rest is done; no other file that has its name by
    then is touched, and nothing of it is left for others to do. A file that
    was to be removed is simply done: one that `remove` was called for, and a
    claimed one to be finished with keep=False. A draft, or a claimed file that
    was to be kept, is a loss: `commit` raises `NoSuchFile` for the first one
    after all is done, and each is logged as an error. So does
    `IFileStore.settle` if it goes while that commits; what has gone before
    that can not be committed. Who goes on with what another process has
    decided can not tell what was lost from what was done.

    In a forked child, leaving the block does nothing, and each verb raises
    `Settled`. A child that was forked without exec between vote and commit
    shares the lock of the intent: if the parent dies, nobody goes on before
    the child has ended.
    """

    def publish(filename=None, mode='w', replace=False, encoding=None,
                errors=None, newline=None):
        """Return an `IPublication` that becomes visible with the batch.

        Arguments as of `IFileStore.publish`. Leaving its block closes the
        draft, and makes the publication a part of the batch; an error inside
        leaves nothing behind. Raises `NameTaken` when the block is left and
        the name was published in this batch before. Whether it is taken in
        `new` is looked for in the vote.
        """

    def finish(claim, keep=True):
        """Finish an `IClaim` with the batch.

        Until then it stays claimed, and after an abort it is still up to the
        caller. Raises `Settled` for one that is settled or was finished in
        this batch before, `ForeignClaim` for that of another store, and
        `TypeError` for what is no claim of `IFileStore.claim`.
        """

    def remove(filename, space):
        """Remove a file from new, cur or failed with the batch.

        Takes a name or a path. From the vote on nobody claims it: a file of
        `new` lies in `work` then, and goes back with `abort`. Raises
        `NoSuchFile`, also if it was removed in this batch before,
        `NotRegular`, and `InvalidSpace`; the vote raises `NameTaken` if
        another file of that name is in work.
        """

    def savepoint():
        """Return an int that stands for what has been done up to now."""

    def rollback(savepoint):
        """Undo what was added to the batch after a savepoint.

        May be called again with the same one, and with an earlier one.
        """

    def vote():
        """Do all that may fail, for who coordinates the batch with others.

        In this order: look whether drafts and claims are there; sync the
        drafts, then `tmp`; write the intent and sync it; look for names that
        are taken in `new`, or that another batch is about to publish. Of two
        batches with one name at most one passes.

        Raises `NameTaken`, `NoSuchFile`, `NotPrepared`, `Settled` (a claim
        that was settled meanwhile), and `OSError` of the disk. Whoever gets
        an error calls `abort`. After the vote only `commit` and `abort` may
        be called. A batch without parts writes nothing.
        """

    def commit():
        """Decide, and do what was voted on.

        Should somebody who knows nothing of batches publish a file under one
        of the names after the vote, that file goes first. Ours moves to `new`
        when the name is free: whoever claims or publishes next does that.

        Raises `Settled` without a vote. What goes wrong in the first step
        leaves the batch undecided: `abort` is still to be called. After that
        it is decided, also if an `OSError`, or a `KeyboardInterrupt`, keeps
        this call from doing all of it: it is raised, claims count as settled,
        and whoever claims or publishes next does the rest. `NoSuchFile`, for a
        file that was removed by hand, and `Settled`, for a claim that was
        settled after the vote, tell that nobody can do this part any more;
        the rest is done. `NotSynced` means that what was done, or decided, may
        not survive a power cut.
        """

    def abort():
        """Leave no trace. Legal at each moment and twice.

        When it was decided, and after leaving the block, it does nothing.
        """


class ITransactionalFileStore(zope.interface.Interface):
    """A file store as seen from the current transaction.

    Adapts `IFileStore`, if the package transaction is installed. What is done
    here happens when the transaction commits, together with the databases, or
    not at all. The transaction is the one that its manager has at the moment
    of each call, so one object may be used for all of them. The manager is
    `transaction.manager`, which has one for each thread, unless
    `gocept.filestore.datamanager.TransactionalFileStore` gets another one as
    second argument: in Pyramid with its explicit manager that is `request.tm`.

    The store votes and finishes after ZODB, and before those who commit in
    their vote (sort keys like ~sqlalchemy). Everything that may fail
    is done in the vote, see `IBatch.vote`; finishing only moves. Should the
    process die between the two, the batch is in doubt, see `IFileStore.batch`
    and `IFileStore.settle`.

    Savepoints of the transaction are real: rolling back to one undoes what
    was published, finished or removed after it, and gives back what was
    claimed after it. A publication counts when its block is left.

    Each verb raises `OutsideTransaction` when none has begun and the manager
    is in explicit mode.
    """

    def publish(filename=None, mode='w', replace=False, encoding=None,
                errors=None, newline=None):
        """Return an `IPublication`; visible after the commit.

        See `IBatch.publish`. If the transaction ends before its block is
        left, it raises `Settled` and leaves nothing behind.
        """

    def claim():
        """Claim a file for this transaction; None if none waits.

        Returns an `IClaim` which `finish` settles with the commit, and so
        does leaving its block. If the transaction aborts, or commits without
        having finished it, the file waits again and no attempt is counted. An
        exception that leaves the block counts none either: call its `fail` to
        count one, at once and whatever becomes of the transaction.
        """

    def finish(claim, keep=True):
        """Finish a claim of the store with the commit, see `IBatch.finish`.

        For one that was made by `IFileStore.claim`: after an abort it is still
        up to the caller.
        """

    def remove(filename, space):
        """Remove a file with the commit, see `IBatch.remove`."""


class IIntake(zope.interface.Interface):
    """Takes over what others drop into a folder, each file when it is whole.

    A file that is ready (see `IFileStore.intake`) is renamed into the hidden
    directory .filestore inside the folder, made on first use. From then on
    nobody can open it by its path. There it waits until no process has it
    open for writing, as a lease of the kernel tells, fcntl(2), and until its
    name is free in `new`. Then it moves to `new`, and never replaces. A newer
    file of its name waits in the folder.

    A lease can be had on local file systems of Linux (ext4, xfs, btrfs,
    tmpfs, overlay), on one's own files, or with CAP_LEASE on all. Elsewhere
    `leases` is False, and without a marker the quiet period has to pass a
    second time, after the renaming.

    The file that is published is the one that was dropped, with its owner and
    its mode; `IFileStore.file_mode` is given to it, if the store has one. A
    copy takes its place where the folder is on another device, or where we
    may not change its mode. Whoever owns a file can still change it later.

    Any number of processes and hosts may do this with one folder: one works,
    for the others nothing is to be done at that moment (flock(2)). If it
    dies, the next `take` of any of them goes on with what is hidden. A file
    is published once; twice only if the process dies after it was copied from
    another device, or after linking where the file system can not rename
    without replacing, and was then done and removed.
    """

    directory = zope.interface.Attribute(
        'The path of the folder, as it was given. A relative one starts at '
        'the working directory of when the object was made. Readonly.')

    waiting = zope.interface.Attribute(
        'A dictionary of the names that the last `take` has left for later, '
        'each with the reason, a string. Readonly.')

    refused = zope.interface.Attribute(
        'A dictionary of the names that the last `take` could not take over, '
        'each with its error. Readonly.')

    leases = zope.interface.Attribute(
        'True or False: whether it could be told of the last file that was '
        'asked about if a process has it open for writing. None as long as '
        'there was none. Readonly.')

    def take():
        """Publish what is whole, and return the names in that order.

        What is hidden already comes first, then the file whose last change
        (st_ctime) is longest ago, then by name. The quiet period goes on from
        one call to the next. A call while another process or thread is at it
        returns an empty list and changes nothing.

        What is wrong with one file does not keep others: it is left where it
        is, its error is noted in `refused`, and it is tried again by the next
        call. Errors are `NotRegular` for a link, a special file, or a file
        with another name elsewhere (somebody might write to it); `InvalidName`
        for a name that a store can not have; and `OSError` of the disk, for
        example a `PermissionError` for a file that may not be read.

        Raises `InvalidSpace` for a folder that is a part of the store,
        `InTheWay` for a .filestore that is no directory, `NotRegular` for a
        .lock in it that is no file, and `OSError` for a folder that is
        missing, unreadable, or read-only. Raises `NotSynced` at once. If it
        was the file that could not be synced, it stays hidden, and later
        calls note it in `refused` and go on with the others. If it was `new`,
        the file is visible, and may not survive a power cut.
        """


class IRetryPolicy(zope.interface.Interface):
    """Decides when a file that has failed is tried again."""

    def delay(attempt, error):
        """Return the seconds to wait for the next attempt, or None to give up.

        `attempt` is the number of the attempt that has failed, from 1;
        `error` is what `fail` got, an exception or a string, or None when the
        process has died. After a death nobody waits: only None counts.

        Called before anything is written down; what it raises goes to the
        caller of `fail`, or of `claim` when a process has died, and the file
        stays as it is.
        """


class IConsumer(zope.interface.Interface):
    """Claims files, lets a handler work on each, and settles them.

    A `gocept.filestore.consumer.Consumer` is made of an `ISelection`, or of an
    `IFileStore` to take all files of it, and of a handler, a callable that
    gets an `IClaim`. When the handler returns the claim is finished, when it
    raises an `Exception` it fails, and the next file has its turn. The
    handler may settle, or drop, the claim by itself. What is no `Exception`,
    such as KeyboardInterrupt, releases the claim and goes on to the caller.
    Further arguments, all of which may be left out:

        keep        True: done files are kept in `cur`; False: removed
        transaction_manager
                    the handler and the settling happen in one transaction of
                    it. What conflicts (a TransientError) is tried three times
                    in all; then the file is given back, and no attempt is
                    counted. Each try gets the same claim. (Extra
                    ``[transaction]``)
        rate        files per second, at most
        timeout     seconds for one file; then `TimeoutError` is raised in the
                    handler, by SIGALRM: in the main thread only
        poll        see `IFileStore.watch`

    `ValueError` is raised for bad ones, and without the package transaction.

    An `OSError` of claiming is logged once, and after a pause it is tried
    again: after a second, then twice as long each time, up to a minute. The
    logger is ``gocept.filestore.consumer``: each file that is done is an info
    with its path, attempt and seconds, each one that fails is an error with
    its traceback. If it can not be settled, that is logged as well, and the
    claim is left as by a process that dies.
    """

    def run():
        """Work until it is stopped; wait when there is no file."""

    def drain():
        """Work until no file is left, or until it is stopped."""

    def stop(*args):
        """Let the file that is in work be done, and begin no other one.

        May be called from another thread, from a signal handler, and twice.
        """


class IHandler(zope.interface.Interface):
    """Works on files, one at a time: a callable, or a utility."""

    def __call__(claim):
        """Work on the file of an `IClaim`.

        See `IConsumer` for what becomes of the claim.
        """


class IDeclaration(zope.interface.Interface):
    """A consumer as declared by ``filestore:consumer`` in ZCML.

    A utility, whose name is `title`. Nothing is looked up or started before
    its methods are called, so whatever order things are registered in.
    """

    store = zope.interface.Attribute(
        'The name of the `IFileStore` utility. Readonly.')

    name = zope.interface.Attribute(
        'The name of the consumer, which distinguishes it from others of the '
        'same store; mostly empty. Readonly.')

    title = zope.interface.Attribute(
        'The name of the store, followed by a slash and the name of the '
        'consumer if it has one: a string. Readonly.')

    workers = zope.interface.Attribute(
        'How many processes run it, an int from 1, or None: that is up to '
        'who runs them. Readonly.')

    def check():
        """See whether it can run here; make the store if it wants that.

        Raises `InvalidDeclaration` if a store or handler of that name is not
        registered, if the options do not fit, and if a directory of the store
        is missing or may not be read and written by this process.
        """

    def consumer():
        """Return a new `IConsumer`.

        Who declares a consumer is trusted: no permission of the store is
        asked for. Raises `InvalidDeclaration` for what does not lie on the
        disk.
        """


class IServer(zope.interface.Interface):
    """Runs declared consumers in worker processes.

    A `gocept.filestore.server.server.Server` is made of a callable that reads
    the configuration and returns an `IDeployment`. The process itself never
    loads an application: what is declared is found out, and checked, by a
    child process, and each worker loads the application anew. So a worker
    shares nothing with the others, neither threads nor connections.

    A worker that dies is started again, after a second; if it dies again,
    after twice as long, up to a minute; one that has lived for a minute
    begins anew. Its file is taken over by the next claim, as ever, and the
    death counts as an attempt. If the server itself is killed, its workers
    end with the file they work on.

    The loggers are ``gocept.filestore.server.server`` and
    ``gocept.filestore.server.worker``.
    """

    def run():
        """Run the workers until it is stopped, and wait for their end.

        Called in the main thread. Raises `InvalidDeclaration`, before
        anything is started.
        """

    def stop(*args):
        """End, and let each worker finish the file that it works on.

        May be called from a signal handler, and twice.
        """

    def reload(*args):
        """Read the configuration anew.

        If that is wrong, it is logged, and the workers go on as before.
        Otherwise each of them finishes the file that it works on; when all
        have ended, others are started with the new configuration.

        May be called from a signal handler, and twice.
        """


class IDeployment(zope.interface.Interface):
    """Tells a server what to run."""

    workers = zope.interface.Attribute(
        'The number of workers for consumers that do not say how many, an '
        'int from 1. Readonly.')

    pid_filename = zope.interface.Attribute(
        'The path of a file for the process id of the server, or None. '
        'Readonly.')

    def load():
        """Set up the component architecture, with the declarations.

        Called in a worker. Raises `InvalidDeclaration` for mistakes.
        """

    def start_logging():
        """Let the log go where the configuration says. Called in the server.
        """


class IFileStoreEvent(zope.interface.Interface):
    """Something has happened to a file of a store.

    Events are sent through zope.event, in the process and thread that does
    it, when it is done on the disk, and before the verb returns. Without
    subscribers they cost next to nothing.

    An error in a subscriber goes to whoever has called the verb, and undoes
    nothing: a file stays published, a claim settled. There is one exception:
    if it comes from `IClaimed` or `ITakenOver`, the claim is released first,
    as nobody would get it. Of several subscribers the later ones are not
    called then.

    An event is sent at most once: whoever dies at that moment has not sent
    it. Nothing is sent for what clients do that know nothing of us, like mv.
    """

    filename = zope.interface.Attribute('The bare name. Readonly.')

    store = zope.interface.Attribute('The path of the store. Readonly.')


class IPublished(IFileStoreEvent):
    """A file has come into `new`: published, moved, copied or taken in.

    In a batch they are sent for all files when all of it is done, by whoever
    does that. Not sent for a file that is given back, or tried again.
    """


class IClaimed(IFileStoreEvent):
    """A file was claimed from `new`."""

    attempt = zope.interface.Attribute(
        'The number of the attempt, an int from 1. Readonly.')


class ITakenOver(IClaimed):
    """A file was claimed in `work`: its process had died, or it was due."""


class IFinished(IFileStoreEvent):
    """The work with a file is done."""

    attempt = zope.interface.Attribute(
        'The number of the attempt that succeeded, an int from 1. Readonly.')


class IFailed(IFileStoreEvent):
    """An attempt has failed. The file waits in `work`, if there is another.
    """

    attempt = zope.interface.Attribute(
        'The number of the attempt that failed, an int from 1. Readonly.')

    error = zope.interface.Attribute(
        'What `IClaim.fail` got, an exception or a string. Readonly.')


class IGivenUp(IFailed):
    """The last attempt has failed, and the file lies in `failed`.

    If the worker has died, it is sent by whoever has taken the file over; the
    error is a string then.
    """


class IFinding(zope.interface.Interface):
    """What a look at one thing of a store has shown."""

    subject = zope.interface.Attribute(
        'What was looked at: one word, like flock. Readonly.')

    verdict = zope.interface.Attribute(
        'One of three words. ok: it is as it should be. note: the store works '
        'with it, but somebody should know. problem: a promise does not hold, '
        'or a file does not go its way. Readonly.')

    sentence = zope.interface.Attribute(
        'What was found: one line with store, space and file, whose names are '
        'written as by repr(), so that a terminal can show it. Readonly.')

    remedy = zope.interface.Attribute(
        'What to do, None for ok: one line, a sentence or a command for a '
        'shell (bash(1), if a name has control characters). It removes no '
        'file that has no other name in the store, except for drafts and '
        'attempts that were left behind. Readonly.')


def implementer(*interfaces):
    """Declare what a class implements, and let it show the words of that.

    A contract is written once, here; `help` and editors look at the class.
    """
    def declare(class_):
        for interface in interfaces:
            describe(class_, interface)
        return zope.interface.implementer(*interfaces)(class_)

    return declare


def describe(class_, interface):
    # Python 3.13 takes away what indents words, and -OO the words.
    words = map(dedented, (class_.__doc__ or '', interface.__doc__))
    class_.__doc__ = '\n\n'.join(filter(None, words))
    for name, described in interface.namesAndDescriptions(all=True):
        attribute = vars(class_).get(name)
        if attribute is not None and not attribute.__doc__:
            attribute.__doc__ = described.__doc__


def dedented(words):
    first, _, others = words.partition('\n')
    return (first + '\n' + textwrap.dedent(others)).strip()


class Retry(Exception):
    """Raised by who works on a file, so that it is tried again later.

    The attempt counts; when the policy of the store allows no other one, the
    file is given up. `after` is a number of seconds, or None for the delay of
    the policy. One that is negative or not finite raises `ValueError`. To tell
    the reason as well: ``raise Retry(after=300) from error``.
    """

    def __init__(self, after=None):
        if after is not None and not 0 <= after < math.inf:
            raise ValueError(
                'a delay is a number of seconds from 0, not %r' % (after,))
        super().__init__(
            'to be tried again' if after is None
            else 'to be tried again after %s seconds' % after)
        self.after = after

    def __reduce__(self):
        return type(self), (self.after,)


class Reject(Exception):
    """Raised by who works on a file, with a reason, so that it is given up."""


class FileStoreError(Exception):
    """Something about one file, or one space, of one store.

    `filename` is the bare name (or that of the space, or the path of what is
    in the way, or None), `store` the path of the store and `reason` what is
    wrong; the message is made from them.
    """

    number = None
    sentence = '{0.filename!r} in the file store {0.store!r}: {0.reason}'

    def __init__(self, filename, store, reason):
        super().__init__(filename, store, reason)
        self.filename = filename
        self.store = store
        self.reason = reason
        self.errno = self.number
        self.strerror = reason

    def __reduce__(self):
        return type(self), (self.filename, self.store, self.reason)

    def __str__(self):
        if self.filename is None:
            return 'in the file store %r: %s' % (self.store, self.reason)
        return self.sentence.format(self)


class InvalidName(FileStoreError, ValueError, OSError):
    """A file can not have this name in a store.

    It is a `ValueError`, and an `OSError` for callers that pass on names from
    elsewhere (gocept.sftpcopy logs an `OSError` and goes on with the next
    file), like `io.UnsupportedOperation` of the standard library.
    """

    number = errno.EINVAL
    sentence = ('{0.filename!r} can not be the name of a file in the file '
                'store {0.store!r}: {0.reason}')


class InvalidSpace(FileStoreError, ValueError):
    """A store does not have this space, or the verb does not work on it."""


class NotPrepared(FileStoreError, FileNotFoundError):
    """The directory of the store, or of one of its spaces, is not there."""

    number = errno.ENOENT
    sentence = ('the file store {0.store!r} has no directory '
                '{0.filename!r}: {0.reason}')


class InTheWay(FileStoreError, FileExistsError, NotADirectoryError):
    """Something that is no directory lies where the store wants one."""

    number = errno.ENOTDIR


class NotRegular(FileStoreError, OSError):
    """A link, a directory, a pipe or a device lies where a file should be.

    A store never follows, opens or moves one. Nothing has been changed.
    """

    number = errno.EINVAL


class NoSuchFile(FileStoreError, FileNotFoundError):
    """There is no file of this name in the space."""

    number = errno.ENOENT


class NameTaken(FileStoreError, FileExistsError):
    """A file of this name is there already, and was not to be replaced."""

    number = errno.EEXIST


class DraftInUse(FileStoreError, FileExistsError):
    """A live process is still writing the draft of this name."""

    number = errno.EEXIST


class Settled(FileStoreError, ValueError):
    """The claim, the publication or the batch has come to its end before."""


class ForeignClaim(FileStoreError, ValueError):
    """The claim is one of another store, or its file has left `work`."""


class OutsideTransaction(FileStoreError, RuntimeError):
    """No transaction has begun, and its manager is in explicit mode."""


class NotSynced(OSError):
    """The disk has failed to keep what it was given: fsync(2) has failed.

    It has the error of the disk. It is never tried again, because the kernel
    might say yes the second time although something is lost; and it goes to
    the caller at once, whatever else could be done.
    """


class InvalidDeclaration(ValueError):
    """A consumer that ZCML declares can not run.

    `place` is the file and the line that declare it, a string, or None;
    `reason` is what is wrong, in one line, and the message has both.
    """

    def __init__(self, place, reason):
        super().__init__(place, reason)
        self.place = place
        self.reason = reason

    def __str__(self):
        return ': '.join(filter(None, (self.place, self.reason)))
