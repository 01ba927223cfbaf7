"""Run the released siblings on the gocept.filestore of this checkout.

    $ python3 siblings/run.py

Runs the siblings' own tests, as they were released, and those beside this
file. Arguments go to zope.testrunner.
"""

import broker
import environment
import os
import pathlib
import signal
import subprocess
import sys


HERE = pathlib.Path(__file__).resolve().parent
SIBLINGS = ('gocept.amqprun', 'gocept.sftpcopy')
VERSIONS = """
import gocept.filestore
import importlib.metadata
import sys
for name in sys.argv[1:]:
    print(name, importlib.metadata.version(name))
print('on', gocept.filestore.__file__)
"""


def main(*arguments):
    # The broker is stopped, also when this process is told to end.
    signal.signal(signal.SIGTERM, lambda *ignored: sys.exit(1))
    python = environment.get_python()
    print_versions(python)
    command = [python, '-W', 'ignore', '-m', 'zope.testrunner',
               *places(), *exceptions(), *arguments]
    with broker.running() as address:
        if address is None:
            print('The tests that need a broker are left out', flush=True)
            command.append('--unit')
        return subprocess.run(command, env=variables(address)).returncode


def print_versions(python):
    subprocess.run([python, '-c', VERSIONS, *SIBLINGS], check=True)


def places():
    """Return the options that say where tests are."""
    yield from ['--path', HERE, '--tests-pattern', '^(tests$|test_)']
    for name in SIBLINGS:
        path = environment.site_packages().joinpath(*name.split('.'))
        yield from ['--package-path', path, name]


def exceptions():
    # It compares a message of Python, which says more since 3.13.
    if sys.version_info >= (3, 13):
        yield from ['--test', '!test_bails_on_unknown_keyword_argument']


def variables(address):
    """Return the environment in which amqprun's tests find the broker."""
    result = {**os.environ, 'AMQP_VIRTUALHOST': '/'}
    # A checkout on this path would take the place of ours.
    result.pop('PYTHONPATH', None)
    if address is not None:
        result['AMQP_HOSTNAME'] = address
    return result


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
