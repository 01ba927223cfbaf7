"""The claims per second of a backlog, as SVG."""
import math
import xml.sax.saxutils


WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 360, 220, 70, 40, 45
COLOURS = {('age', 'filestore'): '#1f4e9c',
           ('directory', 'filestore'): '#c0392b',
           ('age', 'straight_line'): '#8aa8d6',
           ('directory', 'straight_line'): '#e3a9a2'}


def write(path, reports):
    """Draw one panel for each place, side by side, in the same scale."""
    most = max(report.speed_of(files, way) for report in reports
               for files, way in report.answers)
    panels = [''.join(panel(report, most)) for report in reports]
    whole = LEFT + WIDTH
    body = ''.join(f'<g transform="translate({index * whole})">{content}</g>'
                   for index, content in enumerate(panels))
    with open(path, 'w') as f:
        f.write('<svg xmlns="http://www.w3.org/2000/svg" '
                f'width="{whole * len(panels) + 20}" '
                f'height="{TOP + HEIGHT + BOTTOM + 20 * len(COLOURS)}" '
                'font-family="sans-serif" font-size="12">'
                '<rect width="100%" height="100%" fill="white"/>'
                f'{body}{"".join(legend())}</svg>\n')


def panel(report, most):
    where = report.place
    title = f'claims per second, {where.how} ({where.file_system})'
    yield text(LEFT, TOP - 20, title)
    yield from axis(most)
    for files in report.files:
        yield text(across(report, files), TOP + HEIGHT + 18, f'{files:,}',
                   'middle')
    yield text(LEFT + WIDTH / 2, TOP + HEIGHT + 36, 'files in new', 'middle')
    for way, colour in COLOURS.items():
        points = ' '.join(
            f'{across(report, files):.1f},'
            f'{height(report.speed_of(files, way), most):.1f}'
            for files in report.files)
        yield (f'<polyline points="{points}" fill="none" stroke="{colour}" '
               'stroke-width="2"/>')


def axis(most):
    step = 10 ** math.floor(math.log10(most))
    step = step if most / step >= 3 else step / 4
    for number in range(int(most / step) + 1):
        y = height(number * step, most)
        yield (f'<line x1="{LEFT}" x2="{LEFT + WIDTH - 20}" y1="{y:.1f}" '
               f'y2="{y:.1f}" stroke="#ddd"/>')
        yield text(LEFT - 6, y + 4, f'{number * step:,.0f}', 'end')


def across(report, files):
    low, high = (math.log10(number(report.files))
                 for number in (min, max))
    share = (math.log10(files) - low) / (high - low or 1)
    return LEFT + 25 + share * (WIDTH - 80)


def height(speed, most):
    return TOP + HEIGHT * (1 - speed / most)


def legend():
    for index, ((order, name), colour) in enumerate(COLOURS.items()):
        y = TOP + HEIGHT + BOTTOM + 10 + 18 * index
        yield (f'<rect x="{LEFT}" y="{y - 8}" width="18" height="4" '
               f'fill="{colour}"/>')
        who = {'filestore': 'gocept.filestore',
               'straight_line': 'straight-line calls'}[name]
        yield text(LEFT + 26, y, f'{who}, order {order}')


def text(x, y, content, anchor='start'):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f'{xml.sax.saxutils.escape(content)}</text>')
