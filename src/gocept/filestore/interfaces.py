"""The contracts: the verbs of a store first, then what they hand out."""
import errno
import math
import textwrap
import zope.interface


POLL = 1  # second between two looks, unless somebody says otherwise
ORDERS = 'age', 'directory', 'name'  # in which files can be claimed


def readonly(words):
    """Describe an attribute that only its object sets."""
    return zope.interface.Attribute(words + ' Readonly.')


class IQueue(zope.interface.Interface):
    """Files that wait, all of a store or some, and are claimed one by one."""

    def claim():
        """Take a waiting file and return an `IClaim`, or None if none waits.

        A file in `work` comes first whose process has died, or whose time to
        be tried again has come. `work` is looked through every tenth of a
        second, but in no more than 3 % of the time: if thousands wait there,
        it takes some seconds until all have had their turn. At most a hundred
        are looked into before one of `new` is claimed, all before None.

        Of `new`, it is the file that has been there longest (st_ctime, set by
        its move there), then by name. A listing of `new` serves many calls, so
        that none is slowed by the backlog; None is said only after a new one.

        Where others work as well, the next file of this listing may have gone
        already. At the second such one, and each later one, some files are
        left to the others: by chance up to 64, at most half of the rest, and
        none of the last 16. So the order is that of age but for some of many
        files, and not each process tries each. What was left to others is
        looked at again, in a new listing, after a tenth of a second, or 33
        times as long as a listing takes, and before None is said. A store that
        is moved aside is noticed within a tenth of a second.

        Exactly one of many processes and threads gets a file. Nobody waits: a
        file that another one holds, or whose name is in work already, is
        passed over. So is one that may not be opened or moved, or the death of
        whose process can not be noted; its `OSError` is raised in the end.

        A process that dies with a claim, in whatever way, leaves its file in
        `work` without a lock, for the next call in any process (the lock,
        flock(2), goes with the last descriptor of the file: children that
        were forked without exec share it). This counts as an attempt, and is
        written down by the call that takes the file over. If the policy
        allows no other one, that call moves the file to `failed`.

        A failed file that was put back into `new` by hand begins anew at 1.

        Where the kernel says that claims are not exact (SMB, or a mount whose
        locks stay on this host), the first call of a process for this store
        gives a `RuntimeWarning`, logs it, and goes on. Where none can hold
        (NFS 2 and 3, or inodes that are made up) each call raises `OSError`
        (EOPNOTSUPP) with reason, remedy, and the store as `filename`; nothing
        is taken, and other verbs work.
        """

    def claims():
        """Yield claims, as `claim` returns them, until it returns None.

        Each one is to be settled before the next one is asked for. One that is
        given back, or raises an error, is passed over for a second, then for
        twice as long each time, up to a minute; the error is raised once.
        """

    def watch(poll=POLL):
        """Return an `IWatch`, which yields claims for ever.

        `poll` is the longest time in seconds, a number above 0 (else
        `ValueError`), between two looks at a store in which nothing waits. A
        look longer than a fiftieth of that makes it longer, up to ten seconds.
        """


class IWritable(zope.interface.Interface):
    """What has `publish`, in one call for whose contents are at hand.

    The names and arguments are those of `pathlib.Path`, `replace` and
    `metadata` those of `publish`. They do what that does with a block that
    writes `data`; so its errors are theirs, and what a death in the middle
    leaves. Each returns the name in
    `new`: as given, or the unique one for None.
    """

    def write_bytes(filename, data, replace=False, metadata=None):
        """Publish bytes, or another buffer of them; `TypeError` for a str."""

    def write_text(filename, data, replace=False, encoding=None, errors=None,
                   newline=None, metadata=None):
        """Publish a str, in UTF-8 unless `encoding` says otherwise."""


