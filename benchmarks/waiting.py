"""Claim files while others wait for their next attempt.

Prints tables; README.txt tells how to read them.
"""
import command_line
import environment
import handoff
import json
import random
import report
import statistics
import subprocess
import sys


PHASES = ('at first', 'later')
MOVES = 'plain moves'
ONCE = ('first claim', 'first None', 'None')
LEAST = 0.95


class Benchmark:
    """Stores in one place, in which more and more files wait."""

    def __init__(self, where, options):
        self.where = where
        self.options = options
        self.chance = random.Random(options.seed)
        self.answers = {number: [] for number in (0, 1, *options.waiting)}

    def run(self, path):
        print(self.where.how, file=sys.stderr, end=' ', flush=True)
        for number in self.answers:
            self.execute('fill', f'{path}/{number}', waiting=number)
        for _ in range(self.options.rounds):
            self.play_round(path)
            print('.', file=sys.stderr, end='', flush=True)
        print(file=sys.stderr)

    def play_round(self, path):
        for number in self.chance.sample(
                list(self.answers), len(self.answers)):
            self.answers[number].append(self.execute(
                'measure', f'{path}/{number}', durable=self.where.durable))

    def execute(self, verb, path, **more):
        task = {'path': path, 'files': self.options.files, **more}
        return json.loads(subprocess.run(
            [environment.get_python('2.0'), '-E',
             str(environment.HERE / 'claiming.py'), verb, json.dumps(task)],
            check=True, stdout=subprocess.PIPE, text=True,
            timeout=handoff.LONGEST_RUN).stdout)

    def __str__(self):
        return '\n'.join([
            self.where.title, '',
            *self.table('microseconds per file', self.per_file,
                        (*PHASES, MOVES)), '',
            *self.table('milliseconds', self.once, ONCE), '',
            *self.table('ratio', self.comparison, PHASES), '',
            *map(self.target, self.options.waiting)])

    def table(self, title, cell, phases):
        yield line(title, phases)
        for number in self.answers:
            yield line(f'{number:,} wait',
                       (cell(number, phase) for phase in phases))

    def per_file(self, number, phase):
        return f'{1e6 * self.median(number, phase) / self.options.files:.1f}'

    def once(self, number, phase):
        return f'{1e3 * self.median(number, phase):.1f}'

    def median(self, number, phase):
        return statistics.median(self.seconds(number, phase))

    def seconds(self, number, phase):
        return [answer[phase] for answer in self.answers[number]]

    def comparison(self, number, phase):
        return report.with_quartiles(self.ratios(number, phase))

    def ratios(self, number, phase):
        # Noise comes and goes: only times of the same round are compared.
        return [answers[0][phase] / answers[1][phase]
                for answers in self.rounds(0, number)]

    def rounds(self, *numbers):
        return zip(*map(self.answers.get, numbers), strict=True)

    def target(self, number):
        at_first, later = (statistics.median(self.shares(number, phase))
                           for phase in PHASES)
        return (f'{report.verdict(min(at_first, later) >= LEAST)}: with '
                f'{number:,} {at_first:.2f} at first, {later:.2f} later of '
                f'the speed with 1,\n    plain moves apart; to reach: {LEAST}')

    def shares(self, number, phase):
        """Leave out what the directory takes longer when it is larger."""
        for one, many in self.rounds(1, number):
            yield one[phase] / (many[phase] - (many[MOVES] - one[MOVES]))


def line(title, cells):
    return f'{title:23}' + ''.join(f'{cell:>18}' for cell in cells)


def parse_options():
    parser = command_line.parser(
        __doc__, rounds=5, directory='on the disk for the second run')
    add = parser.add_argument
    add('--files', type=command_line.between(10, 99999), default=20000,
        help='that do not wait, twice per round')
    add('--waiting', type=command_line.between(2, 999999), nargs='+',
        default=[10000], help='how many wait')
    return parser.parse_args()


def main():
    options = parse_options()
    environment.get_python('2.0')
    print(f'{options.rounds} rounds of {options.files} files, seed '
          f'{options.seed}\n', flush=True)
    for where in handoff.get_places(options):
        benchmark = Benchmark(where, options)
        where.run(benchmark.run)
        print(benchmark, end='\n\n', flush=True)


if __name__ == '__main__':
    main()
