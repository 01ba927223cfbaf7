"""Consume files in transactions of a ZODB: what do the files cost?

Prints tables; README.txt tells how to read them.
"""
import command_line
import comparison
import environment
import handoff
import report
import statistics
import waiting


SIZE = 1024         # bytes
MOST = 0.25         # of the commits alone


class Consuming(comparison.Comparison):
    """Each file is an object in a transaction of its own."""

    script = 'storing.py'
    verb = 'measure'
    BASE, OURS = 'commits alone', 'consumer'
    CALLS = ('moves alone', 'straight-line calls')

    def get_tasks(self):
        return {way: {'way': way, 'durable': self.where.durable,
                      'files': self.options.files, 'size': SIZE}
                for way in (self.BASE, *self.CALLS, self.OURS)}

    def table(self):
        yield waiting.line('one transaction', ('microseconds', 'files'))
        for name in self.answers:
            yield waiting.line(name, (
                f'{1e6 * self.median(name) / self.options.files:.1f}',
                report.with_quartiles(self.shares(name))))

    def shares(self, name):
        """Return how much longer it takes, of the commits alone."""
        return [ratio - 1 for ratio in self.ratios(name, self.BASE)]

    def target(self):
        share, plain = (statistics.median(self.shares(name))
                        for name in (self.OURS, self.CALLS[-1]))
        return (f'{report.verdict(share <= MOST)}: the files take {share:.2f} '
                f'of the time of the commits alone;\n    at most: {MOST} '
                f'(straight-line calls: {plain:.2f})')


def parse_options():
    parser = command_line.parser(__doc__, rounds=5)
    parser.add_argument(
        '--files', type=command_line.between(10, 20000), default=1000,
        help='per round')
    return parser.parse_args()


def main():
    options = parse_options()
    environment.get_python('2.0')
    print(f'{options.rounds} rounds of {options.files} files of {SIZE} bytes, '
          f'seed {options.seed}\n', flush=True)
    for where in handoff.get_places(options):
        contest = Consuming(where, options)
        contest.run()
        print(where.title, contest, sep='\n\n', end='\n\n', flush=True)


if __name__ == '__main__':
    main()
