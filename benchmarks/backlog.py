"""Claim files from a store in which more and more of them wait in `new`.

Prints tables; README.txt tells how to read them.
"""
import argparse
import concurrent.futures
import drawing
import environment
import handoff
import itertools
import json
import os
import random
import report
import statistics
import subprocess
import sys


ORDERS = ('age', 'directory')
BASE, OURS = 'straight_line', 'filestore'
TITLES = {BASE: 'plain calls', OURS: 'filestore'}
WAYS = tuple(itertools.product(ORDERS, (BASE, OURS)))
SPEED = 0.8                                 # of that at the smaller size
FIRST = {'age': 5, 'directory': 0.05}       # seconds
PER_FILE = 200                              # bytes
CONSTANT = 1024 * 1024                      # bytes more, in directory order
COMPARED = 10000                            # files
PART = 50000                                # files that a process makes


class Benchmark:
    """Stores in one place, in which more and more files wait."""

    def __init__(self, where, options):
        self.where = where
        self.options = options
        self.chance = random.Random(options.seed)
        self.answers = {
            key: [] for key in itertools.product(options.files, WAYS)}

    def run(self, path):
        print(self.where.title, file=sys.stderr, end=' ', flush=True)
        for files in self.options.files:
            self.fill(f'{path}/{files}', files)
            print('+', file=sys.stderr, end='', flush=True)
        for _ in range(self.options.rounds):
            self.play_round(path)
            print('.', file=sys.stderr, end='', flush=True)
        print(file=sys.stderr)

    def fill(self, path, files):
        self.execute('prepare', path)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
            for part in [threads.submit(
                    self.execute, 'fill', path, first=first,
                    last=min(files, first + PART))
                    for first in range(0, files, PART)]:
                part.result()

    def play_round(self, path):
        for key in self.chance.sample(list(self.answers), len(self.answers)):
            files, (order, name) = key
            self.answers[key].append(self.execute(
                'measure', f'{path}/{files}', name=name, order=order,
                claims=self.claims(files), durable=self.where.durable))

    def claims(self, files):
        return min(self.options.claims, files - 1)

    def execute(self, verb, path, **more):
        return json.loads(subprocess.run(
            [environment.get_python('2.0'), '-E',
             str(environment.HERE / 'piling.py'), verb,
             json.dumps({'path': path, **more})],
            check=True, stdout=subprocess.PIPE, text=True,
            timeout=handoff.LONGEST_RUN).stdout)

    def __str__(self):
        return '\n'.join([
            self.where.title, '',
            *self.table('claims per second', self.speed), '',
            *self.table('first claim, ms', self.first), '',
            *self.table('memory, KiB', self.memory), '',
            *self.table('bytes a file', self.per_file), '',
            *self.ratios(), '', *self.targets()])

    def table(self, title, cell):
        yield line(title, (f'{TITLES[name]}, {order}' for order, name in WAYS))
        for files in self.options.files:
            yield line(f'{files:,} wait', (cell(files, way) for way in WAYS))

    def speed(self, files, way):
        return f'{self.speed_of(files, way):,.0f}'

    def speed_of(self, files, way):
        return statistics.median(self.speeds(files, way))

    def speeds(self, files, way):
        return [self.claims(files) / seconds
                for seconds in self.values('rest', files, way)]

    def first(self, files, way):
        return f'{1e3 * self.median("first", files, way):,.1f}'

    def memory(self, files, way):
        return f'{self.median("memory", files, way) / 1024:,.0f}'

    def per_file(self, files, way):
        return f'{self.median("memory", files, way) / files:,.1f}'

    def median(self, key, files, way):
        return statistics.median(self.values(key, files, way))

    def values(self, key, files, way):
        return [answer[key] for answer in self.answers[files, way]]

    def ratios(self):
        """Compare with the straight-line calls, in the same round."""
        yield line('ratio', (f'{what}, {order}' for order in ORDERS
                             for what in ('claims', 'first')))
        for files in self.options.files:
            yield line(f'{files:,} wait', (
                report.with_quartiles(self.ratio(key, files, order))
                for order in ORDERS for key in ('rest', 'first')))

    def ratio(self, key, files, order):
        return [base / own for base, own in zip(
            self.values(key, files, (order, BASE)),
            self.values(key, files, (order, OURS)), strict=True)]

    def targets(self):
        most = max(self.options.files)
        for order in ORDERS:
            if COMPARED in self.options.files and COMPARED < most:
                yield self.keeps_speed(most, order)
            yield self.begins(most, order)
            yield self.is_small(most, order)

    def keeps_speed(self, most, order):
        shares = {name: statistics.median(
            many / few for many, few in zip(
                self.speeds(most, (order, name)),
                self.speeds(COMPARED, (order, name)), strict=True))
            for name in (OURS, BASE)}
        return (f'{report.verdict(shares[OURS] >= SPEED)}: by {order} with '
                f'{most:,} {shares[OURS]:.2f} of the speed with {COMPARED:,}; '
                f'to reach: {SPEED}\n    (the plain calls: '
                f'{shares[BASE]:.2f})')

    def begins(self, most, order):
        seconds = self.median('first', most, (order, OURS))
        return (f'{report.verdict(seconds < FIRST[order])}: by {order} with '
                f'{most:,} the first claim after {1e3 * seconds:,.1f} ms; '
                f'to reach: {1e3 * FIRST[order]:,.0f}')

    def is_small(self, most, order):
        growth = self.median('memory', most, (order, OURS))
        if order == 'age':
            return (f'{report.verdict(growth < PER_FILE * most)}: by age with '
                    f'{most:,} {growth / most:.0f} bytes a waiting file; '
                    f'to reach: {PER_FILE}')
        more = growth - self.median(
            'memory', min(self.options.files), (order, OURS))
        return (f'{report.verdict(more < CONSTANT)}: by directory with '
                f'{most:,} {more / 1024:,.0f} KiB more than with '
                f'{min(self.options.files):,}; to reach: '
                f'{CONSTANT // 1024:,}')


def line(title, cells):
    return f'{title:19}' + ''.join(f'{cell:>24}' for cell in cells)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add('--rounds', type=handoff.between(2, 99), default=3, help='how often')
    add('--files', type=handoff.between(100, 2000000), nargs='+',
        default=[1000, 10000, 100000, 1000000], help='how many wait')
    add('--claims', type=handoff.between(10, 50000), default=5000,
        help='after the first, each time')
    add('--seed', type=int, default=random.randrange(10**6),
        help='of the random order')
    add('--directory', default=str(environment.HERE),
        help='on the disk for the second run')
    add('--plot', help='a file for the claims per second, as SVG')
    return parser.parse_args()


def main():
    options = parse_options()
    options.files = sorted(set(options.files))
    environment.get_python('2.0')
    print(f'{options.rounds} rounds of {options.claims} claims, seed '
          f'{options.seed}\n', flush=True)
    benchmarks = [
        Benchmark(where, options) for where in handoff.get_places(options)]
    for benchmark in benchmarks:
        benchmark.where.run(benchmark.run)
        print(benchmark, end='\n\n', flush=True)
    if options.plot:
        drawing.write(options.plot, benchmarks)


if __name__ == '__main__':
    main()
