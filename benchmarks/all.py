"""Run all benchmarks, one after the other."""
import argparse
import environment
import subprocess
import sys


PLOT = environment.HERE.parent / 'docs' / 'backlog.svg'
FULL = {
    'handoff': [], 'processes': [], 'sizes': [],
    'backlog': ['--plot', str(PLOT)], 'latency': [], 'waiting': [],
    'transactions': [], 'fixture': []}
QUICK = {
    'handoff': ['--rounds', '3', '--files', '500'],
    'processes': ['--rounds', '2', '--files', '800'],
    'sizes': ['--rounds', '2'],
    'backlog': ['--rounds', '2', '--files', '1000', '10000'],
    'latency': ['--rounds', '2', '--files', '10', '--idle', '5'],
    'waiting': ['--rounds', '2', '--files', '2000', '--waiting', '1000'],
    'transactions': ['--rounds', '2', '--files', '200', '--transactions',
                     '2000'],
    'fixture': ['--rounds', '2', '--tests', '50']}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--quick', action='store_true',
        help='some minutes instead of half an hour; decides nothing')
    options = parser.parse_args()
    for name, more in (QUICK if options.quick else FULL).items():
        print(f'{name}\n{"=" * len(name)}\n', flush=True)
        subprocess.run(
            [sys.executable, environment.HERE / f'{name}.py', *more],
            check=True)


if __name__ == '__main__':
    main()
