"""Plots of what was measured, as SVG."""
import dataclasses
import environment
import math
import xml.sax.saxutils


WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 360, 220, 70, 40, 45
WHOLE = LEFT + WIDTH
COLOURS = ('#1f4e9c', '#c0392b', '#8aa8d6', '#e3a9a2')
GAP = 0.25          # of the room for a label, between bars


@dataclasses.dataclass
class Panel:
    """What was measured in one place: a number for each label, by names."""

    title: str
    labels: list
    below: str
    numbers: dict

    def most(self):
        return max(map(max, self.numbers.values()))


def lines(panel, most):
    for colour, numbers in zip(COLOURS, panel.numbers.values(), strict=False):
        points = ' '.join(
            f'{across(panel, index):.1f},{height(number, most):.1f}'
            for index, number in enumerate(numbers))
        yield (f'<polyline points="{points}" fill="none" stroke="{colour}" '
               'stroke-width="2"/>')


def bars(panel, most):
    room = (WIDTH - 20) / len(panel.labels)
    width = room * (1 - GAP) / len(panel.numbers)
    for place, numbers in enumerate(panel.numbers.values()):
        for index, number in enumerate(numbers):
            x = across(panel, index) - room * (1 - GAP) / 2 + place * width
            y = height(number, most)
            yield (f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                   f'height="{TOP + HEIGHT - y:.1f}" '
                   f'fill="{COLOURS[place]}"/>')


def write(path, panels, shape=lines):
    """Draw the panels side by side, each in a scale of its own."""
    body = ''.join(
        f'<g transform="translate({index * WHOLE})">'
        f'{"".join(drawn(panel, shape))}</g>'
        for index, panel in enumerate(panels))
    names = list(panels[0].numbers)
    with open(path, 'w') as f:
        f.write('<svg xmlns="http://www.w3.org/2000/svg" '
                f'width="{max(WHOLE * len(panels) + 20, 2 * WHOLE)}" '
                f'height="{legend_at(len(names) + 1)}" '
                'font-family="sans-serif" font-size="12">'
                '<rect width="100%" height="100%" fill="white"/>'
                f'{body}{"".join(legend(names))}</svg>\n')


def drawn(panel, shape):
    most = panel.most()
    yield text(LEFT, TOP - 20, panel.title)
    yield from axis(most)
    for index, label in enumerate(panel.labels):
        yield text(across(panel, index), TOP + HEIGHT + 18, label, 'middle')
    yield text(LEFT + WIDTH / 2, TOP + HEIGHT + 36, panel.below, 'middle')
    yield from shape(panel, most)


def axis(most):
    step = 10 ** math.floor(math.log10(most))
    step = step if most / step >= 3 else step / 4
    for number in range(int(most / step) + 1):
        y = height(number * step, most)
        yield (f'<line x1="{LEFT}" x2="{LEFT + WIDTH - 20}" y1="{y:.1f}" '
               f'y2="{y:.1f}" stroke="#ddd"/>')
        yield text(LEFT - 6, y + 4, f'{number * step:,.0f}', 'end')


def across(panel, index):
    return LEFT + (WIDTH - 20) * (index + 0.5) / len(panel.labels)


def height(number, most):
    return TOP + HEIGHT * (1 - number / most)


def legend(names):
    for index, name in enumerate(names):
        y = legend_at(index)
        yield (f'<rect x="{LEFT}" y="{y - 8}" width="18" height="4" '
               f'fill="{COLOURS[index]}"/>')
        yield text(LEFT + 26, y, name)
    yield text(LEFT, legend_at(len(names)), environment.title())


def legend_at(index):
    return TOP + HEIGHT + BOTTOM + 10 + 18 * index


def text(x, y, content, anchor='start'):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f'{xml.sax.saxutils.escape(content)}</text>')
