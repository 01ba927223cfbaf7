"""Run all benchmarks, or some, and keep their tables and plots in docs."""
import argparse
import command_line
import datetime
import environment
import os
import platform
import re
import subprocess
import sys


DOCS = environment.HERE.parent / 'docs'
TABLES = DOCS / 'benchmarks.txt'
HEAD = """\
=================
What was measured
=================

Written by ``python3 benchmarks/all.py``, with plots beside it. How to read the
tables, and what is to be reached, is in ``benchmarks/README.txt``. With a high
load ratios tell little, and microseconds nothing.
"""
IMAGES = ['--images', 'ext4', 'xfs', 'btrfs']
FULL = {
    'handoff': IMAGES, 'processes': [], 'sizes': [], 'backlog': [],
    'latency': [], 'idling': [], 'starting': [], 'waiting': [],
    'transactions': IMAGES, 'database': [], 'fixture': []}
PLOTTED = ('processes', 'backlog', 'transactions')
QUICK = {
    'handoff': ['--rounds', '3', '--files', '500'],
    'processes': ['--rounds', '2', '--files', '800'],
    'sizes': ['--rounds', '2'],
    'backlog': ['--rounds', '2', '--files', '1000', '10000'],
    'latency': ['--rounds', '2', '--files', '10', '--idle', '5'],
    'idling': ['--files', '2000', '--settle', '5', '--idle', '10'],
    'starting': ['--rounds', '5'],
    'waiting': ['--rounds', '2', '--files', '2000', '--waiting', '1000'],
    'transactions': ['--rounds', '2', '--files', '200', '--transactions',
                     '2000'],
    'database': ['--rounds', '2', '--files', '100'],
    'fixture': ['--rounds', '2', '--tests', '50']}


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add('names', nargs='*', choices=[*FULL, []], metavar='NAME',
        help=f'one of {", ".join(FULL)}; all if there is none')
    add('--quick', action='store_true',
        help='some minutes instead of an hour; decides and keeps nothing')
    command_line.add_python(add)
    return parser.parse_args()


def run(name, options):
    """Run one benchmark; return what it has printed."""
    more = QUICK[name] if options.quick else FULL[name]
    if name in PLOTTED and not options.quick:
        more = [*more, '--plot', DOCS / f'{name}.svg']
    print(headed(name), flush=True)
    printed = []
    with subprocess.Popen(
            [sys.executable, environment.HERE / f'{name}.py', '--python',
             options.python, *more], stdout=subprocess.PIPE,
            text=True) as process:
        for line in process.stdout:
            print(line, end='', flush=True)
            printed.append(line)
    if process.returncode:
        sys.exit(f'{name}.py has failed')
    return ''.join(printed)


def headed(name):
    return f'{name}\n{"=" * len(name)}\n'


def keep(name, printed, load):
    """Put tables in the place of those that were measured before."""
    sections = kept()
    sections[name] = picture(name) + (
        f'{datetime.date.today()}, {platform.system()} {platform.release()}, '
        f'{os.cpu_count()} processors, load {load:.1f} before::\n\n'
        + ''.join(f'    {line}'.rstrip() + '\n'
                  for line in printed.strip().splitlines()))
    TABLES.write_text('\n\n'.join([HEAD, *(
        f'{headed(each)}\n{sections[each].strip()}\n'
        for each in FULL if each in sections)]))


def picture(name):
    if name not in PLOTTED:
        return ''
    return f'.. image:: {name}.svg\n   :alt: The figures below, as a plot\n\n'


def kept():
    if not TABLES.exists():
        return {}
    _, *parts = re.split(r'^(\w+)\n=+\n', TABLES.read_text()[len(HEAD):],
                         flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def main():
    options = parse_options()
    for name in options.names or FULL:
        load, *_ = os.getloadavg()
        printed = run(name, options)
        if not options.quick:
            keep(name, printed, load)


if __name__ == '__main__':
    main()
