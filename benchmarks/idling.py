"""What processes take that have nothing to do.

Prints a table; README.txt tells how to read it.
"""
import command_line
import contextlib
import environment
import os
import pathlib
import report
import resource
import signal
import subprocess
import sys
import tempfile
import time
import waiting


MOST = 0.5  # percent of a processor
KINDS = {
    'younger than --quiet': ['--quiet', '1d'],
    'without a marker': ['--marker', '.done'],
    'excluded': ['--exclude', '*.part'],
    'with a second name': ['--quiet', '0'],
    'open for writing': ['--quiet', '0'],
    'hidden': ['--quiet', '0']}
SPARE = 100  # descriptors
SITE = """\
<configure xmlns="http://namespaces.zope.org/zope"
           xmlns:filestore="http://namespaces.gocept.com/filestore">
  <include package="gocept.filestore" file="meta.zcml"/>
  %s
</configure>
"""
DECLARED = """
  <filestore:store name="{0}" path="{1}" prepare="yes"/>
  <filestore:consumer store="{0}" handler="builtins.repr"/>
"""


@contextlib.contextmanager
def started(*args):
    process = subprocess.Popen(
        [environment.get_python('2.0'), '-E', '-m', 'gocept.filestore',
         *args], stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def intake(kind, options):
    """Return which share of a processor an intake takes, in percent."""
    with (tempfile.TemporaryDirectory(dir=options.directory) as base,
          contextlib.ExitStack() as end):
        folder = pathlib.Path(base, 'in')
        for path in folder, pathlib.Path(base, 'others'):
            path.mkdir()
        for number in range(number_of(kind, options)):
            drop(kind, folder, number, end)
        with started('intake', '--watch', *KINDS[kind], str(folder),
                     f'{base}/store') as pid:
            return measured([pid], options)


def number_of(kind, options):
    if kind != 'open for writing':
        return options.files
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return min(options.files, most - SPARE)


def drop(kind, folder, number, end):
    path = folder / ('.' * (kind == 'hidden') + f'{number:06}.part')
    file = path.open('w')
    (end.enter_context if kind == 'open for writing' else close)(file)
    if kind == 'with a second name':
        os.link(path, folder.parent / 'others' / path.name)


def close(file):
    file.close()


def serve(options):
    """Return which share consumers take that one server runs."""
    with tempfile.TemporaryDirectory(dir=options.directory) as base:
        site = pathlib.Path(base, 'site.zcml')
        site.write_text(SITE % ''.join(
            DECLARED.format(number, f'{base}/{number}')
            for number in range(options.consumers)))
        with started('serve', str(site)) as pid:
            time.sleep(options.settle)
            children = pathlib.Path(
                f'/proc/{pid}/task/{pid}/children').read_text().split()
            if len(children) != options.consumers:
                sys.exit('The server has not started all consumers.')
            return measured([pid, *map(int, children)], options)


def measured(pids, options):
    time.sleep(options.settle)
    begin, before = time.monotonic(), total(pids)
    time.sleep(options.idle)
    return 100 * (total(pids) - before) / (time.monotonic() - begin)


def total(pids):
    """Return the seconds that processes have taken, by their own clocks."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def parse_options():
    parser = command_line.parser(__doc__, rounds=2)
    add = parser.add_argument
    number = command_line.between(1, 999999)
    add('--files', type=number, default=20000, help='that are not ready')
    add('--consumers', type=number, default=20, help='each on its own store')
    add('--settle', type=number, default=15, help='seconds before')
    add('--idle', type=number, default=60, help='seconds that are measured')
    return parser.parse_args()


def main():
    options = parse_options()
    environment.get_python('2.0')
    print(environment.title(), waiting.line(
        '', ('processor, %', '')).rstrip(), sep='\n\n', flush=True)
    found = []
    for kind in KINDS:
        found.append(intake(kind, options))
        print(f'intake, {kind:32}{found[-1]:.3f}', flush=True)
    found.append(serve(options))
    print(f'serve, {options.consumers:<33}{found[-1]:.3f}\n\n'
          f'{report.verdict(max(found) < MOST)}: each takes at most '
          f'{max(found):.2f} % of a processor;\n    to stay below: {MOST}')


if __name__ == '__main__':
    main()
