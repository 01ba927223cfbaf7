"""Type what the README.txt of each example says, and compare the answers.

    $ python3 examples/run.py [NAME...]

Each example runs in a copy of the checkout of its own. Indented lines that
begin with "$ " are typed, all into one bash. The lines below are the answer,
in which "..." stands for anything. A command has to succeed, in time, and
nothing may go on running in the end. The answers are passed on.
"""

import contextlib
import doctest
import pathlib
import re
import shell
import shutil
import signal
import sys
import tempfile
import time


CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLES = CHECKOUT / 'examples'
# Seconds.
LONGEST_COMMAND = 5 * 60
LONGEST_RUN = 15 * 60
LONGEST_END = 10
TYPED = re.compile(r'^( +)\$ (.+)\n((?:\1(?!\$ ).+\n)*)', re.MULTILINE)
FLAGS = (doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
         | doctest.REPORT_UDIFF)


def main(*names):
    # What was started is ended, also when this process is told to end.
    signal.signal(signal.SIGTERM, lambda *ignored: sys.exit(1))
    end = time.monotonic() + LONGEST_RUN
    return max([run(name, end) for name in names or all_names()])


def all_names():
    return sorted(path.parent.name for path in EXAMPLES.glob('*/README.txt'))


def run(name, end):
    """Run an example; return the number of its failures."""
    print(f'Running examples/{name}', flush=True)
    begin = time.monotonic()
    tests = failures = 0
    try:
        for _step in steps(name, end):
            tests += 1
    except shell.Failed as error:
        tests += 1
        failures = 1
        print(error)
    print(f'  Ran {tests} tests with {failures} failures, 0 errors and '
          f'0 skipped in {time.monotonic() - begin:.3f} seconds.', flush=True)
    return failures


def steps(name, end):
    """Yield when a command did what it should, and when nothing is left."""
    with copy() as checkout, shell.marking() as mark:
        directory = checkout / 'examples' / name
        with shell.running(directory, mark) as bash:
            for command, wanted in read(directory / 'README.txt'):
                print(f'$ {command}', flush=True)
                limit = min(end, time.monotonic() + LONGEST_COMMAND)
                status, answer = bash.type(command, limit)
                check(command, wanted, status, answer)
                print(answer, end='', flush=True)
                yield
        shell.wait_for_end(mark, LONGEST_END)
        yield


@contextlib.contextmanager
def copy():
    """Yield a copy of the checkout, without what does not belong to it."""
    ignored = (CHECKOUT / '.gitignore').read_text().split()
    ignored = [pattern.rstrip('/') for pattern in ignored]
    with tempfile.TemporaryDirectory(prefix='example-') as directory:
        yield pathlib.Path(shutil.copytree(
            CHECKOUT, pathlib.Path(directory, 'checkout'), symlinks=True,
            ignore=shutil.ignore_patterns('.git', *ignored)))


def read(readme):
    """Yield each command with its answer."""
    for indent, command, answer in TYPED.findall(readme.read_text()):
        yield command, re.sub(f'^{indent}', '', answer, flags=re.MULTILINE)


def check(command, wanted, status, answer):
    checker = doctest.OutputChecker()
    if not checker.check_output(wanted, answer, FLAGS):
        raise shell.Failed(checker.output_difference(
            doctest.Example(command, wanted), answer, FLAGS))
    if status:
        raise shell.Failed(f'{answer}exit status {status}')


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
