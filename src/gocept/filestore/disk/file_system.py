"""What kind of file system a directory or a file lies on."""
import collections
import ctypes
import errno
import math
import os
import re
import stat
import sys


TMPFS = 0x01021994  # linux/magic.h, as the others
NFS = 0x6969
FUSE = 0x65735546
EXT4 = 0xef53
# ext4, xfs, btrfs, tmpfs and overlay. Only the kernel of this machine writes
# there, so nothing that it remembers can be outdated.
LOCAL = (EXT4, 0x58465342, 0x9123683e, TMPFS, 0x794c7630)
SMB = 'cifs', 'smb3'
# Those of which syncfs(2) tells that something could not be written, since
# Linux 5.17. Of others nobody has promised it, and overlay does not.
TELLING, SINCE = LOCAL[:3], (5, 17)
NO_JOURNAL = '<none>'
UNWRITTEN = re.compile(r'(?m)^(?:Dirty|Writeback): +(\d+) kB$')  # proc(5)

# Of a directory or a file, getxattr(2) asks the servers of GlusterFS for its
# path in the volume; for all of them, with colons between, if it has several.
PLACES = 'glusterfs.gfidtopath'
UNTOLD = errno.EINTR, errno.ENOTCONN  # by a signal, or while it is cut off

# Nanoseconds; file systems and archives cut the times of files down to these.
KEPT = 1, 100, 10 ** 3, 10 ** 6, 10 ** 9, 2 * 10 ** 9

# Other systems have another structure, and other numbers.
fstatfs = ctypes.CDLL(None).fstatfs if sys.platform == 'linux' else None

# What keeps claims from being exact on a mount. Refused means that a store
# claims nothing there, else it warns.
Weakness = collections.namedtuple('Weakness', 'reason remedy is_refused')
# Options with which flock(2) asks no server. NFS 4 takes no notice of them.
LOCKS_OF_ONE = ('nolock', 'local_lock=flock', 'local_lock=all', 'nobrl',
                'localflocks', 'localflock')
ONE_HOST = ('locks reach no other host, because of the mount option %s: two '
            'hosts may get the same file, or lose it')
NFS_3 = Weakness(
    'on NFS 3 a host that dies keeps its locks for ever, and what changes '
    'within one tick of the clock may stay unseen',
    'mount it with vers=4.2', True)
INEXACT = Weakness(
    'on SMB neither locks nor moves are exact: of 800 files one had two '
    'owners; a move sets no ctime, no server is asked to sync a directory, '
    'and a file that is held can be read by its owner only',
    'put the store on a file system of which distributed.txt says that it '
    'holds', False)
INODES = Weakness(
    'an open file has another inode than in a listing',
    'mount it so that it keeps inodes: mergerfs with use_ino; sshfs can not',
    True)
NAMES = Weakness(
    'GlusterFS does not tell here under which names it has a file, and what '
    'another host has finished may be claimed again',
    'gluster volume set VOLUME storage.gfid2path on', False)


def is_local(descriptor):
    """Tell whether no other host can see the file system; FUSE may be any."""
    return magic(descriptor) in LOCAL


def locking(descriptor):
    """Return how a file has to be open there, to be locked.

    For NFS 4 flock(2) becomes a lock of bytes, and an exclusive one wants the
    file open for writing; else it answers EBADF.
    """
    return os.O_RDWR if magic(descriptor) == NFS else os.O_RDONLY


def magic(descriptor):
    """Return the magic number of the file system, or 0; see statfs(2)."""
    if fstatfs is None:
        return 0
    status = (ctypes.c_long * 64)()
    fstatfs(descriptor, status)
    return status[0] & 0xffffffff


def tells_of_losses(descriptor):
    """Tell whether syncfs(2) fails there if anything could not be written.

    With a journal, a file system whose inodes or names can not be written lets
    nothing be changed any more. ext4 without one tells it to who asks first,
    and goes on (measured).
    """
    found = magic(descriptor)
    return found in TELLING and (
        found != EXT4 or has_journal(descriptor)) and tuple(
            map(int, re.findall(r'\d+', os.uname().release)[:2])) >= SINCE


def has_journal(descriptor):
    """Tell whether this is ext4 with a journal, as far as can be told."""
    try:
        disk = os.readlink('/sys/dev/block/%d:%d' % device(descriptor))
        with open('/sys/fs/ext4/%s/journal_task' % os.path.basename(
                disk)) as file:
            return file.read().strip() != NO_JOURNAL
    except (OSError, ValueError):
        return False


def unwritten():
    """Return how many bytes this machine has not brought to its disks."""
    try:
        with open('/proc/meminfo') as file:
            return 1024 * sum(map(int, UNWRITTEN.findall(file.read())))
    except OSError:
        return math.inf  # nobody can tell