class IFileStore(IQueue, IWritable):
    """Hands whole files from one process to another, each to exactly one.

    A store is a directory. The state of a file is its space, a subdirectory:

        tmp        drafts: being written
        new        published, waiting
        cur        done (or taken, by a client of the lineage)
        work       claimed: in work, or waiting to be tried again
        failed     given up; wants a person
        attempts   for each name that failed, one JSON line per event
        voted      what batches are about to do, not decided yet (JSON)
        committed  the same, decided and not all done yet

    The first three are made by `prepare`, the others on first use. A space
    that is unknown, or not for the verb, raises `InvalidSpace`.

    A *name* is a bare file name: 1 to 255 bytes in the encoding of the file
    system, without a separator, a NUL byte or a leading dot. All else raises
    `InvalidName`. A *path* leads to a file; where a verb takes a name or a
    path, only the last element counts, so that one from `list` may come back,
    and none leaves the store. What is not there raises `NoSuchFile`.

    Symbolic links and special files in a space belong to nobody: they are not
    listed and not claimed, and a verb that meets one raises `NotRegular`. The
    store itself may be reached through a link; a space that is one raises
    `InTheWay`. A draft that somebody is writing is left alone: `DraftInUse`.

    Each verb, or what it returns when it is used, raises `NotPrepared` when
    the store is not there, unless the store prepares itself when it is first
    used: a `FileStore` does so with `prepare=True`, and the directive in ZCML
    by default. `OSError` from the disk (full, read-only, forbidden, failing)
    passes through with the path in its `filename`.

    A store object may be used by threads, after a fork, and be pickled; and
    after somebody has closed all descriptors, as for a daemon. The stores of a
    process keep at most 256 directories open. What its verbs return belongs
    to the process that called them: to pickle or copy a claim, publication,
    batch, intake, watch or selection raises `TypeError`.

    Two links to a file (link(2)) do not count as two files: a crash in a move
    leaves them. To work on a file in `cur` again, move or copy it to `new`.

    A `gocept.filestore.FileStore` is made of its path. What else it takes may
    be left out: `durable` (True), `file_mode`, `directory_mode`, `prepare`
    (False), `retry_policy`, `quiet`, `in_doubt`, all as told below; and for
    tests `clock` and `now`, which return seconds as `time.time` and
    `time.monotonic` do.

    What happens is logged by one logger per module, below
    ``gocept.filestore``, with path and attempt: what was given up as errors,
    what has failed and is tried again, and what processes have left that
    died, as warnings; published files as info, claims as debug. A record about
    a file has `store` and `file` as attributes, and `attempt` and `seconds`
    where there are some. Nothing is logged when nothing happens.
    """

    path = readonly(
        'The directory of the store, as it was given. A relative one starts '
        'at the working directory of when the object was made.')

    sub_dirs = readonly(
        'A tuple of the spaces that `prepare` makes: tmp, new, cur.')

    durable = readonly(
        'True if a published file survives a power cut: file and directory '
        'are synced (fsync(2)) before publishing returns. False: no syncs.')

    file_mode = readonly(
        'The exact permission bits of files that the store makes, an int like '
        '0o660, whatever the umask; or None, for what the umask leaves of '
        '0o666. They are set before the file becomes visible.')

    directory_mode = readonly(
        'The exact permission bits of directories, an int like 0o2770; or '
        'None, for what the umask leaves of 0o777, as parents of the store '
        'always get.')

    retry_policy = readonly(
        'The `IRetryPolicy` for files that fail. By default there are 5 '
        'attempts; the delay between them begins with 60 seconds and doubles '
        'up to an hour, less up to a tenth by chance, so that what has failed '
        'together is not tried together.')

    quiet = readonly(
        'None, or a number of seconds, for a store into whose `new` others '
        'write plain files: `claim` takes a file when it has not changed for '
        'so long since this store first saw it, and no process has it open '
        'for writing. The kernel tells that by a lease, fcntl(2), on Linux '
        'and local file systems, to the owner of the file and to root; where '
        'it does not, a `RuntimeWarning` says so, and the time has to do.')

    in_doubt = readonly(
        "What becomes of a two-phase batch whose process has died between "
        "vote and commit: None, it waits for `settle`; 'commit' or 'abort', "
        'whoever claims or publishes next does that.')

    def prepare():
        """Make the directories of the store that are missing.

        Parents of the store are made, too. What is there is left as it is; a
        second call does nothing. A durable store syncs its own directory and
        its parent. `InTheWay` has the path of what is no directory.
        """

    def create(filename, mode='w', encoding=None, errors=None, newline=None):
        """Create a draft in `tmp` and return the open file.

        The file is a plain one, of the builtin `open`: the caller closes it,
        then moves it to `new`. `mode` is a mode of `open` that can write, else
        `ValueError` is raised. Text is UTF-8 unless `encoding` says otherwise.

        - 'w' starts a draft of that name anew that was left behind. It is
          replaced, and never truncated: it may be linked elsewhere.
        - 'x' raises `FileExistsError` for it.
        - 'a' and 'r+' write on. A draft with a second name elsewhere raises
          `NotRegular`, because that file would change, too.

        `DraftInUse` is raised while a live process has the draft open through
        this verb. If the process dies, the draft stays in `tmp`.
        """

    def copy(filename, source, destination, replace=True):
        """Copy a file from source space to destination space.

        Takes a name or a path. Spaces are tmp, new, cur and failed; work may
        be a source. The copy appears whole or not at all, in every space; in a
        durable store it is synced when this returns. A file of that name is
        replaced, or raises `NameTaken` with `replace=False`. The metadata of
        the file goes with the copy, but not into tmp, see `publish`.

        The copy has holes, permission bits and group of its source; if the
        group can not be given, the bits that group and others both have; if
        the source has an ACL, acl(5), neither that nor bits for the group.

        If the process dies, a draft with a unique name stays in `tmp`.
        """

    def move(filename, source, destination, replace=True):
        """Move a file from source space to destination space.

        Takes a name or a path; spaces are tmp, new, cur and failed. Used from
        tmp to new for a file that is whole, or from new to cur. A file of that
        name is replaced, or raises `NameTaken` with `replace=False`. Whoever
        comes too late gets `NoSuchFile`. Moving from tmp in a durable store
        syncs the file before and the destination afterwards.

        Over a network `replace=True` is not exact: of two hosts that move a
        file, both may be told they did (measured). To take it, use `claim`.

        Where the file system can not rename without replacing (it answers
        EINVAL to renameat2(2), as MooseFS and GlusterFS do), a file in `new`
        that another process is taking at this moment is waited for; after ten
        seconds `NameTaken` is raised. The same goes for `publish`. Replacing
        a file in `new` by other means, like mv(1), is not safe there.
        """

    def remove(filename, space):
        """Remove a file from the given space (tmp, new, cur or failed).

        Takes a name or a path. A link is removed itself, never what it leads
        to; what else is no file raises `NotRegular`.
        """

    def list(space):
        """List the files in the given space with their full path names.

        All spaces may be listed, work and attempts as well. Returns a new
        list, sorted by name, of regular files without a leading dot. A space
        that is made on first use and has not been yet is empty.
        """

    def publish(filename=None, mode='w', replace=False, encoding=None,
                errors=None, newline=None, metadata=None):
        """Return an `IPublication`, which puts a new file into `new`.

        Used as `with store.publish('a.xml') as f: f.write(...)`. Without a
        name a unique one is taken which sorts by time, in the form of
        maildir(5): seconds, microseconds, process, counter, host. `mode` is
        'w', 'wb', 'w+' or 'w+b' as for the builtin `open`, or 'wt' and 'wb+';
        else `ValueError` is raised. Text is UTF-8 unless `encoding` says
        otherwise. `IPublication` tells of `replace` and errors.

        `metadata` is a mapping of strings to strings, such as a content type,
        which goes with the file: `IClaim.metadata`, `history`. It stays with
        it through `fail`, `retry`, `move`, `copy`, batches and `cur`, until
        the file is removed or replaced. All of it may have 4,000 characters,
        else `ValueError` is raised; for other types than str, `TypeError`. It
        is written to `attempts` before the file is visible, and in a durable
        store synced, which takes as long again as the file (measured). If the
        process dies between that and the move, a line there is left, which
        goes with the next file of this name, or by the doctor. It belongs to
        the inode, size and mtime of the file, in a copy of the store to the
        latter two: whoever changes the file takes it away, and so may who
        moves a file of `failed` under its number, which `retry` does not.

        Like `claim` and `batch` it carries on with the batches of processes
        that have died, see `IBatch`. What goes wrong is told by `status`, and
        by `claim` when no file waits; only `NotSynced` is raised at once.
        """

    def group(refuse):
        """Return an `IGroup`, which publishes many files, each for itself.

        `refuse` is called with each `OSError` that keeps one file from being
        published after its own block was left, such as `NameTaken`; errors in
        there are raised. A list's `append` will do.
        """

    def select(include=('*',), exclude=(), order='age', retry_policy=None,
               quiet=None):
        """Return an `ISelection`: some of the files, in an order of its own.

        `include` and `exclude` are sequences of patterns for names, as in the
        shell and case-sensitive (fnmatch). `order` is 'age', those first that
        have been in `new` longest, 'name', or 'directory': in no particular
        order, for a million of files, of which the others have to look at
        each one before the first claim. `retry_policy` is an
        `IRetryPolicy` for what is claimed through it, and `quiet` what it is
        for a store; None for the store's.

        Files of `work`, due or left by the dead, come first. Raises
        `ValueError` for another order, `TypeError` for patterns in one string.
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

        `intents` is a sequence of names from `status` (one string raises
        `TypeError`), or None for all that are in doubt. Returns the names of
        those that were settled. To abort removes the drafts; what was claimed,
        or was to be removed from `new`, is taken over by the next claim.

        Raises `NoSuchFile` for an intent that is not in doubt (any more), and
        for one that can not be committed because a draft of `tmp` or a file of
        `work` was taken by hand; nothing of it is done, and others are settled
        before. If the process dies, the next goes on with what was committed.
        """

    def failures(wanted=None):
        """Return what has failed for good, as a list of dictionaries.

        One for each file in `failed` whose name is wanted, longest there
        first. `wanted` is called with a name, and tells whether it is; None
        means all of them.

            filename    its name there
            age         seconds since it came there, or got a number because
                        a newer one of its name came
            attempts    how many there were, 0 if it was moved by hand
            error       what the last one has failed with, or None
        """

    def retry(filename, dry_run=False):
        """Put a file that has failed back into `new`.

        Takes a name or a path. It lies in `failed`, or waits in `work` for
        its next attempt. Its attempts begin anew; the old ones stay written
        down until it is done. One that has got a number in `failed`, like
        a.xml.~1~, gets its own name back, unless it was moved there by hand.

        When a newer one of its name waits in `new`, `NameTaken` is raised and
        nothing changed. If the process dies, the file is in one of the spaces,
        or for a moment in both; then the next claim removes it from `failed`.

        With `dry_run` nothing is changed in any case, and the same errors tell
        what keeps it from being put back; returns the name that it would have.
        """

    def clean(space, older_than=None, wanted=None, dry_run=False):
        """Remove old files from tmp, cur or failed; return their names.

        `older_than` is the age in seconds, a number, or a
        `datetime.timedelta`. For tmp the default is 36 hours, as maildir(5)
        has it; for the others it has to be given, else `ValueError` is
        raised. Age counts from st_ctime: when the file came into the space,
        or was last changed there. The names are in order of age, oldest first.

        `wanted` is that of `failures`: other files are not even opened. With
        `dry_run` nothing is removed; the names are those of what would be.

        A draft that a live process is writing is left alone (also if it was
        opened by other means, where the kernel can tell, see `quiet`), and so
        is whatever another process has locked; claimed files lie in `work`,
        which can not be cleaned. The attempts of a file from `failed` are
        removed with it. Links and special files stay. On NFS an open file
        that is removed gets a name like .nfs0001 until it is closed; those of
        hosts that have died go with `tmp`, from all spaces, but are not among
        the names that are returned.

        Between the writing and the move a draft is nobody's for a moment, and
        one of a batch until its vote: with an age as short as that it may be
        removed, and whoever publishes it gets `NoSuchFile`, or `DraftInUse`
        just then.

        What is wrong with one file does not keep others: its `OSError` is
        raised at the end. If the process dies, the rest stays; one file may
        lie in `tmp` with a unique name, and is removed from there in its time.
        """

    def status():
        """Return what lies where, as a dictionary that json can write.

            store       the path
            spaces      for each of tmp, new, work, failed, cur and attempts
                        a dictionary: files, bytes, oldest, the age in seconds
                        of what has been there longest, or None, hour and day:
                        how many came there in the last ones, and ages: how
                        many did so in the last 5 minutes, the 5 before, the
                        10, 20, 40 and so on to 640 before these, and earlier:
                        a list of ten
            claims      a list with a dictionary for each file in `work` that
                        does not wait, longest there first: filename, age in
                        seconds since it came there, attempt, and alive: False
                        if its process has died and nobody has taken it over.
                        If it lives: process, its id; host, the name of this
                        one; and consumer, how the process calls itself, at
                        most 1000 characters, without the folder its program
                        lies in; each is None if this host can not see it: on
                        another host, in a container of its own, or where FUSE
                        keeps the locks
            waiting     for the next attempt: files, next: seconds until the
                        next one is due (0 if it is), or None, and ages, as of
                        a space, since they came to `work`
            intents     a list with a dictionary for each batch whose process
                        has died before its end, oldest first: intent, its
                        name; age in seconds since its vote; decided: False if
                        it is in doubt; publish, finish and remove, each a
                        list of names. One that is decided stays until a name
                        is free in `new`. One without two phases that is not
                        decided is not shown: the next claim aborts it

        Each file counts once, where it was seen last, also while others move
        it; what comes or goes meanwhile may count. An attempt is that of now.

        To see whether a process lives, its lock is asked for, so a claim of
        now may pass over a file to be taken over, or a batch to be carried on.
        """

    def history(filename):
        """Return where a file lies, and what has happened to it.

        Takes a name or a path. Returns a list that json can write, with a
        dictionary for each file of this name:

            space       tmp, new, work, failed or cur; what lies in `failed`
                        was given up
            bytes       the size
            mode        the permission bits, an int
            age         seconds since it came there, or was changed there
            due         seconds until its next attempt is due (0 if it is), if
                        it waits for that in `work`, else None
            alive       if it is in `work` and does not wait: False if its
                        process has died and nobody has taken it over, else
                        True; None in other spaces, and if it has just gone
            metadata    what was given to `publish`, a dictionary of strings
            events      a list with a dictionary for each event, oldest first

        An event has all of these, None for what it does not know:

            event       published, with metadata; failed; died, so did the
                        process that worked on it, as the next one has noted;
                        resumed, so the next attempt began; released: given
                        back; retried: put back
            attempt     the number of the attempt that this is about
            time        when, as text, ISO 8601 in UTC
            host        the host on which it was written down
            process     the number of the process that did so
            error       what the attempt has failed with
            traceback   where, if it was an exception
            due         when the next attempt was to be made, as `time`; None
                        if there was to be none

        Nothing is written down when a first attempt begins. What was stays
        until the file is done, its metadata until it is removed, and belongs
        to one file: another one of its name has events of its own. A file on
        its way is told where it was seen last. What somebody has changed by
        hand may be of any type.

        Raises `NoSuchFile` if there is none of this name in any space.
        """

    def intake(directory, quiet=5, marker=None, include=('*',), exclude=()):
        """Return an `IIntake`, which takes in files from a folder.

        For folders of FTP, SFTP and scanners, whose writers do not know of the
        store. `quiet` is a number of seconds; a file is ready when it has not
        changed for so long, counted from when it was first seen, and whatever
        its mtime says. Writers that close and open a file again want it longer
        than their pauses. With 0, a writer that is just about to open a file
        is not seen. A writer that has died looks like one that is done.

        With a `marker` like '.done' a.xml is ready when a.xml.done is there,
        and there is no quiet period. A name that ends with the marker is that
        of a marker. It is removed before its file is published. Who writes a
        file anew waits until the old one, or its marker, has gone.

        `include` and `exclude` are those of `select`. Directories, and names
        with a dot in front, are never looked at.

        Nothing is done before `IIntake.take`. Raises `ValueError` for an empty
        path or a marker that can not be one, `TypeError` as `select`.
        """


