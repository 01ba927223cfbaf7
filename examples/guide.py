"""Where a guide is typed: what it finds there, and what it lacks.

A guide begins in an empty directory, with a home of its own, the programs of
the system, and pip, which takes the package from this checkout and all others
in the versions of versions.cfg. What it types as root it does not do to the
machine: each directory of `CHANGED` is one that is gone afterwards.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import text


PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
# What pip wants to know of a machine.
KEPT = re.compile('PIP_.*|(https?|no|all)_proxy|(HTTPS?|NO|ALL)_PROXY|'
                  'SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE')
CONFIGURATION = '.pip/pip.conf', '.config/pip/pip.conf'
PIN = re.compile(r'^([\w.-]+) *= *(\S+)$', re.MULTILINE)
CHANGED = 'etc', 'home', 'opt', 'run', 'srv', 'usr/local', 'var'
# A container mounts these, and what is mounted below is not to be seen.
MOUNTED = 'hosts', 'resolv.conf'


class LeftOut(Exception):
    """This machine, or its user, can not follow the guide."""


@dataclasses.dataclass
class Place:

    directory: pathlib.Path
    environment: dict
    # What runs the bash, and what is typed before all else.
    runner: list = ()
    first: str = 'true'


def example(directory):
    """Return where an example is typed: by whom runs it, as it is."""
    return Place(directory, {name: value for name, value in os.environ.items()
                             if name != 'PYTHONPATH'})


def check(guide):
    """Raise `LeftOut` if something is missing."""
    missing = [name for name in text.needs(guide) if not is_installed(name)]
    if missing:
        raise LeftOut('not installed: ' + ' '.join(missing))
    if text.wants_root(guide) and os.geteuid():
        raise LeftOut('it wants root')


def is_installed(package):
    if shutil.which('dpkg-query') is None:
        return False
    process = subprocess.run(
        ['dpkg-query', '-W', '-f', '${db:Status-Status}', package],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return process.stdout == 'installed'


@contextlib.contextmanager
def place(guide, wheel, versions):
    """Yield where a guide is typed, by the package in a wheel."""
    with tempfile.TemporaryDirectory(prefix='guide-') as directory:
        directory = pathlib.Path(directory)
        directory.chmod(0o755)
        constraints = directory / 'constraints.txt'
        constraints.write_text(f'gocept.filestore=={version_of(wheel)}\n' + (
            '' if text.has_own_pins(guide)
            else pins(versions)))
        result = Place(
            directory / 'guide',
            environment(wheel.parent, constraints, home(directory / 'home')))
        result.directory.mkdir()
        if os.geteuid() == 0:
            # So all that is started can be told by it.
            result.runner = ['unshare', '--mount']
        if text.wants_root(guide):
            result.first = layers(directory / 'layers')
        yield result


def version_of(wheel):
    return wheel.name.split('-')[1]


def pins(versions):
    return ''.join(f'{name}=={version}\n'
                   for name, version in PIN.findall(versions.read_text()))


def build(checkout, target):
    """Build the wheel as pip does, and return its path."""
    subprocess.run([sys.executable, '-m', 'venv', target / 'pip'], check=True)
    subprocess.run([target / 'pip/bin/pip', 'wheel', '-qq', '--no-deps', '-w',
                    target / 'dist', checkout], check=True)
    result, = (target / 'dist').glob('*.whl')
    return result


def home(directory):
    for name in CONFIGURATION:
        source = pathlib.Path.home() / name
        if source.is_file():
            target = directory / name
            target.parent.mkdir(parents=True)
            shutil.copy(source, target)
    directory.mkdir(exist_ok=True)
    return directory


def environment(wheels, constraints, home):
    kept = {name: value for name, value in os.environ.items()
            if KEPT.fullmatch(name)}
    links = f'{kept.get("PIP_FIND_LINKS", "")} {wheels}'
    return {**kept, 'HOME': str(home), 'LANG': 'C.UTF-8', 'PATH': PATH,
            'PIP_CONSTRAINT': str(constraints), 'PIP_FIND_LINKS': links}


def layers(directory):
    """Return a command that lays one over each directory of `CHANGED`."""
    commands = []
    for name in CHANGED:
        upper = directory / name / 'upper'
        work = directory / name / 'work'
        upper.mkdir(parents=True)
        work.mkdir()
        commands.append(
            f'mount -t overlay guide /{name} -o lowerdir=/{name},'
            f'upperdir={upper},workdir={work}')
    for name in MOUNTED:
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(f'/etc/{name}', directory / 'etc' / 'upper')
    return ' && '.join(commands)
