"""A private environment with the siblings, and the checkout beside them."""

import pathlib
import subprocess
import sys
import venv


HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent / 'src'
REQUIREMENTS = HERE / 'requirements.txt'
ENVIRONMENT = HERE / '.venv'
PYTHON = ENVIRONMENT / 'bin' / 'python'
STAMP = ENVIRONMENT / 'made-from.txt'


def get_python():
    """Return an interpreter that imports the siblings and the checkout."""
    wanted = f'{sys.version}\n{HERE}\n{REQUIREMENTS.read_text()}'
    if not STAMP.exists() or STAMP.read_text() != wanted:
        make()
        STAMP.write_text(wanted)
    return PYTHON


def make():
    print(f'Making siblings/.venv from {REQUIREMENTS.name} ...', flush=True)
    try:
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
    except subprocess.CalledProcessError:
        sys.exit('This Python has no ensurepip: install python3-venv.')
    # Nothing but the pinned packages: a sibling that asks for
    # gocept.filestore does not get a released one.
    subprocess.run(
        [PYTHON, '-m', 'pip', 'install', '-qq', '--no-deps',
         '--disable-pip-version-check', '--requirement', REQUIREMENTS],
        check=True)
    site_packages().joinpath('checkout.pth').write_text(f'{SOURCE}\n')


def site_packages():
    found, = ENVIRONMENT.glob('lib/python*/site-packages')
    return found