class IPublication(zope.interface.Interface):
    """A file on its way into `new`, as a context manager.

    Entering makes a draft with a unique name in `tmp` and returns it, a plain
    file of the builtin `open`. Leaving the block publishes: the draft is
    flushed, closed and moved to `new` under its own name. In a durable store
    it is synced before the move and `new` after it; ext4, xfs and btrfs need
    that, and no more (measured). The caller may have closed the file, or put
    another one in its place, under the name that it tells: that is published.

    When leaving raises, or the block did, nothing is left behind. The errors
    are `NameTaken` (without `replace`), and `OSError` of the disk, which may
    be full. But if the last step fails, syncing `new`, the file is visible,
    and may not survive a power cut. A second use raises `Settled`.

    A store that is moved aside and made anew is noticed within a tenth of a
    second; until then, files may be published into the old one. If the
    process dies, a draft with a unique name stays in `tmp`.
    """

    filename = readonly('The name in `new`: as given, or the unique one.')


class IGroup(IWritable):
    """Many files that are published together, each for itself.

    A context manager, for whoever does not want to wait for the disk with
    each file of a store that is durable:

        errors = []
        with store.group(errors.append) as group:
            for name, text in documents:
                with group.publish(name) as f: f.write(text)

    What was written is brought to the disk together, and is visible only
    then: up to 128 files (an eighth of the descriptors that the process may
    have, if these are fewer), or what has come in a second, and all of them
    when the block is left. Then `new` is synced, once. What is wrong with one
    file does not keep others; but `NotSynced` and `NotPrepared` are raised at
    once, by the publication or the block that is left. An error that leaves
    the block drops what is not published yet.

    Eight files and more are synced at once, by syncfs(2), on ext4 with a
    journal, xfs and btrfs, from Linux 5.17 on, unless there is so much to
    write on this machine, of anybody, that one by one is faster: more than 64
    KiB a file (measured). `NotSynced` has the path of the file that could not
    be written; that of `tmp` if it is none of these, but somebody else's on
    that disk, or the disk itself: then trying again makes sense, once.

    If the process dies, each file is published or not, and drafts may stay in
    `tmp`. In a forked child, leaving the block does nothing, and `publish`
    raises `Settled`, as it does after the end of the block.
    """

    def publish(filename=None, mode='w', replace=False, encoding=None,
                errors=None, newline=None, metadata=None):
        """Return an `IPublication` that becomes visible with its group.

        Arguments as of `IFileStore.publish`.
        """


