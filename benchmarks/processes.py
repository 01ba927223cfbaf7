"""Let many processes publish, and as many take; compare with other packages.

Prints tables; README.txt tells how to read them.
"""
import command_line
import comparison
import crowd
import environment
import handoff
import itertools
import report
import statistics
import sys
import tracing


NUMBERS = (1, 2, 4, 8)
MANY = 4            # processes of each peer
BASE, OURS = 'straight_line', 'filestore'
PEERS = ('dirq', 'maildir', 'persist_queue_ack', 'litequeue', 'kombu', 'huey')
PHASES = ('publish', 'take', 'both')
SIZE = 1024         # bytes
KINDS = (tracing.ALL, tracing.IN_VAIN, *tracing.LOST)
STEADY = 0.9        # of the throughput of fewer processes; the rest is noise


class Crowds(comparison.Comparison):
    """Each contender has many processes."""

    def crowd(self, path, name):
        return crowd.Crowd(name, path, self.options.files, size=SIZE,
                           durable=self.where.durable)


class Together(Crowds):
    """As many take as publish, at once. The answers are files per second."""

    verb = 'together'

    def get_tasks(self):
        return {task: task for task in itertools.product(
            (BASE, OURS), NUMBERS)}

    def execute(self, path, task):
        name, number = task
        seconds, twice = self.crowd(path, name).at_once(number)
        if twice:
            sys.exit(f'{name}: {twice} files came twice')
        return self.options.files / seconds

    def table(self):
        yield line('publish and take', (
            'files a second', 'straight-line', 'ratio', 'of one process',
            'straight-line'))
        for number in NUMBERS:
            ours, plain = (OURS, number), (BASE, number)
            yield line(f'{number} and {number} processes', (
                f'{self.median(ours):,.0f}', f'{self.median(plain):,.0f}',
                report.with_quartiles(self.ratios(ours, plain)),
                report.with_quartiles(self.ratios(ours, (OURS, 1))),
                report.with_quartiles(self.ratios(plain, (BASE, 1)))))

    def target(self):
        least, plain = map(self.least, (OURS, BASE))
        return (f'{report.verdict(least >= STEADY)}: more processes leave at '
                f'least {least:.2f} of the throughput of fewer; to reach: '
                f'{STEADY}\n    (straight-line calls: {plain:.2f})')

    def least(self, name):
        return min(
            statistics.median(self.ratios((name, more), (name, fewer)))
            for fewer, more in itertools.combinations(NUMBERS, 2))


class Trace(Crowds):
    """The answers count the calls of those who take, by their names."""

    verb = 'trace'

    def get_tasks(self):
        return {number: number for number in NUMBERS}

    def run(self):
        """Once will do: strace slows them down, and it takes long."""
        print(self.verb, file=sys.stderr, flush=True)
        if tracing.is_there():
            self.play_round()

    def execute(self, path, number):
        return tracing.count(
            f'{path}/store', lambda *command:
            self.crowd(path, OURS).at_once(number, *command))

    def table(self):
        yield line('calls a claim', KINDS)
        for number in NUMBERS:
            yield line(f'{number} and {number} processes', self.calls(number))

    def calls(self, number):
        if not self.answers[number]:
            return ['-'] * len(KINDS)
        answer, = self.answers[number]
        return [f'{answer[kind] / self.options.files:.2f}' for kind in KINDS]


class Apart(Crowds):
    """First all publish, then all take. The answers are by phase."""

    verb = 'apart'

    def get_tasks(self):
        return {name: name for name in (OURS, BASE, *PEERS)}

    def execute(self, path, name):
        contender = self.crowd(path, name)
        publish = contender.publish(MANY)
        take, twice = contender.take(MANY)
        return {'publish': publish, 'take': take, 'both': publish + take,
                'twice': twice}

    def table(self):
        yield line(f'{MANY} processes: times as fast as', PHASES)
        for name in (BASE, *PEERS):
            yield line(self.title(name), (
                report.with_quartiles(self.gains(name, phase))
                for phase in PHASES))

    def title(self, name):
        twice = sum(answer['twice'] for answer in self.answers[name])
        return name + (f' ({twice} twice)' if twice else '')

    def gains(self, name, phase):
        return [theirs[phase] / ours[phase]
                for theirs, ours in self.rounds(name, OURS)]

    def target(self):
        return '\n'.join(map(self.ahead, PHASES))

    def ahead(self, phase):
        least, name = min(
            (statistics.median(self.gains(name, phase)), name)
            for name in PEERS)
        return (f'{report.verdict(least > 1)}: with {MANY} processes ahead of '
                f'every peer in {phase}: {least:.2f} times as fast as {name}')


def line(title, cells):
    return f'{title:32}' + ''.join(f'{cell:>20}' for cell in cells)


def parse_options():
    parser = command_line.parser(__doc__, rounds=5)
    add = parser.add_argument
    add('--files', type=command_line.between(80, 20000), default=2000,
        help='per round, rounded down to a multiple of eight')
    add('--peers', action='store_true',
        help='compare with other packages, and nothing else')
    options = parser.parse_args()
    options.files -= options.files % max(NUMBERS)
    return options


def main():
    options = parse_options()
    environment.get_python('2.0')
    print(f'{options.rounds} rounds of {options.files} files of {SIZE} bytes, '
          f'seed {options.seed}\n', flush=True)
    memory, disk = handoff.get_places(options)
    contests = [Together(memory, options), Trace(memory, options),
                Apart(memory, options), Together(disk, options)]
    for contest in contests[2:3] if options.peers else contests:
        contest.run()
        print(contest.where.title, contest, sep='\n\n', end='\n\n',
              flush=True)


if __name__ == '__main__':
    main()
