"""Publish to a process that waits: when does it begin, what does it cost?

Prints tables; README.txt tells how to read them.
"""
import command_line
import comparison
import environment
import handoff
import report
import statistics
import sys
import waiting


SIZE = 1024         # bytes
BASE, WOKEN = 'straight-line calls', 'woken'
FOUR = 'woken, of 4 workers'
OFTEN, SELDOM = 'polls, poll=0.1', 'polls, poll=1'
TASKS = {
    BASE: {'name': 'straight_line', 'pause': 0.1},
    WOKEN: {'name': 'filestore', 'pause': 0.1, 'poll': 1, 'woken': True},
    FOUR: {'name': 'filestore', 'pause': 0.1, 'poll': 1, 'woken': True,
           'workers': 4},
    OFTEN: {'name': 'filestore', 'pause': 0.1, 'poll': 0.1, 'woken': False},
    SELDOM: {'name': 'filestore', 'pause': 1, 'poll': 1, 'woken': False}}
MOST_LATENCY = {True: (10, None), False: (1, 5)}  # ms; median, 99th
MOST_TIME = 0.5     # percent of a processor
WAITING = (0, 10000)  # files, for their next attempt


class Delivery(comparison.Comparison):
    """From the call of publish to the begin of the handler, elsewhere.

    The answers are lists of moments: before, after, and work begins.
    """

    script = 'delivering.py'
    verb = 'deliver'

    def get_tasks(self):
        return {title: {'files': self.options.files, 'size': SIZE,
                        'durable': self.where.durable, **task}
                for title, task in TASKS.items()}

    def execute(self, path, task):
        return super().execute(
            path, {**task, 'seed': self.chance.randrange(10**6)})

    def table(self):
        yield report.line('ms since the call', (
            'median', '99th', 'maximum', 'straight-line'))
        for title in self.answers:
            yield report.line(title, (
                *self.figures(title, since_call),
                report.with_quartiles(self.ratios(BASE, title))))
        yield ''
        yield report.line('ms since its return', (
            'median', '99th', 'maximum', '')).rstrip()
        for title in self.answers:
            yield report.line(title, (
                *self.figures(title, since_return), '')).rstrip()

    def figures(self, title, since):
        times = [time for answer in self.answers[title]
                 for time in map(since, answer)]
        percentiles = statistics.quantiles(times, n=100, method='inclusive')
        return [f'{number:.2f}' for number in (
            statistics.median(times), percentiles[98], max(times))]

    def ratios(self, name, base):
        return [latency(one) / latency(other)
                for one, other in self.rounds(name, base)]

    def target(self):
        if self.where.durable and self.where.file_system == 'tmpfs':
            return 'Not decided: fsync does nothing on a tmpfs.'
        return '\n'.join(self.verdicts(*MOST_LATENCY[self.where.durable]))

    def verdicts(self, most, most_99th):
        median, percentile, _ = self.figures(FOUR, since_call)
        yield (f'{report.verdict(float(median) < most)}: with four workers '
               f'the handler begins {median} ms after the call\n    of '
               f'publish; to stay below: {most}')
        if most_99th:
            yield (f'{report.verdict(float(percentile) < most_99th)}: '
                   f'{percentile} ms by the 99th percentile; to stay below: '
                   f'{most_99th}')


def latency(moments):
    return statistics.median(map(since_call, moments))


def since_call(moments):
    before, after, begins = moments
    return 1e3 * (begins - before)


def since_return(moments):
    before, after, begins = moments
    return 1e3 * (begins - after)


class Idleness(comparison.Comparison):
    """Processes that wait in vain. The answers are rates, by their kind."""

    script = 'delivering.py'
    verb = 'idle'
    SCALES = {'processor': 1000, 'wakes': 1, 'calls': 1}

    def get_tasks(self):
        return {(title, number): {'waiting': number, 'poll': 1,
                                  'woken': title == WOKEN,
                                  'seconds': self.options.idle}
                for number in WAITING for title in (WOKEN, SELDOM)}

    def run(self):
        """Once will do: nothing is divided, and it takes long."""
        print(self.verb, file=sys.stderr, flush=True)
        self.play_round()

    def table(self):
        yield waiting.line('idle, per second', (
            'processor, ms', 'wakes', 'system calls'))
        for title, number in self.answers:
            yield waiting.line(f'{title}, {number:,}', self.rates(
                title, number))

    def rates(self, title, number):
        answer, = self.answers[title, number]
        for kind, scale in self.SCALES.items():
            yield f'{scale * answer[kind]:.2f}' if kind in answer else '-'

    def target(self):
        return '\n'.join(map(self.target_beside, WAITING))

    def target_beside(self, number):
        answer, = self.answers[WOKEN, number]
        if not answer['wakes']:
            return f'Not decided: no look beside {number:,} files in that time'
        percent = 100 * answer['processor']
        return (f'{report.verdict(percent < MOST_TIME)}: a process that waits '
                f'beside {number:,} files takes {percent:.2f} % of\n'
                f'    a processor; to stay below: {MOST_TIME}')


def parse_options():
    parser = command_line.parser(
        __doc__, rounds=5, seed='of the random order, and of the pauses')
    add = parser.add_argument
    add('--files', type=command_line.between(2, 400), default=40,
        help='per round')
    add('--idle', type=command_line.between(2, 120), default=30,
        help='seconds in which nothing comes')
    return parser.parse_args()


def main():
    options = parse_options()
    environment.get_python('2.0')
    print(f'{options.rounds} rounds of {options.files} files of {SIZE} bytes, '
          f'idle for {options.idle} seconds,\nseed {options.seed}\n',
          flush=True)
    memory, disk = handoff.get_places(options)
    for kind, where in ((Delivery, memory), (Delivery, disk),
                        (Idleness, disk)):
        contest = kind(where, options)
        contest.run()
        print(where.title, contest, sep='\n\n', end='\n\n', flush=True)


if __name__ == '__main__':
    main()
