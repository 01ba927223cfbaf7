"""Publish in transactions: how fast, and at which cost.

Prints tables; README.txt tells how to read them.
"""
import command_line
import comparison
import drawing
import environment
import image
import place
import report
import statistics
import waiting


SIZE = 4096         # bytes
SMALL, LARGE = 1, 256  # MiB
MEBIBYTE = 1 << 20  # bytes
LEAST_GAIN = 5      # of what is published together, with a journal
LEAST = {'one transaction': 0.7, 'one batch': 0.85}  # of straight-line calls
MOST_COST = 20      # microseconds
MOST_GROWTH = 1     # MiB
MOST_ALONE = 3      # publications
SHARED_MEMORY = '/dev/shm'  # a tmpfs


class Publishing(comparison.Comparison):
    """Many files, one by one and all together."""

    verb = 'publish'
    ALONE, BASE = 'one by one', 'straight-line calls'
    AT_ONCE = 'synced at once'
    TOGETHER = 'one group', 'filestore publish', 'intake'
    DRAWN = ALONE, 'one batch', 'one group', BASE

    def get_tasks(self):
        return {way: {'way': way, 'files': self.options.files, 'size': SIZE}
                for way in (self.ALONE, *LEAST, *self.TOGETHER, self.BASE,
                            self.AT_ONCE)}

    def table(self):
        yield waiting.line('publish', (
            'microseconds/file', 'one by one', 'straight-line'))
        for name in self.answers:
            yield waiting.line(name, (
                f'{1e6 * self.median(name) / self.options.files:.1f}',
                *(report.with_quartiles(self.ratios(base, name))
                  for base in (self.ALONE, self.BASE))))

    def rate(self, name):
        """Return the files per second."""
        return self.options.files / self.median(name)

    def target(self):
        if self.where.file_system == 'tmpfs':
            return 'Not decided: fsync does nothing on a tmpfs.'
        return '\n'.join([
            *(self.share(way, least) for way, least in LEAST.items()),
            *(self.gain(way) for way in self.TOGETHER
              if self.where.has_journal and self.where.file_system == 'ext4')])

    def share(self, way, least):
        share = statistics.median(self.ratios(self.BASE, way))
        return (f'{report.verdict(share >= least)}: {way} has {share:.2f} of '
                'the speed of straight-line\n'
                f'    calls; to reach: {least}')

    def gain(self, way):
        gain = statistics.median(self.ratios(self.ALONE, way))
        return (f'{report.verdict(gain >= LEAST_GAIN)}: {way} is {gain:.2f} '
                f'times as fast as one by one;\n    to reach: {LEAST_GAIN}')


class Alone(comparison.Comparison):
    """Files that are published one by one, each in a batch of its own.

    One process does both, by turns. It answers with the seconds a file.
    """

    verb = 'alone'
    BASE, OURS = 'publish', 'batch of one file'

    def get_tasks(self):
        return {self.verb: {'files': self.options.files, 'size': SIZE}}

    def table(self):
        yield waiting.line('one file', ('microseconds', 'publications'))
        for way in (self.BASE, self.OURS):
            yield waiting.line(way, (
                f'{1e6 * statistics.median(self.seconds(way)):.1f}',
                report.with_quartiles(self.costs(way))))

    def seconds(self, way):
        return [answer[way] for answer in self.answers[self.verb]]

    def costs(self, way):
        return [one / publication for one, publication in zip(
            self.seconds(way), self.seconds(self.BASE), strict=True)]

    def target(self):
        if self.where.file_system != 'tmpfs':
            return f'Not decided: {SHARED_MEMORY} is no tmpfs.'
        cost = statistics.median(self.costs(self.OURS))
        return (f'{report.verdict(cost <= MOST_ALONE)}: a batch of one file '
                f'costs {cost:.2f} publications of one;\n    at most: '
                f'{MOST_ALONE}')


class Joining(comparison.Comparison):
    """Transactions in which nothing is done."""

    verb = 'join'
    BASE, OURS = 'nothing joined', 'store joined'

    def get_tasks(self):
        return {name: {'joined': name == self.OURS,
                       'transactions': self.options.transactions}
                for name in (self.BASE, self.OURS)}

    def table(self):
        yield waiting.line('empty transaction', ('microseconds',))
        for name, seconds in self.answers.items():
            yield self.line(name, seconds)
        yield self.line('difference', self.costs())

    def line(self, name, seconds):
        return waiting.line(name, (report.with_quartiles(
            list(map(self.per_transaction, seconds))),))

    def costs(self):
        return self.differences(self.OURS, self.BASE)

    def per_transaction(self, seconds):
        return 1e6 * seconds / self.options.transactions

    def target(self):
        cost = self.per_transaction(statistics.median(self.costs()))
        return (f'{report.verdict(cost < MOST_COST)}: to join and do nothing '
                f'costs {cost:.1f} microseconds;\n    to stay below: '
                f'{MOST_COST}')


class Memory(comparison.Comparison):
    """A small file and a large one."""

    verb = 'peak'

    def get_tasks(self):
        return {number: {'mebibytes': number} for number in (SMALL, LARGE)}

    def table(self):
        yield waiting.line('peak of memory', ('MiB', f'{SMALL} MiB'))
        for number in self.answers:
            yield waiting.line(f'file of {number} MiB', (
                f'{self.median(number) / MEBIBYTE:.2f}',
                report.with_quartiles(self.ratios(number, SMALL))))

    def target(self):
        growth, least, most = (
            function(self.differences(LARGE, SMALL)) / MEBIBYTE
            for function in (statistics.median, min, max))
        return (f'{report.verdict(growth < MOST_GROWTH)}: {LARGE} MiB take '
                f'{growth:z.2f} MiB more than {SMALL} ({least:z.2f} '
                f'to {most:z.2f});\n    to stay below: {MOST_GROWTH}')


def parse_options():
    parser = command_line.parser(
        __doc__, rounds=9, directory='on the disk for the runs')
    add = parser.add_argument
    add('--files', type=command_line.between(10, 20000), default=1000,
        help='in one transaction')
    add('--transactions', type=command_line.between(10, 999999), default=20000,
        help='in which nothing is done')
    command_line.add_plot(add, 'the files per second')
    image.add_images(add)
    return parser.parse_args()


def main():
    options = parse_options()
    environment.get_python('2.0')
    print(f'{options.rounds} rounds of {options.files} files of {SIZE} bytes, '
          f'{options.transactions} empty\ntransactions, seed {options.seed}\n',
          flush=True)
    shared = place.Place(SHARED_MEMORY, durable=False)
    with image.durable_places(options) as disks:
        published = [show(Publishing(where, options)) for where in disks]
        for kind, where in ((Alone, shared), (Joining, disks[0]),
                            (Memory, disks[0])):
            show(kind(where, options))
    if options.plot:
        draw(options.plot, published)


def show(contest):
    contest.run()
    print(contest.where.title, contest, sep='\n\n', end='\n\n', flush=True)
    return contest


def draw(path, published):
    drawing.write(path, [drawing.Panel(
        f'files of {SIZE // 1024} KiB per second, durable',
        [contest.where.kind for contest in published], 'file system',
        {name: [contest.rate(name) for contest in published]
         for name in Publishing.DRAWN})], drawing.bars)


if __name__ == '__main__':
    main()
