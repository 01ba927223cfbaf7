"""Claim files from a store in which more and more of them wait in `new`.

Prints tables; README.txt tells how to read them.
"""
import backlog_report
import command_line
import concurrent.futures
import drawing
import environment
import handoff
import itertools
import json
import os
import random
import subprocess
import sys


PART = 50000        # files that a process makes


class Benchmark:
    """Stores in one place, in which more and more files wait."""

    def __init__(self, where, options):
        self.where = where
        self.options = options
        self.chance = random.Random(options.seed)
        self.claims = {files: min(options.claims, files - 1)
                       for files in options.files}
        self.answers = {key: [] for key in itertools.product(
            options.files, backlog_report.WAYS)}

    def run(self, path):
        print(self.where.how, file=sys.stderr, end=' ', flush=True)
        for files in self.options.files:
            self.fill(f'{path}/{files}', files)
            print('+', file=sys.stderr, end='', flush=True)
        for _ in range(self.options.rounds):
            self.play_round(path)
            print('.', file=sys.stderr, end='', flush=True)
        print(file=sys.stderr)
        return backlog_report.Report(self.where, self.claims, self.answers)

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
                claims=self.claims[files], durable=self.where.durable))

    def execute(self, verb, path, **more):
        return json.loads(subprocess.run(
            [environment.get_python('2.0'), '-E',
             str(environment.HERE / 'piling.py'), verb,
             json.dumps({'path': path, **more})],
            check=True, stdout=subprocess.PIPE, text=True,
            timeout=handoff.LONGEST_RUN).stdout)


def parse_options():
    parser = command_line.parser(
        __doc__, rounds=3, directory='on the disk for the second run')
    add = parser.add_argument
    add('--files', type=command_line.between(100, 2000000), nargs='+',
        default=[1000, 10000, 100000, 1000000], help='how many wait')
    add('--claims', type=command_line.between(10, 50000), default=5000,
        help='after the first, each time')
    command_line.add_plot(add, 'the claims per second')
    return parser.parse_args()


def main():
    options = parse_options()
    options.files = sorted(set(options.files))
    environment.get_python('2.0')
    print(f'{options.rounds} rounds of {options.claims} claims, seed '
          f'{options.seed}\n', flush=True)
    reports = []
    for where in handoff.get_places(options):
        reports.append(where.run(Benchmark(where, options).run))
        print(reports[-1], end='\n\n', flush=True)
    if options.plot:
        drawing.write(options.plot, [each.panel() for each in reports])


if __name__ == '__main__':
    main()
