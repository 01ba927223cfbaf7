"""The tables of a backlog, and what was to be reached."""
import drawing
import report
import statistics


ORDERS = ('age', 'directory')
BASE, OURS = 'straight_line', 'filestore'
TITLES = {BASE: 'plain calls', OURS: 'filestore'}
WAYS = tuple((order, name) for order in ORDERS for name in TITLES)
SPEED = 0.8                                 # of that at the smaller size
FIRST = {'age': 5, 'directory': 0.05}       # seconds
TIMES = 1.25                                # of the plain calls, by age
PER_FILE = 200                              # bytes
CONSTANT = 1024 * 1024                      # bytes more, in directory order
COMPARED = 10000                            # files


class Report:
    """What the rounds in one place gave.

    `claims` tells how many were claimed where so many files wait. `answers`
    has a list per number of files and way, with what `piling.py` said.
    """

    def __init__(self, place, claims, answers):
        self.place = place
        self.claims = claims
        self.answers = answers
        self.files = sorted(claims)

    def __str__(self):
        return '\n'.join([
            self.place.title, '',
            *self.table('claims per second', self.speed), '',
            *self.table('first claim, ms', self.first), '',
            *self.table('memory, KiB', self.memory), '',
            *self.table('bytes a file', self.per_file), '',
            *self.ratios(), '', *self.targets()])

    def table(self, title, cell):
        yield line(title, (f'{TITLES[name]}, {order}' for order, name in WAYS))
        for files in self.files:
            yield line(f'{files:,} wait', (cell(files, way) for way in WAYS))

    def speed(self, files, way):
        return f'{self.speed_of(files, way):,.0f}'

    def speed_of(self, files, way):
        return statistics.median(self.speeds(files, way))

    def speeds(self, files, way):
        return [self.claims[files] / seconds
                for seconds in self.values('rest', files, way)]

    def first(self, files, way):
        return f'{1e3 * self.median("first", files, way):,.1f}'

    def memory(self, files, way):
        return f'{self.median("memory", files, way) / 1024:,.0f}'

    def per_file(self, files, way):
        return f'{self.median("memory", files, way) / files:,.1f}'

    def median(self, key, files, way):
        return statistics.median(self.values(key, files, way))

    def values(self, key, files, way):
        return [answer[key] for answer in self.answers[files, way]]

    def panel(self):
        return drawing.Panel(
            f'claims per second, {self.place.short}',
            [f'{files:,}' for files in self.files], 'files in new',
            {f'{TITLES[name]}, order {order}': [
                self.speed_of(files, (order, name)) for files in self.files]
             for name in reversed(TITLES) for order in ORDERS})

    def ratios(self):
        """Compare with the straight-line calls, in the same round."""
        yield line('ratio', (f'{what}, {order}' for order in ORDERS
                             for what in ('claims', 'first')))
        for files in self.files:
            yield line(f'{files:,} wait', (
                report.with_quartiles(self.ratio(key, files, order))
                for order in ORDERS for key in ('rest', 'first')))

    def ratio(self, key, files, order):
        return [base / own for base, own in zip(
            self.values(key, files, (order, BASE)),
            self.values(key, files, (order, OURS)), strict=True)]

    def targets(self):
        most = max(self.files)
        for order in ORDERS:
            if COMPARED in self.files and COMPARED < most:
                yield self.keeps_speed(most, order)
            yield self.begins(most, order)
            if order == 'age':
                yield self.lists(most)
            yield self.is_small(most, order)

    def keeps_speed(self, most, order):
        shares = {name: statistics.median(
            many / few for many, few in zip(
                self.speeds(most, (order, name)),
                self.speeds(COMPARED, (order, name)), strict=True))
            for name in (OURS, BASE)}
        return (f'{report.verdict(shares[OURS] >= SPEED)}: by {order} with '
                f'{most:,} {shares[OURS]:.2f} of the speed with {COMPARED:,}; '
                f'to reach: {SPEED}\n    (the plain calls: '
                f'{shares[BASE]:.2f})')

    def begins(self, most, order):
        seconds = self.median('first', most, (order, OURS))
        return (f'{report.verdict(seconds < FIRST[order])}: by {order} with '
                f'{most:,} the first claim after {1e3 * seconds:,.1f} ms; '
                f'to reach: {1e3 * FIRST[order]:,.0f}')

    def lists(self, most):
        """Compare with who lists, asks for all times, and sorts."""
        times = statistics.median(
            1 / ratio for ratio in self.ratio('first', most, 'age'))
        return (f'{report.verdict(times <= TIMES)}: by age with {most:,} the '
                f'first claim takes {times:.2f} of the plain calls; at most: '
                f'{TIMES}')

    def is_small(self, most, order):
        growth = self.median('memory', most, (order, OURS))
        if order == 'age':
            return (f'{report.verdict(growth < PER_FILE * most)}: by age with '
                    f'{most:,} {growth / most:.0f} bytes a waiting file; '
                    f'to reach: {PER_FILE}')
        more = growth - self.median(
            'memory', min(self.files), (order, OURS))
        return (f'{report.verdict(more < CONSTANT)}: by directory with '
                f'{most:,} {more / 1024:,.0f} KiB more than with '
                f'{min(self.files):,}; to reach: '
                f'{CONSTANT // 1024:,}')


def line(title, cells):
    return f'{title:19}' + ''.join(f'{cell:>24}' for cell in cells)
