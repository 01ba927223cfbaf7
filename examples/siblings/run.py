"""Run bin/test, with a RabbitMQ server for those tests that need one.

    $ python3 run.py

Arguments go to zope.testrunner.
"""

import broker
import os
import pathlib
import signal
import subprocess
import sys


TEST = pathlib.Path(__file__).resolve().parent / 'bin' / 'test'


def main(*arguments):
    # The broker is stopped, also when this process is told to end.
    signal.signal(signal.SIGTERM, lambda *ignored: sys.exit(1))
    with broker.running() as address:
        if address is None:
            print('The tests that need a broker are left out', flush=True)
            arguments += ('--unit',)
        return subprocess.run(
            [TEST, *arguments], env=variables(address)).returncode


def variables(address):
    """Return the environment in which amqprun's tests find the broker."""
    result = {**os.environ, 'AMQP_VIRTUALHOST': '/',
              'PYTHONWARNINGS': 'ignore'}
    # A checkout on this path would take the place of ours.
    result.pop('PYTHONPATH', None)
    if address is not None:
        result['AMQP_HOSTNAME'] = address
    return result


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
