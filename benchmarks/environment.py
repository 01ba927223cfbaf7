"""Private environments, so that the start needs Python and nothing else."""
import argparse
import functools
import json
import os
import pathlib
import subprocess
import sys


HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent / 'src'
REQUIREMENTS = {'2.0': 'requirements.txt', '1.0': 'requirements-1.0.txt'}
DEBIAN = '/usr/bin/python3'     # what most who install it have
NEEDED = 'import sys; sys.exit(sys.version_info < (3, 11))'
chosen = []


def default():
    """Return the Python of the system, or the one that runs this."""
    return DEBIAN if is_good(DEBIAN) else sys.executable


def choose(python):
    """Let all be measured with this Python."""
    python = os.path.abspath(python) if os.sep in python else python
    if not is_good(python):
        raise argparse.ArgumentTypeError(f'no Python 3.11: {python}')
    chosen[:] = [python]
    return python


def is_good(python):
    try:
        return not subprocess.call([python, '-c', NEEDED])
    except OSError:
        return False


@functools.cache
def described(python):
    """Return which Python this is, and how fast."""
    return json.loads(subprocess.run(
        [python, HERE / 'build.py'], check=True, stdout=subprocess.PIPE,
        text=True).stdout)


def title():
    """Return what is to be told of the Python beside each figure."""
    return ', '.join(described(*chosen))


@functools.cache
def get_python(version):
    """Return an interpreter with this gocept.filestore and its neighbours."""
    path = HERE / f'.venv-{version}'
    requirements = HERE / REQUIREMENTS[version]
    identity, _ = described(*chosen)
    wanted = f'{identity}\n{HERE}\n{requirements.read_text()}'
    if read(path / 'made-from.txt') != wanted:
        make(path, requirements)
        if version == '2.0':
            link_checkout(path)
        (path / 'made-from.txt').write_text(wanted)
    return str(path / 'bin' / 'python')


def read(path):
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def make(path, requirements):
    print(f'Making {path.name} from {requirements.name} ...', file=sys.stderr)
    if subprocess.call([*chosen, '-m', 'venv', '--clear', path]):
        sys.exit(f'{chosen[0]} makes no environment: install python3-venv, or '
                 'name another one by --python.')
    subprocess.run(
        [path / 'bin' / 'python', '-m', 'pip', 'install', '--quiet',
         '--disable-pip-version-check', '--requirement', requirements],
        check=True)


def link_checkout(path):
    """Install the checkout as a path file: it never gets out of date.

    An editable install does the same, but writes into the checkout.
    """
    packages, = path.glob('lib/python*/site-packages')
    (packages / 'checkout.pth').write_text(f'{SOURCE}\n')
    # Who is asked for the version reads this, with all stories in it.
    metadata = packages / 'gocept_filestore-2.0.dist-info'
    metadata.mkdir()
    (metadata / 'METADATA').write_text(
        'Metadata-Version: 2.4\nName: gocept.filestore\nVersion: 2.0\n\n'
        + ''.join(story.read_text() for story in SOURCE.rglob('*.txt')))
