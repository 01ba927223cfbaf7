"""Disks with other file systems: they lie in a file, and root mounts it."""
import contextlib
import ctypes
import os
import place
import shutil
import subprocess
import sys
import tempfile


KINDS = ('ext4', 'xfs', 'btrfs')
SIZE = 2 << 30      # bytes, of which only what is written takes room
PROGRAMS = '/usr/sbin:/sbin:' + os.defpath
CLONE_NEWNS = 0x20000  # linux/sched.h
OPTIONS = {'ext4': ['-E', 'lazy_itable_init=0,lazy_journal_init=0']}


def add_images(add):
    add('--images', choices=KINDS, nargs='*', default=[],
        help='file systems to make besides, which takes root')


@contextlib.contextmanager
def durable_places(options):
    """Yield the place on the disk, and one on each image that is wanted.

    What is mounted is seen by our children only, and goes with us.
    """
    places = [place.disk(options)]
    if not options.images:
        yield places
        return
    with tempfile.TemporaryDirectory(
            prefix='.work-', dir=options.directory) as directory:
        with contextlib.ExitStack() as mounts:
            for kind in options.images:
                path = f'{directory}/{kind}'
                try:
                    mount(path, kind)
                except (OSError, subprocess.CalledProcessError) as error:
                    print(f'Without {kind}: {error}', file=sys.stderr)
                else:
                    mounts.callback(run, 'umount', path)
                    places.append(place.Place(path, True, 'an image'))
            yield places


def mount(path, kind):
    os.mkdir(path)
    with open(f'{path}.image', 'wb') as file:
        file.truncate(SIZE)
    run(f'mkfs.{kind}', '-q', *OPTIONS.get(kind, ()), f'{path}.image')
    alone()
    run('mount', '-o', 'loop', f'{path}.image', path)


def alone():
    """Mount from here on where nobody but our children sees it."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), 'only root can mount')
    run('mount', '--make-rprivate', '/')


def run(program, *arguments):
    subprocess.run(
        [shutil.which(program, path=PROGRAMS) or program, *arguments],
        check=True, stdout=subprocess.DEVNULL)
