"""Hand over small files and large ones, and copy a large one.

Prints tables; README.txt tells how to read them.
"""
import command_line
import comparison
import environment
import handoff
import report
import statistics


KIB, MIB = 1024, 1024 * 1024
# How many of each size.
FILES = {KIB: 1000, 64 * KIB: 300, 10 * MIB: 6}
LARGE = 256 * MIB
CONSTANT = MIB      # of memory, whatever is copied
BASE, OURS = 'straight_line', 'filestore'


class Sizes(comparison.Comparison):
    """The answers have the seconds of each phase."""

    script = 'copying.py'
    verb = 'hand_over'

    def get_tasks(self):
        return {(name, size): {
            'name': name, 'size': size, 'files': files,
            'durable': self.where.durable}
            for name in (BASE, OURS) for size, files in FILES.items()}

    def table(self):
        yield line('of the straight-line calls', ('publish', 'take', 'MiB/s'))
        for size, files in FILES.items():
            yield line(shown(size), (
                *(report.with_quartiles(self.ratios_of(phase, size))
                  for phase in ('publish', 'take')),
                f'{self.rate(size, files):,.0f}'))

    def ratios_of(self, phase, size):
        return [plain[phase] / ours[phase] for plain, ours in
                self.rounds((BASE, size), (OURS, size))]

    def rate(self, size, files):
        """Return how much comes through, published and taken."""
        return statistics.median(
            files * size / MIB / sum(answer.values())
            for answer in self.answers[OURS, size])


class Copy(comparison.Comparison):
    """The answers have seconds and bytes."""

    script = 'copying.py'
    verb = 'copy'
    TITLES = {'filestore': 'copy of the store',
              'kernel': 'copy_file_range(2)', 'copyfile': 'shutil.copyfile',
              'copyfileobj': 'shutil.copyfileobj'}

    def get_tasks(self):
        return {name: {'name': name, 'size': LARGE,
                       'durable': self.where.durable} for name in self.TITLES}

    def table(self):
        yield line(f'copy of {shown(LARGE)}', (
            'milliseconds', "of the kernel's", 'memory, KiB'))
        for name, title in self.TITLES.items():
            yield line(title, (
                f'{1e3 * self.middle(name, "seconds"):,.0f}',
                report.with_quartiles([
                    kernel['seconds'] / own['seconds'] for kernel, own in
                    self.rounds('kernel', name)]),
                f'{self.middle(name, "memory") / KIB:,.0f}'))

    def middle(self, name, key):
        return statistics.median(
            answer[key] for answer in self.answers[name])

    def target(self):
        most = self.middle(OURS, 'memory')
        return (f'{report.verdict(most < CONSTANT)}: {most / KIB:,.0f} KiB of '
                f'memory for {shown(LARGE)}; to stay below: '
                f'{CONSTANT // KIB:,}')


def shown(size):
    return f'{size // MIB} MiB' if size >= MIB else f'{size // KIB} KiB'


def line(title, cells):
    return f'{title:27}' + ''.join(f'{cell:>20}' for cell in cells)


def parse_options():
    return command_line.parser(__doc__, rounds=5).parse_args()


def main():
    options = parse_options()
    environment.get_python('2.0')
    print(f'{options.rounds} rounds, seed {options.seed}\n', flush=True)
    for where in handoff.get_places(options):
        print(where.title, end='\n\n', flush=True)
        for kind in (Sizes, Copy):
            contest = kind(where, options)
            contest.run()
            print(contest, end='\n\n', flush=True)


if __name__ == '__main__':
    main()
