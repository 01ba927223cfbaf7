"""Let many processes publish, and as many take; compare with other packages.

Prints tables; README.txt tells how to read them.
"""
import command_line
import comparison
import crowd
import drawing
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
LEAST = 0.9         # of what is left to the straight-line calls
MOST_IN_VAIN = 1    # calls a claim, with the most processes


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
            'straight-line', 'of theirs'))
        for number in NUMBERS:
            ours, plain = (OURS, number), (BASE, number)
            yield line(f'{number} and {number} processes', (
                f'{self.median(ours):,.0f}', f'{self.median(plain):,.0f}',
                report.with_quartiles(self.ratios(ours, plain)),
                report.with_quartiles(self.ratios(ours, (OURS, 1))),
                report.with_quartiles(self.ratios(plain, (BASE, 1))),
                report.with_quartiles(self.shares(number))))

    def panel(self):
        return drawing.Panel(
            f'files per second, {self.where.short}', [
                str(number) for number in NUMBERS],
            'processes that publish, and as many that take',
            {title: [self.median((name, number)) for number in NUMBERS]
             for title, name in (('gocept.filestore', OURS),
                                 ('straight-line calls', BASE))})

    def shares(self, number):
        """Compare what so many processes leave of one with the calls'."""
        return [ours / plain for ours, plain in zip(
            self.ratios((OURS, number), (OURS, 1)),
            self.ratios((BASE, number), (BASE, 1)), strict=True)]

    def target(self):
        least, number = min((statistics.median(self.shares(number)), number)
                            for number in NUMBERS)
        return (f'{report.verdict(least >= LEAST)}: what is left of one '
                f'process is at least {least:.2f} of what is left\n    to the '
                f'straight-line calls (with {number}); to reach: {LEAST}')


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

    def target(self):
        most = max(NUMBERS)
        if not self.answers[most]:
            return 'Not decided without strace.'
        answer, = self.answers[most]
        calls = answer[tracing.IN_VAIN] / self.options.files
        return (f'{report.verdict(calls < MOST_IN_VAIN)}: with {most} '
                f'processes {calls:.2f} calls a claim are in vain;\n    to '
                f'stay below: {MOST_IN_VAIN}')


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
    return f'{title:30}' + ''.join(f'{cell:>18}' for cell in cells)


def parse_options():
    parser = command_line.parser(__doc__, rounds=5)
    add = parser.add_argument
    add('--files', type=command_line.between(80, 20000), default=2000,
        help='per round, rounded down to a multiple of eight')
    add('--peers', action='store_true',
        help='compare with other packages, and nothing else')
    command_line.add_plot(add, 'the files per second')
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
    if options.plot and not options.peers:
        drawing.write(options.plot, [
            contest.panel() for contest in (contests[0], contests[-1])])


if __name__ == '__main__':
    main()
