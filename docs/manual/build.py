"""`bin/docs`: builds the pages, and looks whether each link leads somewhere.
"""
import manual.link
import manual.place
import pathlib
import shutil
import sphinx.cmd.build
import sys


# Whatever is doubtful is an error: names that do not exist, and warnings.
STRICT = ['-n', '-W', '--keep-going', '-q']


def main(source, target):
    manual.place.link()
    shutil.rmtree(target, ignore_errors=True)
    status = sphinx.cmd.build.build_main(
        [*STRICT, '-d', target + '/.doctrees', *sys.argv[1:], source, target])
    if status:
        sys.exit(status)
    report(pathlib.Path(target))


def report(target):
    count, faults = manual.link.check(target)
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        sys.exit(1)
    print(f'{target}/index.html: {count} links, each of which leads somewhere')