class IClaim(zope.interface.Interface):
    """A file that this process, and nobody else, works on.

    A context manager: leaving the block finishes; an exception fails the
    attempt and goes on to the caller: `Retry` and `Reject` as well, and what
    is no `Exception`, such as SystemExit, CancelledError and GeneratorExit.
    What stops the process is not the file's fault and releases it: a
    KeyboardInterrupt, and what the handler of a signal raises that is no
    `Exception`. Inside the block the claim may be settled by hand.

    A claim is settled by one of `finish`, `fail` and `release`; each raises
    `Settled` after that, and so do `open`, `fileno` and entering the block. If
    it raises an `OSError` the claim stands, and it may be tried again, except
    after `NoSuchFile`: somebody took the file from `work` by hand, and nothing
    is left to settle. If somebody has closed the descriptor that holds the
    file, each verb raises `ClaimLost`, and others may work on it.

    So do the verbs that settle it, and a batch that finishes it, on a host
    that was cut off from a file server for longer than this keeps locks (the
    lease of NFS 4), if another one has the file, or has had it and let it wait
    or put it back; if he has finished it, they raise `NoSuchFile`. Nothing is
    changed then: the file is his.

    A claim that nobody settles, or whose block is left with an error of
    settling it, counts as left by a process that died, as after `drop`; the
    former warns with a `ResourceWarning`. In a forked child, dropping the
    claim or leaving the block does not settle it, and settling it raises
    `Settled`.

    While a file is being worked on, a newer one of its name waits in `new`.
    """

    filename = readonly('The bare name.')

    path = readonly(
        'The path of the file in `work`, good until the claim is settled. It '
        'is for reading: the file is visible to others.')

    attempt = readonly(
        'The number of this attempt, an int from 1. Attempts that failed or '
        'whose process died count, since the file was published, or was put '
        'back after it had failed.')

    due = readonly(
        'After `fail`: when the next attempt is due, in seconds since the '
        'epoch; or None, if it was the last one.')

    metadata = readonly(
        'What was given to `publish`, a new dictionary of strings; {} if that '
        'was nothing. Read when it is asked for, so that who does not ask '
        'does not wait; raises `OSError` of the disk, and `Settled`.')

    def open(mode='r', encoding=None, errors=None, newline=None):
        """Open the file for reading and return it, from its beginning.

        `mode` is 'r', 'rt' or 'rb', else `ValueError` is raised: what lies
        outside `tmp` is never half-written. Text is UTF-8 unless `encoding`
        says otherwise. The caller closes it; it may be opened several times.
        """

    def read_bytes():
        """Return all that the file contains, as bytes."""

    def read_text(encoding=None, errors=None, newline=None):
        """Return all that `open` would read as text, with such arguments."""

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
        file is replaced as a whole, so nothing can tear it. Of an error or a
        traceback of more than 10,000 characters the middle is left out, which
        is said there. Then the file waits in `work`, and newer ones of its
        name in `new` behind it.

        When the policy of the store says so, or `error` is a `Reject`, the
        file is given up: it moves to `failed`, and a newer one in `new` is
        free to go. An older one in `failed` gets a number, as by GNU cp:
        a.xml.~1~. A `Retry` says when it is due, unless it is given up.

        Afterwards `due` tells which of both it is. It is logged, too: what is
        given up as an error, what is tried again as a warning, and a `Retry`
        as info. Only the first and the last attempt have their traceback.

        If the event can not be written, its `OSError` is raised and nothing
        has changed. If the process dies before that, it counts as the attempt;
        if between the event and the move, the next claim moves it to `failed`.
        """

    def release():
        """Give the file back to `new`, without counting an attempt.

        Where a newer one of that name waits, it stays in `work`, to go first.
        """


class ISelection(IQueue):
    """Some of the files of a store, see `IFileStore.select`.

    Selections do not know of each other; no file of two is claimed twice.
    """

    store = readonly('The `IFileStore` that it selects from.')


class IWatch(zope.interface.Interface):
    """An iterator of claims that waits for more when there are none.

    File notification (inotify(7), with the extra ``[watch]``) only wakes it:
    what is claimed is decided by a listing, as by `IQueue.claim`. So it
    misses nothing: neither what was there before, nor what comes in a burst,
    nor what no notification tells of, like a file from another host, one that
    is due again, or one whose process has died. The next look finds these; on
    a local disk it lists nothing as long as nothing lies there.

    At the first look, and after the store was moved aside and made again, a
    probe is moved into `new` to see whether notification works here. How it
    waits is logged by ``gocept.filestore.queue.watch`` (info).

    An error that concerns all files is raised, and the next call goes on. One
    of a single file is logged, once, and the file passed over for a while, as
    by `IQueue.claims`; so is one that is given back. Others do not wait
    for that. One thread uses it at a time, except for `stop`.
    """

    notifies = readonly(
        'True if a notification wakes it, False if it only polls, None before '
        'the first look.')

    is_stopped = readonly('True as soon as `stop` was called.')

    def __iter__():
        """Return itself."""

    def __next__():
        """Return the next `IClaim`, or wait; `StopIteration` when stopped."""

    def pause(seconds):
        """Wait for so many seconds, or until it is stopped, and for no file.

        A number below 0 is 0.
        """

    def stop(*args):
        """End the iteration: at once if it waits, else with the next call.

        May be called from another thread, as a signal handler (which is why it
        takes arguments), and twice. A forked child that does not use the watch
        behaves as if it had no such handler.
        """


class IBatch(IWritable):
    """What is published, finished and removed together or not at all.

    A context manager: leaving the block votes and commits; an error in it
    aborts and goes on. After that, all verbs but `abort` raise `Settled`.

        with store.batch() as batch:
            with batch.publish('a.xml') as f: ...
            batch.finish(claim)

    On the disk it goes like this. Each publication is a draft in `tmp`. The
    vote syncs all of them together, as `IGroup` tells, and writes an intent, a
    file that tells what is to be done, into `voted`. To commit, the intent
    moves to `committed`: that decides. Then the drafts move to `new`, one
    after the other, the claimed files leave `work`, and the intent is removed.
    A block with nothing but one publication needs no intent: see
    `IFileStore.publish`.

    If the process dies, then what is not decided is not done: it is aborted,
    or in doubt, see `IFileStore.batch`. What is decided is carried on by
    whoever claims or publishes next, within a tenth of a second, and before a
    claim says that nothing waits. In a durable store that holds for a power
    cut, too. Until then, files of an intent are not claimed and drafts not
    cleaned. For a moment others may see a part. A file whose mtime changes
    after the vote counts as another: it is worked on again after a death.

    A batch that is dropped, without `commit` and `abort`, lets go of its locks
    at once. The disk is left as by a death; claims stay with the caller.

    Somebody may remove a file by hand between vote and commit. Then this one
    is left out, and all the rest is done; no other file that has its name by
    then is touched, and nothing of it is left for others to do. What was to
    be removed, by `remove` or finishing with keep=False, is simply done. A
    draft, or a claimed file to be kept, is a loss: `commit` raises
    `NoSuchFile` for the first one after all is done, and each is logged as an
    error. So does `IFileStore.settle` if it goes while that commits; what has
    gone before that can not be committed. Who goes on with what another
    process has decided can not tell what was lost from what was done.

    In a forked child, leaving the block does nothing, and each verb raises
    `Settled`. One that was forked without exec between vote and commit shares
    the lock of the intent: if the parent dies, nobody goes on before it ends.
    """

    def publish(filename=None, mode='w', replace=False, encoding=None,
                errors=None, newline=None, metadata=None):
        """Return an `IPublication` that becomes visible with the batch.

        Arguments as of `IFileStore.publish`. Leaving its block closes the
        draft, which is a part of the batch then; an error inside leaves
        nothing behind. Raises `NameTaken` when it is left and this batch has
        the name already; the vote looks whether `new` has it.
        """

    def finish(claim, keep=True):
        """Finish an `IClaim` with the batch.

        Until then it stays claimed, and after an abort it is still up to the
        caller. Each has a descriptor open; so when there are 250, an intent
        holds them instead: read them before, as they count as settled, and
        after an abort they wait as if they had been released. Raises `Settled`
        for one that is settled or was finished in this batch before,
        `ForeignClaim` for that of another store, `NoSuchFile` for one that is
        not in `work` any more, and `TypeError` for what is no claim of
        `IQueue.claim`.
        """

    def remove(filename, space):
        """Remove a file from new, cur or failed with the batch.

        Takes a name or a path. From the vote on nobody claims it: a file of
        `new` lies in `work` then, and goes back with `abort`. Raises
        `NoSuchFile`, also if this batch removes it already, `NotRegular`, and
        `InvalidSpace`; the vote raises `NameTaken` if its name is in work.
        """

    def savepoint():
        """Return an int that stands for what has been done up to now."""

    def rollback(savepoint):
        """Undo what came after a savepoint; it and earlier ones stay good."""

    def vote():
        """Do all that may fail, for who coordinates the batch with others.

        In this order: look for drafts and claims; sync the drafts, then `tmp`;
        write and sync the intent; look for names that are taken in `new`, or
        by another batch. Of two batches with one name at most one passes.

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
        settled after the vote, tell that nobody can do this part any more; the
        rest is done. With `NotSynced`, it may not survive a power cut.
        """

    def abort():
        """Leave no trace. Legal at each moment and twice.

        When it was decided, and after leaving the block, it does nothing.
        """


class ITransactionalFileStore(IWritable):
    """A file store as seen from the current transaction.

    Adapts `IFileStore`, if the package transaction is installed. What is done
    here happens when the transaction commits, together with the databases, or
    not at all. Each call goes to the transaction that its manager has then, so
    one object may be used for all. The manager is `transaction.manager`, which
    has one for each thread, unless `datamanager.TransactionalFileStore` gets
    another one as second argument: `request.tm` in Pyramid. In explicit mode,
    when none has begun, each verb raises `OutsideTransaction`.

    The store votes and finishes after ZODB, and before those who commit in
    their vote (sort keys like ~sqlalchemy). All that may fail is done in the
    vote, see `IBatch.vote`; finishing only moves. If the process dies between
    the two, the batch is in doubt, see `IFileStore.batch` and its `settle`.

    Savepoints of the transaction are real: rolling back to one undoes what
    was published, finished or removed after it, and gives back what was
    claimed after it. A publication counts when its block is left.
    """

    def publish(filename=None, mode='w', replace=False, encoding=None,
                errors=None, newline=None, metadata=None):
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
        """Finish a claim with the commit, see `IBatch.finish`."""

    def remove(filename, space):
        """Remove a file with the commit, see `IBatch.remove`."""


class IIntake(zope.interface.Interface):
    """Takes in what others drop into a folder, each file when it is whole.

    A file that is ready (see `IFileStore.intake`) stays where it is until no
    process has it open for writing, as a lease of the kernel tells, fcntl(2).
    Then it is renamed into the hidden directory .filestore of the folder, made
    on first use, so that nobody can open it by its path. Who does in that
    moment waits, and it gets its path back, unless a newer one has that. Once
    its name is free in `new` it moves there, and never replaces.

    A lease can be had on local file systems of Linux (ext4, xfs, btrfs, tmpfs,
    overlay), on one's own files, or with CAP_LEASE on all. Elsewhere, without
    a marker, the quiet period has to pass once more, after the renaming; a
    file that changes then gets its path back.

    The file that is published is the one that was dropped, with its owner and
    its mode; `IFileStore.file_mode` is given to it, if the store has one. A
    copy takes its place where the folder is on another device, or we may not
    change its mode; it keeps times, holes, the attributes of users (xattr(7))
    that the other device can have, and, if root copies, the owner. Who owns a
    file can still change it.

    Any number of processes and hosts may do this with one folder: one works,
    for the others nothing is to be done at that moment (flock(2)). If it
    dies, the next `take` of any of them goes on with what is hidden. A file
    is published once; twice only if the process dies after it was copied from
    another device, or after linking where the file system can not rename
    without replacing, and was then done and removed.
    """

    store = readonly('The path of the store.')

    directory = readonly(
        'The path of the folder, as it was given. A relative one starts at '
        'the working directory of when the object was made.')

    waiting = readonly(
        'A dictionary of the names that the last `take` has left for later, '
        'each with the reason, a string.')

    refused = readonly(
        'A dictionary of names that the last `take` refused, and the errors.')

    leases = readonly(
        'Whether it could be told, True or False, if a process has the last '
        'file that was asked about open for writing; None if there was none.')

    pause = readonly(
        'Seconds, until when nothing can have become whole unless `changes` '
        'can be read: a quiet period ends then. What nobody tells of, like a '
        'second name that goes away, is seen by a look sooner than that, so '
        'long after the last one that it has taken a small share of the time.')

    changes = readonly(
        'An open file that can be read, select(2), when something has changed '
        'in the folder since the last `take`. None before `watch`, where '
        'others can write through another kernel, and without inotify(7).')

    def watch():
        """Let `changes` be set, from the next `take` on."""

    def check():
        """See whether files could be taken; make .filestore, and take none.

        Raises what `take` does for a folder that is wrong as a whole.
        """

    def take():
        """Publish what is whole, and return the names in that order.

        What is hidden comes first, then what was changed (st_ctime) longest
        ago, then by name. The quiet period goes on from one call to the next.
        While another one is at it, a call changes nothing, and returns [].

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
        the file is visible, and may not survive a power cut. If it was none of
        the files that were synced at once (see `IGroup`), they are all left to
        the next call.
        """


class IRetryPolicy(zope.interface.Interface):
    """Decides when a file that has failed is tried again.

    A `gocept.filestore.RetryPolicy` is made of arguments that may all be left
    out; `ValueError` is raised for bad ones:

        attempts    how many there are in all, from 1: 5
        first       seconds to wait after the first attempt: 60. After each
                    further one it is twice as long
        longest     seconds that are waited at most: an hour, or `first` if
                    that is longer
        jitter      the part of the delay, from 0 to 1, of which a random share
                    is left away, so that what has failed together is not tried
                    together: 0.1
    """

    def delay(attempt, error):
        """Return the seconds to wait for the next attempt, or None to give up.

        `attempt` is the number of the attempt that has failed, from 1;
        `error` is what `fail` got, an exception or a string, or None when the
        process has died. After a death nobody waits: only None counts. Nobody
        waits longer, either: a file that failed when a clock was ahead, by
        more than ten seconds, is tried again at once.

        Called before anything is written down; what it raises goes to the
        caller of `fail`, or of `claim` after a death, and the file stays.
        """


class IConsumer(zope.interface.Interface):
    """Claims files, lets a handler work on each, and settles them.

    A `gocept.filestore.consumer.Consumer` is made of an `ISelection`, or of an
    `IFileStore` to take all files of it, and of a handler, a callable that
    gets an `IClaim`. When the handler returns the claim is finished, when it
    raises an error it fails, and the next file has its turn; SystemExit and
    the like are errors, too (after a GreenletExit nothing has its turn). The
    handler may settle, or drop, the claim by itself. What stops the process,
    see `IClaim`, releases the claim and goes on to the caller.
    Further arguments, all of which may be left out:

        keep        True: done files are kept in `cur`; False: removed
        transaction_manager
                    the handler and the settling happen in one transaction of
                    it (extra ``[transaction]``). What conflicts
                    (a TransientError) is tried three times in all, with
                    the same claim; then the file is given back, no
                    attempt is counted, and it waits, see `IWatch`
        rate        files per second, at most
        timeout     seconds for one file; then `TimeoutError` is raised in the
                    handler, by SIGALRM. In another thread than the main one
                    the loop raises `ValueError` before it claims a file
        poll        see `IQueue.watch`
        around      a callable that gets each claim, and returns a context
                    manager, which is left when the file is settled; an error
                    of it ends the loop
        renew_after the loop ends after so many files, a number from 1, so that
                    another process can go on; `filestore serve` sees to that
        renew_above the same above so many megabytes (2 ** 20 bytes) of memory
                    of the process, which is looked at after each file

    `ValueError` is raised for bad ones, and without the package transaction.

    An `OSError` that concerns all files is logged once, and after a pause it
    is tried again: after a second, then twice as long each time, up to a
    minute. The logger is ``gocept.filestore.consumer``: each file that is
    done is an info with path, attempt and seconds, and one that is given back
    is told of once; each that fails is logged by its claim, see `IClaim.fail`.
    What can not be settled is logged, and left as by a death.
    """

    renewal = readonly(
        'Why the loop has ended, a string, if another process is to go on; '
        'else None.')

    def run():
        """Work until it is stopped; wait when there is no file."""

    def drain():
        """Work until no file is left, or until it is stopped."""

    def stop(*args):
        """Let the file that is in work be done, and begin no other one.

        It may be called, and is inherited, like `IWatch.stop`.
        """


class IHandler(zope.interface.Interface):
    """Works on files, one at a time: a callable, or a utility."""

    def __call__(claim):
        """Work on the file of an `IClaim`; `IConsumer` settles it."""


class ICollector(zope.interface.Interface):
    """Lets an intake take files, once or again and again, and logs it.

    A `gocept.filestore.server.collector.Collector` is made of an `IIntake`.
    Further arguments, all of which may be left out:

        quiet       the quiet period of the intake, in seconds; 0 if it has a
                    marker. It counts only for who does not watch
        watch       True: stay, and wait for more files. False: end as soon as
                    all that was there is taken, or has had its quiet period
        poll        seconds, a number above 0 (else `ValueError`), between two
                    looks; fewer looks if they would take more than a small
                    share of the time, see `IIntake.pause`; a change that the
                    kernel tells of is looked at sooner

    Each file that is taken is an info of the logger
    ``gocept.filestore.intake.delivery``. The logger
    ``gocept.filestore.server.collector`` gets a warning for each file that is
    refused, once as long as the reason stays the same; and once if leases can
    not be had. Records have `store` and, if they are about one, `file`.

    For who watches, an `OSError` that concerns all files, as when folder or
    store are away, is logged once, as an error, and after a pause there is
    another look: after a second, then twice as long each time, up to a minute.
    The first one that works is a warning.
    """

    taken = readonly('How many files were taken, an int.')

    refused = readonly('How many refusals were told, an int.')

    def run():
        """Look until it is stopped, or until the end, in the main thread.

        Raises what `IIntake.take` does, but no `OSError` if it watches. If the
        process dies, the next intake goes on, see `IIntake`.
        """

    def stop(*args):
        """End at once, or after this look if there is one.

        It may be called, and is inherited, like `IWatch.stop`.
        """


class IDeclaration(zope.interface.Interface):
    """What a worker process is to do with a store, as declared in ZCML.

    A utility, whose name is `title`. Nothing is looked up or started before
    its methods are called, so whatever order things are registered in.

    An intake, ``filestore:intake``, is a
    `gocept.filestore.server.declaration.Intake`. It is made of the name of a
    store and the path of a folder, and may have options of
    `IFileStore.intake`, `poll` of `ICollector`, and a `place`, see
    `InvalidDeclaration`.

    `declared` in that module returns a consumer by the names of its store and
    of itself, or an intake by store and `directory`, and has checked it.
    """

    store = readonly('The name of the `IFileStore` utility.')

    name = readonly(
        'What distinguishes a consumer from others of the same store, mostly '
        'empty; that of an intake is.')

    directory = readonly('The folder of an intake; None for a consumer.')

    title = readonly(
        'The store, and after a slash the name if a consumer has one; or the '
        'store, " from ", and the folder of an intake. Two of one title are a '
        'conflict in ZCML.')

    workers = readonly(
        'How many processes run it, an int from 1; None: up to who runs them. '
        'An intake has 1: more of them would wait for each other.')

    def check():
        """See whether it can run here; make the store if it wants that.

        Raises `InvalidDeclaration` if a store or handler of that name is not
        registered, if the options do not fit, if a directory of the store, or
        the folder of an intake, is missing or may not be read and written by
        this process, and if that folder is a part of the store.
        """

    def worker():
        """Return a new object that does it, an `IConsumer` or `ICollector`.

        Who declares it is trusted: no permission of the store is asked for.
        Raises `InvalidDeclaration` for what does not lie on the disk.
        """


class IConsumerDeclaration(IDeclaration):
    """A consumer as declared by ``filestore:consumer`` in ZCML."""

    def consumer(**more):
        """Return a new `IConsumer`, made with further arguments of that.

        Otherwise the same as `worker`.
        """


class IServer(zope.interface.Interface):
    """Runs declared consumers and intakes in worker processes.

    A `gocept.filestore.server.server.Server` is made of a callable that reads
    the configuration and returns an `IDeployment`. The process itself never
    loads an application: what is declared is found out, and checked, by a
    child process, and each worker loads the application anew. So a worker
    shares nothing with the others, neither threads nor connections.

    A worker that dies is started again, after a second; if it dies again,
    after twice as long, up to a minute; one that has lived for a minute begins
    anew. Its file is taken over by the next claim, and this counts as an
    attempt. If the server itself is killed, its workers end with their file.
    One that is to be renewed ends after its file, and the next one starts at
    once; that is an info, and no death.

    A service manager that has said so in the environment (NOTIFY_SOCKET) is
    told by sd_notify(3) when all workers have been started, when it reloads
    and when it stops. If it wants that (WATCHDOG_USEC), it is told three times
    in that span that the loop of the server goes round, or that a child is
    still reading the configuration. The environment of workers has neither.

    With `IDeployment.metrics` one more process counts what the workers tell,
    and answers by HTTP; nobody waits for it. What it has counted outlives the
    exchange of workers, as long as the address stays the same, and not its own
    death: the next one begins at 0. What is told while there is none is lost.

        filestore_attempts_total
                    by store, consumer and outcome: done, failed (tried again),
                    given up (also by who takes it over after a death), given
                    back. A death that is not the last attempt is none of them
        filestore_attempt_seconds
                    a histogram by store and consumer, from the claim until the
                    file is settled

    The titles of processes, which ps(1) shows, are "filestore serve: SITE",
    "filestore: metrics at URL", "filestore: consumer NAME of STORE: FILE", or
    "idle" in the place of the file, "filestore: intake STORE from FOLDER", and
    "filestore: loading" of the child that reads the configuration; without a
    name there is no "NAME of". The loggers are ``server``, ``worker`` and
    ``progress`` of ``gocept.filestore.server``.
    """

    def run():
        """Run the workers until it is stopped, and wait for their end.

        In the main thread. Raises `InvalidDeclaration` before anything starts,
        also if another process has the pid file, which is locked until the
        end.
        """

    def stop(*args):
        """End, and let each worker finish the file that it works on.

        A child that still reads the configuration is killed. May be called
        from a signal handler, and twice.
        """

    def reload(*args):
        """Read the configuration anew, with each setting of `IDeployment`.

        As long as that takes, the workers of before are looked after. If it is
        wrong, that is logged, and they go on. Otherwise each of them finishes
        its file, and one with the new configuration takes its place; others do
        not wait for that. Called like `stop`; whoever calls it before all is
        read lets the reading begin anew, and that is an info.
        """


class IDeployment(zope.interface.Interface):
    """Tells a server what to run."""

    workers = readonly(
        'How many workers, where a consumer does not say it; an int from 1.')

    pid_filename = readonly('The path of a file for the process id, or None.')

    metrics = readonly(
        'Where to serve metrics, a pair of host and port; None: nowhere.')

    def load():
        """Set up the component architecture, with the declarations.

        Called in a worker. Raises `InvalidDeclaration` for mistakes.
        """

    def start_logging():
        """Let the server log where the configuration says. Called there.

        If that can not be opened `OSError` is raised, and it logs as before.
        """


class IWebApplication(zope.interface.Interface):
    """Stores in a browser, as a WSGI application (PEP 3333).

    Made by ``gocept.filestore.web.application.Application(stores, who,
    hosts)``, wants the extra [web]. `stores` is called for each request, and
    returns a mapping of names to stores; by default these are the utilities
    that are registered for `IFileStore`, and the one named 'default' only if
    it is there. No store is made by looking at it. `who` is called with a
    ``webob.Request``; it returns who may act, as the log is to tell it, or
    None: by default, nobody may. `hosts` are the names by which a browser may
    ask for it; None: whoever serves it sees to that.

    The pages are below the address of the application, as in
    ``store?store=orders``: the overview, `store`, `files` of a space, `file`,
    `contents` of a file, `health` and `metrics`. They are read by GET, and
    change nothing.
    `retry`, `clean` and `settle` ask what is to be done by GET and do it by
    POST, with the token of a cookie that only pages of the same site send.
    Each is an info of the logger ``gocept.filestore.web.action`` that names
    who did it.

    A file is sent as an attachment, in pieces, however large it is. Names
    that are no UTF-8 are percent-encoded bytes. A store that can not be read
    is told in a line, one that does not answer within five seconds as well;
    the page comes all the same. `health` has the status 503 if a store is
    critical, or can not tell; `metrics` wants the extra [metrics].

    An error is a page with a line that says what is wrong: 400 for what can
    not be meant, 403 for who may not act, a form from elsewhere or what is no
    regular file, 404 for what is not there, 405 for another method, 409 for a
    name that is taken, 503 for a store that can not be read.
    """

    def __call__(environ, start_response):
        """Answer a request."""


class IFileStoreEvent(zope.interface.Interface):
    """Something has happened to a file of a store.

    Events go through zope.event, in the process and thread that does it, when
    it is done on the disk, before the verb returns. Unheard they are cheap.

    An error in a subscriber goes to whoever has called the verb, and undoes
    nothing: a file stays published, a claim settled. There is one exception:
    if it comes from `IClaimed` or `ITakenOver`, the claim is released first,
    as nobody would get it. Later subscribers are not called then.

    An event is sent at most once: whoever dies at that moment has not sent
    it. Nothing is sent for what clients do that know nothing of us, like mv.
    """

    filename = readonly('The bare name.')
    store = readonly('The path of the store.')


class IPublished(IFileStoreEvent):
    """A file has come into `new`: published, moved, copied or taken in.

    In a batch they are sent for all files when all of it is done, by whoever
    does that. Not sent for a file that is given back, or tried again.
    """


class IAttempted(IFileStoreEvent):
    """Something has happened to a file in an attempt of working on it."""

    attempt = readonly('The number of the attempt, an int from 1.')


class IClaimed(IAttempted):
    """A file was claimed from `new`."""


class ITakenOver(IClaimed):
    """A file was claimed in `work`: its process had died, or it was due."""


class IFinished(IAttempted):
    """The work with a file is done, the attempt has succeeded."""


class IFailed(IAttempted):
    """An attempt has failed. The file waits in `work` for the next, if any."""

    error = readonly('What `IClaim.fail` got, an exception or a string.')


class IGivenUp(IFailed):
    """The last attempt has failed, and the file lies in `failed`.

    If the worker has died, who takes it over sends it; `error` is a string.
    """


class IFinding(zope.interface.Interface):
    """What a look at one thing of a store has shown."""

    subject = readonly('What was looked at: one word, like flock.')

    verdict = readonly(
        'One of three words. ok: it is as it should be. note: the store works '
        'with it, but somebody should know. problem: a promise does not hold, '
        'or a file does not go its way.')

    sentence = readonly(
        'What was found: one line with store, space and file, whose names are '
        'written as by repr(), so that a terminal can show it.')

    remedy = readonly(
        'What to do, None for ok: one line, a sentence or a command for a '
        'shell (bash(1), if a name has control characters). It removes no '
        'file that has no other name in the store, except for drafts and '
        'attempts that were left behind.')


def implementer(interface):
    """Declare what a class implements, and let it show the words of that."""
    def declare(class_):
        return zope.interface.implementer(interface)(
            described(interface)(class_))

    return declare


def described(interface):
    """Let a class show the words of what it has the methods of.

    A contract is written once, here; `help` and editors look at the class.
    """
    def describe(class_):
        # Python 3.13 takes away what indents words, and -OO the words.
        words = map(dedented, (class_.__doc__ or '', interface.__doc__))
        class_.__doc__ = '\n\n'.join(filter(None, words))
        for name, contract in interface.namesAndDescriptions(all=True):
            attribute = vars(class_).get(name)
            if attribute is not None and not attribute.__doc__:
                attribute.__doc__ = contract.__doc__
        return class_

    return describe


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

    `filename` is the bare name (or the space, or the path of what is in the
    way, or None), `store` a path, `reason` what is wrong; the message has all.
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


class ClaimLost(FileStoreError, OSError):
    """The file of a claim is held no more, and others may work on it."""

    number = errno.EBADF


class ForeignClaim(FileStoreError, ValueError):
    """The claim is one of another store, or its file has left `work`."""


class OutsideTransaction(FileStoreError, RuntimeError):
    """No transaction has begun, and its manager is in explicit mode."""


class NotSynced(OSError):
    """The disk has failed to keep what it was given.

    fsync(2) has failed, or syncfs(2) or sync_file_range(2), of many files. It
    is never tried again, because the kernel might say yes the second time
    although something is lost; and it goes to the caller at once.
    """


# There is no point in going on with other files.
WRONG_WITH_ALL = NotPrepared, NotSynced


class InvalidDeclaration(ValueError):
    """A consumer or an intake that ZCML declares can not run.

    `place` is the file and the line that declare it, a string, or None;
    `reason` is what is wrong, in one line, and the message has both.
    """

    def __init__(self, place, reason):
        super().__init__(place, reason)
        self.place = place
        self.reason = reason

    def __str__(self):
        return ': '.join(filter(None, (self.place, self.reason)))
