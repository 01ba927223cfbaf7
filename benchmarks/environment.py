"""Private environments, so that the start needs Python and nothing else."""
import pathlib
import subprocess
import sys
import venv


HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent / 'src'
REQUIREMENTS = {'2.0': 'requirements.txt', '1.0': 'requirements-1.0.txt'}


def get_python(version):
    """Return an interpreter with this gocept.filestore and its neighbours."""
    path = HERE / f'.venv-{version}'
    requirements = HERE / REQUIREMENTS[version]
    wanted = f'{sys.version}\n{HERE}\n{requirements.read_text()}'
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
    print(f'Making {path.name} from {requirements.name} ...', flush=True)
    try:
        venv.create(path, clear=True, with_pip=True)
    except subprocess.CalledProcessError:
        sys.exit('This Python has no ensurepip: install python3-venv.')
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
