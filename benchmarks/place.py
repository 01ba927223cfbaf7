"""Where the work is done: a directory and its file system."""
import environment
import os
import pathlib
import shutil
import subprocess
import tempfile


class Place:
    """A directory in which each run gets a fresh directory of its own."""

    def __init__(self, directory, durable, name=None):
        self.directory = directory
        self.durable = durable
        self.name = name or directory
        self.file_system = get_file_system(directory)
        self.lacks_journal = lacks_journal(directory)
        journal = ', no journal' if self.lacks_journal else ''
        self.kind = self.file_system + journal

    @property
    def how(self):
        return 'durable' if self.durable else 'not durable'

    @property
    def short(self):
        return f'{self.how} ({self.kind})'

    @property
    def title(self):
        return (f'{self.how}: {self.name} ({self.kind})\n'
                f'{environment.title()}')

    @property
    def has_journal(self):
        return self.file_system in ('ext4', 'xfs') and not self.lacks_journal

    def run(self, work):
        base = tempfile.mkdtemp(prefix='.work-', dir=self.directory)
        try:
            if self.file_system == 'ext4':
                spread(base)
            return work(tempfile.mkdtemp(dir=base))
        finally:
            shutil.rmtree(base)


def disk(options):
    """Return the place of the durable runs."""
    is_ours = options.directory == str(environment.HERE)
    return Place(options.directory, durable=True,
                 name='the disk of the checkout' if is_ours else None)


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
