"""Let many processes publish, and as many take; compare with other packages.

Prints tables; README.txt tells how to read them.
"""
import argparse
import collections
import environment
import handoff
import json
import os
import random
import report
import shutil
import statistics
import subprocess
import sys
import tempfile


NUMBERS = (1, 2, 4, 8)
MANY = 4            # processes of each peer
BASE, OURS = 'straight_line', 'filestore'
PEERS = ('dirq', 'persist_queue_ack', 'litequeue', 'kombu', 'huey')
PHASES = ('publish', 'take', 'both')
SIZE = 1024         # bytes
LONGEST = 120       # seconds
STEADY = 0.9        # of the throughput of fewer processes; the rest is noise
CALLS = 'openat,flock,renameat2,newfstatat,unlinkat,getdents64,access'


class Crowd:
    """Processes of one contender, in one directory."""

    def __init__(self, name, path, durable, files):
        self.task = {'name': name, 'path': path, 'durable': durable,
                     'size': SIZE}
        self.end = os.path.join(path, 'end')
        self.files = files

    def start(self, verb, number, *command):
        """Start so many; return them when all are ready."""
        processes = [subprocess.Popen(
            [*command, environment.get_python('2.0'), '-E',
             str(environment.HERE / 'crowd.py'),
             json.dumps({'verb': verb, 'number': index,
                         'files': self.files // number, **self.task})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for index in range(number)]
        for process in processes:
            if process.stdout.readline() != 'ready\n':
                sys.exit(f'{self.task["name"]} can not {verb}')
        return processes

    def go(self, processes):
        for process in processes:
            process.stdin.write('\n')
            process.stdin.flush()

    def stop(self):
        open(self.end, 'w').close()

    def one_phase(self, verb, number):
        """Return the seconds that it takes, and what was found."""
        processes = self.start(verb, number)
        if verb == 'take':
            self.stop()
        self.go(processes)
        return joined(processes)

    def at_once(self, number, *command):
        """Publish and take at the same time."""
        publishers = self.start('publish', number)
        takers = self.start('take', number, *command)
        self.go(takers + publishers)
        begin, _, _ = answers(publishers)
        self.stop()
        _, end, found = answers(takers)
        return end - begin, found


def joined(processes):
    begin, end, found = answers(processes)
    return end - begin, found


def answers(processes):
    """Return when the first one began, the last one ended, and all files."""
    found = [json.loads(process.communicate(timeout=LONGEST)[0])
             for process in processes]
    return (min(begin for begin, _, _ in found),
            max(end for _, end, _ in found),
            [name for _, _, names in found for name in names])


def check(name, files, found):
    """Each file has to come once."""
    twice = sum(count - 1 for count in collections.Counter(found).values())
    if len(found) - twice != files:
        sys.exit(f'{name}: {files - len(found) + twice} files are lost')
    return twice


class Benchmark:
    """All that is done in one place."""

    def __init__(self, where, options):
        self.where = where
        self.options = options
        self.chance = random.Random(options.seed)
        self.speeds = collections.defaultdict(list)
        self.seconds = collections.defaultdict(list)
        self.twice = collections.Counter()
        self.wasted = {}

    def run(self):
        print(self.where.title, file=sys.stderr, end=' ', flush=True)
        for _ in range(self.options.rounds):
            for task in self.chance.sample(self.tasks, len(self.tasks)):
                self.where.run(
                    lambda path, task=task: task[0](*task[1:], path))
            print('.', file=sys.stderr, end='', flush=True)
        print(file=sys.stderr)
        if shutil.which('strace'):
            for number in NUMBERS:
                self.where.run(
                    lambda path, number=number: self.waste(number, path))

    @property
    def tasks(self):
        return [*((self.together, name, number)
                  for name in (BASE, OURS) for number in NUMBERS),
                *((self.apart, name) for name in (BASE, OURS, *PEERS)
                  if not self.where.durable)]

    def crowd(self, name, path, files):
        return Crowd(name, path, self.where.durable, files)

    def together(self, name, number, path):
        files = self.options.files
        seconds, found = self.crowd(name, path, files).at_once(number)
        check(name, files, found)
        self.speeds[name, number].append(files / seconds)

    def apart(self, name, path):
        files = self.options.files
        crowd = self.crowd(name, path, files)
        published, _ = crowd.one_phase('publish', MANY)
        taken, found = crowd.one_phase('take', MANY)
        self.twice[name] += check(name, files, found)
        self.seconds[name].append(
            dict(zip(
                PHASES, (published, taken, published + taken), strict=True)))

    def waste(self, number, path):
        """Count the calls of those who take; strace makes them slow."""
        files = self.options.files
        with tempfile.TemporaryDirectory() as directory:
            log = os.path.join(directory, 'log')
            self.crowd(OURS, path, files).at_once(
                number, 'strace', '-y', '-ff', '-qq', '-o', log, '-e',
                'trace=?' + CALLS.replace(',', ',?'))
            lines = [line for line in read(directory) if path in line]
        failed = sum(' = -1 ' in line for line in lines)
        self.wasted[number] = (len(lines) / files, failed / files)

    def __str__(self):
        return '\n'.join([
            self.where.title, '', *self.table(), '', *self.peers(),
            *self.targets()])

    def table(self):
        yield line('publish and take', (
            'files a second', 'plain calls', 'ratio', 'calls a claim',
            'failed'))
        for number in NUMBERS:
            speeds, plain = (self.speeds[name, number]
                             for name in (OURS, BASE))
            ratios = [one / other for one, other in
                      zip(speeds, plain, strict=True)]
            yield line(f'{number} and {number} processes', (
                f'{statistics.median(speeds):,.0f}',
                f'{statistics.median(plain):,.0f}',
                report.with_quartiles(ratios), *self.calls(number)))

    def calls(self, number):
        return [f'{count:.2f}' for count in self.wasted.get(number, ())] or (
            '-', '-')

    def peers(self):
        if self.seconds:
            yield line(f'times as fast, {MANY} processes', PHASES)
            for name in self.seconds:
                if name != OURS:
                    yield line(self.title(name), (
                        report.with_quartiles(self.gains(name, phase))
                        for phase in PHASES))
            yield ''

    def title(self, name):
        twice = self.twice[name]
        return name + (f' ({twice} twice)' if twice else '')

    def gains(self, name, phase):
        return [theirs[phase] / ours[phase] for theirs, ours in zip(
            self.seconds[name], self.seconds[OURS], strict=True)]

    def targets(self):
        yield self.is_steady()
        for phase in PHASES if self.seconds else ():
            least, name = min((statistics.median(self.gains(name, phase)),
                               name) for name in PEERS)
            yield (f'{report.verdict(least > 1)}: with {MANY} processes ahead '
                   f'of every peer in {phase}: {least:.2f} times as fast as '
                   f'{name}')

    def is_steady(self):
        speeds = [statistics.median(self.speeds[OURS, number])
                  for number in NUMBERS]
        least = min(more / fewer for fewer, more in
                    zip(speeds, speeds[1:], strict=False))
        return (f'{report.verdict(least >= STEADY)}: twice as many processes '
                f'leave at least {least:.2f} of the throughput; to reach: '
                f'{STEADY}')


def read(directory):
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), errors='replace') as lines:
            yield from lines


def line(title, cells):
    return f'{title:32}' + ''.join(f'{cell:>18}' for cell in cells)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add('--rounds', type=handoff.between(2, 99), default=5, help='how often')
    add('--files', type=handoff.between(80, 20000), default=2000,
        help='per round')
    add('--seed', type=int, default=random.randrange(10**6),
        help='of the random order')
    add('--directory', default=str(environment.HERE),
        help='on the disk for the durable runs')
    return parser.parse_args()


def main():
    options = parse_options()
    environment.get_python('2.0')
    print(f'{options.rounds} rounds of {options.files} files of {SIZE} bytes, '
          f'seed {options.seed}\n', flush=True)
    for where in handoff.get_places(options):
        benchmark = Benchmark(where, options)
        benchmark.run()
        print(benchmark, end='\n\n', flush=True)


if __name__ == '__main__':
    main()
