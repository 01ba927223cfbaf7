"""How long commands take that have next to nothing to do.

Prints a table; README.txt tells how to read it.
"""
import command_line
import environment
import random
import report
import resource
import statistics
import subprocess
import tempfile
import waiting


BASE = 'import click'
RUN = ('import sys, gocept.filestore.__main__ as cli\n'
       'sys.exit(cli.main(sys.argv[1:]))')
COMMANDS = {
    'nothing': ['pass'],
    BASE: [BASE],
    'filestore --version': [RUN, '--version'],
    'filestore list': [RUN, 'list', 'store'],
    'import FileStore': ['from gocept.filestore import FileStore']}
TARGETS = ('filestore --version', 'filestore list')
MOST = 2


def measure(options, directory):
    """Return the seconds of processor time, round by round."""
    python = environment.get_python('2.0')
    chance = random.Random(options.seed)
    seconds = {title: [] for title in COMMANDS}
    for _ in range(1 + options.rounds):  # the first one compiles
        for title in chance.sample(list(COMMANDS), len(COMMANDS)):
            before = taken()
            subprocess.run(
                [python, '-E', '-c', *COMMANDS[title]], check=True,
                stdout=subprocess.DEVNULL, cwd=directory)
            seconds[title].append(taken() - before)
    return {title: found[1:] for title, found in seconds.items()}


def taken():
    """Return what all processes have taken that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def ratios(seconds, title):
    return [one / base for one, base in zip(
        seconds[title], seconds[BASE], strict=True)]


def table(seconds):
    yield waiting.line('to start and end', ('milliseconds', f'of {BASE}'))
    for title, found in seconds.items():
        yield waiting.line(title, (
            f'{1e3 * statistics.median(found):.0f}',
            report.with_quartiles(ratios(seconds, title))))
    yield ''
    for title in TARGETS:
        times = statistics.median(ratios(seconds, title))
        yield (f'{report.verdict(times <= MOST)}: {title} takes {times:.2f} '
               f'times as long as {BASE}; at most: {MOST}')


def main():
    options = command_line.parser(
        __doc__, rounds=25,
        directory='which counts for nothing here').parse_args()
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(
            [environment.get_python('2.0'), '-E', '-c', RUN, 'prepare',
             'store'], check=True, stderr=subprocess.DEVNULL, cwd=directory)
        seconds = measure(options, directory)
    print(environment.title(), '\n'.join(table(seconds)), sep='\n\n')


if __name__ == '__main__':
    main()
