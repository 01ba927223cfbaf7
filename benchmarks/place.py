"""Where the work is done: a directory and its file system."""
import os
import pathlib
import shutil
import subprocess
import tempfile


class Place:
    """A directory in which each run gets a fresh directory of its own."""

    def __init__(self, directory, durable):
        self.directory = directory
        self.durable = durable
        self.file_system = get_file_system(directory)

    @property
    def how(self):
        return 'durable' if self.durable else 'not durable'

    @property
    def title(self):
        journal = ', no journal' if lacks_journal(self.directory) else ''
        return f'{self.how}: {self.directory} ({self.file_system}{journal})'

    def run(self, work):
        base = tempfile.mkdtemp(prefix='.work-', dir=self.directory)
        try:
            if self.file_system == 'ext4':
                spread(base)
            return work(tempfile.mkdtemp(dir=base))
        finally:
            shutil.rmtree(base)


def spread(directory):
    """Let subdirectories begin far from each other.

    For some minutes ext4 without a journal steps over each file removed nearby
    before it makes a new one: one run would slow down the next twentyfold.
    """
    try:
        subprocess.run(['chattr', '+T', directory], check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        print('Without chattr +T a run may slow down the next one.')


def get_file_system(directory):
    """Return the type of the mount that the directory lies on."""
    try:
        mounts = pathlib.Path('/proc/mounts').read_text().splitlines()
    except FileNotFoundError:
        return 'unknown file system'
    directory = os.path.realpath(directory)
    kinds = {}
    for line in mounts:
        device, point, kind, *rest = line.split(' ')
        if os.path.commonpath([point, directory]) == point:
            kinds[point] = kind
    return kinds[max(kinds, key=len)]


def lacks_journal(directory):
    """Tell whether this is ext4 without a journal, where fsync is cheaper."""
    number = os.stat(directory).st_dev
    device = pathlib.Path(
        f'/sys/dev/block/{os.major(number)}:{os.minor(number)}').resolve()
    journals = pathlib.Path('/proc/fs/jbd2')
    return (get_file_system(directory) == 'ext4' and journals.is_dir()
            and not any(journals.glob(f'{device.name}-*')))