def weaknesses(kind, options):
    """Yield what keeps claims from being exact on such a mount."""
    found = [option for option in LOCKS_OF_ONE if option in options]
    is_nfs_3 = kind == 'nfs' and ('vers=3' in options or 'vers=2' in options)
    if found and kind != 'nfs4':
        yield Weakness(ONE_HOST % found[0], NFS_3.remedy if is_nfs_3
                       else 'mount it without %s' % found[0], False)
    elif is_nfs_3:
        yield NFS_3
    if kind in SMB:
        yield INEXACT


def mount(descriptor):
    """Return kind and options of the mount, '' and () if nobody tells."""
    try:
        return find_mount(read('mountinfo'), mount_number(descriptor))
    except (OSError, ValueError):
        return '', ()


def is_smb(descriptor):
    """Tell whether it is; a server may fail to answer statfs(2)."""
    return mount(descriptor)[0] in SMB


def mount_number(descriptor):
    number, = re.findall(
        r'(?m)^mnt_id:\s*(\d+)$', read('fdinfo/%d' % descriptor))
    return number


def has_own_lock(descriptor):
    """Tell whether FUSE leaves the lock of an open file to this kernel.

    A lock that it hands on to its program is not listed; see proc(5).
    """
    return magic(descriptor) == FUSE and '\nlock:' in read(
        'fdinfo/%d' % descriptor)


def find_mount(mounts, number):
    """Return them for a number; see proc(5). In a name, a space is \\040."""
    (kind, options), = re.findall(
        r'(?m)^%s .*? - ([^ ]+) [^ \n]* (.+)$' % number, mounts)
    return kind, options.split(',')


def device(descriptor):
    """Return major and minor number of the device, as in proc_locks(5).

    Those of stat(2) are others on btrfs, and nobody else knows them.
    """
    (major, minor), = re.findall(
        r'(?m)^%s \d+ (\d+):(\d+) ' % mount_number(descriptor),
        read('mountinfo'))
    return int(major), int(minor)


def read(name):
    with open('/proc/self/' + name, encoding='utf-8',
              errors='surrogateescape', newline='\n') as file:
        return file.read()


def places(path):
    """Return the paths of GlusterFS, or None if it is another file system."""
    try:
        return os.getxattr(path, PLACES).rstrip(b'\0')
    except (AttributeError, OSError) as error:
        # The former where the system has no such call.
        return b'' if getattr(error, 'errno', None) in UNTOLD else None


def is_served(directory, name, inode, is_known, descriptor=None, ask=places):
    """Tell whether the servers of GlusterFS have a file under a name.

    Elsewhere it is what this host knows. Who has the file open may ask for
    it by its descriptor, whichever file this host takes for that of the name.

    For a second a mount there believes what it knows of a file, whoever makes
    the kernel ask anew; link(2) finds the file by its handle, and unlink(2)
    of a name that has gone may say that it worked (measured). So we ask where
    the file is. Of several names GlusterFS garbles the shorter ones, and of a
    file from before version 3.12 it knows none; then a listing tells.
    """
    place = ask(directory)
    if place is None:
        return is_known
    found = ask('/proc/self/fd/%s/%s' % (directory, name)
                if descriptor is None else descriptor) or b''
    if b':%s/%s:' % (place, os.fsencode(name)) in b':%s:' % found:
        return True
    return not is_one(found) and (name, inode) in listed(directory)


def is_one(found):
    """Tell whether that is one path; it may be several, or none that is known.
    """
    return found and b':/' not in found


def counted(status, path, ask=places):
    """Return a status that tells of a second name if there may be one.

    A mount of GlusterFS may believe for a second that a file has one name,
    although another host has linked it and died: fstat(2) said 1 of a file
    whose two names the servers told (measured). Without its second name being
    removed, a file was finished under the one and then claimed under the
    other. What is said too often is looked at by whoever asks for it.
    """
    if status.st_nlink > 1 or (found := ask(path)) is None or is_one(found):
        return status
    kind, (facts, more) = status.__reduce__()
    return kind((*facts[:stat.ST_NLINK], 2, *facts[stat.ST_NLINK + 1:]), more)


def listed(directory):
    """Yield name and inode of each entry of an open directory."""
    # Anew: a descriptor that others share has one position for all of them.
    descriptor = os.open('.', os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        with os.scandir(descriptor) as entries:
            yield from ((entry.name, entry.inode()) for entry in entries)
    finally:
        os.close(descriptor)


def is_kept(time, changed):
    """Tell whether a file that was changed then may have this mtime.

    No move changes it; a copy may know of it with less digits.
    """
    return any(time == changed // unit * unit for unit in KEPT)
