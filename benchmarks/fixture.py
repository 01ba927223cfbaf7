"""One test of an application, with one file: what does its store cost?

Prints a table; README.txt tells how to read it.
"""
import command_line
import comparison
import environment
import place
import report
import waiting


MOST = 1000  # microseconds


class Testing(comparison.Comparison):
    """A fresh store, a file through it, and nothing left behind."""

    script = 'fixing.py'
    verb = 'measure'
    BASE, OURS = 'straight-line calls', 'testing.Layer'

    def get_tasks(self):
        return {way: {'way': way, 'tests': self.options.tests}
                for way in (self.BASE, self.OURS)}

    def table(self):
        yield waiting.line('one test', ('microseconds', 'straight-line'))
        for name in self.answers:
            yield waiting.line(name, (
                f'{1e6 * self.median(name):.0f}',
                report.with_quartiles(self.ratios(name, self.BASE))))

    def target(self):
        cost = 1e6 * self.median(self.OURS)
        return (f'{report.verdict(cost < MOST)}: a test with one file takes '
                f'{cost:.0f} microseconds;\n    to stay below: {MOST}')


def main():
    parser = command_line.parser(
        __doc__, rounds=9, directory='which counts for nothing here')
    parser.add_argument('--tests', type=command_line.between(10, 99999),
                        default=500, help='in each process')
    options = parser.parse_args()
    environment.get_python('2.0')
    where = place.Place(options.directory, durable=False)
    print(f'{options.rounds} rounds of {options.tests} tests, '
          f'seed {options.seed}\n', flush=True)
    contest = Testing(where, options)
    contest.run()
    print(environment.title(), contest, sep='\n\n')


if __name__ == '__main__':
    main()
