"""Type what the examples and the guides say, and compare the answers.

    $ python3 examples/run.py [NAME...]

A name is that of an example, like zope, or of a page of docs, like tutorial or
guides/cron. An example, examples/NAME/README.txt, runs in a copy of the
checkout of its own; `guide.py` tells where a guide does, docs/NAME.txt, and
`text.py` what of a text is typed, all into one bash. In the answer "..."
stands for anything. A command has to succeed, in time, and nothing may go on
running in the end. The answers are passed on. A guide that this machine can
not follow is left out.
"""

import atexit
import contextlib
import doctest
import functools
import guide
import pathlib
import shell
import shutil
import signal
import sys
import tempfile
import text
import time


CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLES = CHECKOUT / 'examples'
DOCS = CHECKOUT / 'docs'
# Seconds; the first two are for each example and guide. The 250 packages of
# Plone take a minute, and beside the other track of .ci/run up to five.
LONGEST_COMMAND = 10 * 60
LONGEST_RUN = 15 * 60
LONGEST_END = 10
FLAGS = (doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
         | doctest.REPORT_UDIFF)


def main(*names):
    # What was started is ended, also when this process is told to end.
    signal.signal(signal.SIGTERM, lambda *ignored: sys.exit(1))
    return max([run(name) for name in names or all_names()])


def all_names():
    examples = [path.parent.name for path in EXAMPLES.glob('*/README.txt')]
    guides = [f'guides/{path.stem}' for path in DOCS.glob('guides/*.txt')]
    return [*sorted(examples), 'tutorial', *sorted(guides)]


def run(name):
    """Run an example or a guide; return the number of its failures."""
    print(f'Running {path_of(name).relative_to(CHECKOUT)}', flush=True)
    begin = time.monotonic()
    tests = failures = skipped = 0
    try:
        for _step in steps(name, begin + LONGEST_RUN):
            tests += 1
    except guide.LeftOut as reason:
        tests = skipped = 1
        print(f'  left out: {reason}')
    except shell.Failed as error:
        tests += 1
        failures = 1
        print(f'Failure in {name}\n{error}')
    print(f'  Ran {tests} tests with {failures} failures, 0 errors and '
          f'{skipped} skipped in {time.monotonic() - begin:.3f} seconds.',
          flush=True)
    return failures


def path_of(name):
    example = EXAMPLES / name / 'README.txt'
    return example if example.is_file() else DOCS / f'{name}.txt'


def steps(name, end):
    """Yield when a command did what it should, and when nothing is left."""
    content = path_of(name).read_text(encoding='utf-8')
    with place(name, content) as where, shell.marking() as mark:
        with shell.running(where.directory, mark, where.environment,
                           where.runner) as bash:
            prepare(bash, where.first)
            mark.add_namespace(bash.pid)
            for sign, command, wanted in text.typed(content):
                print(f'{sign} {command}', flush=True)
                limit = min(end, time.monotonic() + LONGEST_COMMAND)
                status, answer = bash.type(command, limit)
                check(command, wanted, status, answer)
                print(answer, end='', flush=True)
                yield
        shell.wait_for_end(mark, LONGEST_END)
        yield


@contextlib.contextmanager
def place(name, content):
    """Yield where an example or a guide is typed."""
    is_example = path_of(name).is_relative_to(EXAMPLES)
    if is_example:
        with copy() as checkout:
            yield guide.example(checkout / 'examples' / name)
        return
    guide.check(content)
    with guide.place(content, wheel(), CHECKOUT / 'versions.cfg') as result:
        yield result


@functools.cache
def wheel():
    """Build the wheel, once for all guides, and return its path."""
    target = pathlib.Path(tempfile.mkdtemp(prefix='wheel-'))
    atexit.register(shutil.rmtree, target)
    target.chmod(0o755)  # a guide may be followed by another user
    with copy() as checkout:
        return guide.build(checkout, target)


def prepare(bash, command):
    status, answer = bash.type(command, time.monotonic() + LONGEST_COMMAND)
    if status:
        raise guide.LeftOut(answer.strip())


@contextlib.contextmanager
def copy():
    """Yield a copy of the checkout, without what does not belong to it."""
    ignored = (CHECKOUT / '.gitignore').read_text().split()
    ignored = [pattern.rstrip('/') for pattern in ignored]
    with tempfile.TemporaryDirectory(prefix='example-') as directory:
        yield pathlib.Path(shutil.copytree(
            CHECKOUT, pathlib.Path(directory, 'checkout'), symlinks=True,
            ignore=shutil.ignore_patterns('.git', *ignored)))


def check(command, wanted, status, answer):
    checker = doctest.OutputChecker()
    if not checker.check_output(wanted, answer, FLAGS):
        raise shell.Failed(checker.output_difference(
            doctest.Example(command, wanted), answer, FLAGS))
    if status:
        raise shell.Failed(f'{answer}exit status {status}')


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
