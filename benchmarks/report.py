"""The tables of medians and of ratios, and what was to be reached."""
import statistics


PHASES = ('publish', 'take', 'both', 'one by one')
WITH_QUARTILES = ('both', 'one by one')
BASE = 'straight_line'
OURS = 'filestore'
SHORT = 'short'             # ours, without a file object
METADATA = 'metadata'       # the short ways, with metadata
PROTOCOL = 'protocol'       # our own calls
FASTEST = 'dirq'            # of the peers
# What is to be reached where nothing is synced: how many times as fast as
# whom, in which phase. And as fast as all other peers, in each one.
MEMORY = (('both', BASE, 0.5), ('both', PROTOCOL, 0.9),
          ('publish', FASTEST, 1), ('both', FASTEST, 0.95))
# And durable, one by one: of the straight-line calls.
JOURNALED, ELSEWHERE = 0.95, 0.9


class Report:
    """What the rounds in one place gave.

    `answers` has a list per contender, with what `work.py` said each round.
    `missing` are the contenders that can not run here.
    """

    def __init__(self, place, files, answers, missing):
        self.place = place
        self.files = files
        self.answers = answers
        self.missing = missing

    def __str__(self):
        names = sorted(self.answers, reverse=True,
                       key=lambda name: self.ratio('both', name))
        return '\n'.join([
            self.place.title, '',
            *self.table('microseconds per file', self.time, names), '',
            *self.table('ratio', self.comparison, names), '',
            *self.footnotes(), *self.targets()])

    def table(self, title, cell, names):
        yield line(title, PHASES)
        for name in names:
            yield line(self.title(name),
                       (cell(phase, name) for phase in PHASES))

    def title(self, name):
        return self.answers[name][0]['title'] + self.mark(name)

    def mark(self, name):
        lacks = self.place.durable and self.answers[name][0]['durable']
        return ' *' if lacks else ''

    def time(self, phase, name):
        seconds = statistics.median(self.seconds(phase, name))
        return f'{1e6 * seconds / self.files:.1f}'

    def seconds(self, phase, name):
        return [answer['seconds'][phase] for answer in self.answers[name]]

    def comparison(self, phase, name):
        if phase not in WITH_QUARTILES:
            return figure(self.ratio(phase, name))
        return with_quartiles(self.ratios(phase, name))

    def ratios(self, phase, name, base=BASE):
        # Noise comes and goes: only times of the same round are compared.
        rounds = zip(self.seconds(phase, base), self.seconds(phase, name),
                     strict=True)
        return [theirs / own for theirs, own in rounds]

    def ratio(self, phase, name, base=BASE):
        return statistics.median(self.ratios(phase, name, base))

    def footnotes(self):
        for name in self.answers:
            if self.mark(name):
                yield f'* {self.title(name)[:-2]} {self.lack(name)}'

    def lack(self, name):
        return self.answers[name][0]['durable']

    def targets(self):
        if self.missing:
            yield f'Not decided without {", ".join(self.missing)}.'
        elif self.place.durable and self.place.file_system == 'tmpfs':
            yield 'Not decided: fsync does nothing on a tmpfs.'
        elif self.place.durable:
            yield self.share('one by one', BASE, JOURNALED if
                             self.place.has_journal else ELSEWHERE)
        else:
            yield from (self.share(*target) for target in MEMORY)
            yield self.share('both', FASTEST, 1, SHORT)
            yield from map(self.peers, PHASES)

    def share(self, phase, base, least, name=OURS):
        share = self.ratio(phase, name, base)
        who = '' if name == OURS else f'{self.title(name)}: '
        return (f'{verdict(share >= least)}: {who}in {phase} {share:.2f} '
                f'times as fast as {self.title(base)}; to reach: {least}')

    def peers(self, phase):
        """Tell of the fastest one of the others."""
        gain, title = min(
            (self.ratio(phase, OURS, name), self.title(name))
            for name in self.answers
            if name not in (OURS, SHORT, METADATA, BASE, PROTOCOL, FASTEST))
        return (f'{verdict(gain > 1)}: in {phase} ahead of all other peers: '
                f'{gain:.2f} times as fast as {title}')


def line(title, cells):
    publish, take, both, one_by_one = cells
    return f'{title:23}{publish:>10}{take:>10}{both:>18}{one_by_one:>18}'


def with_quartiles(ratios):
    low, middle, high = statistics.quantiles(ratios, n=4, method='inclusive')
    return f'{figure(middle)} ({figure(low)}-{figure(high)})'


def figure(number):
    return f'{number:.2f}'[:4].rstrip('.')


def verdict(reached):
    return 'Reached' if reached else 'NOT reached'
