"""`bin/docs`: builds the pages, and looks where each link leads."""
import manual.link
import manual.place
import pathlib
import shutil
import sphinx.cmd.build
import sys


# Whatever is doubtful is an error: a warning, or a name that leads nowhere.
STRICT = ['-n', '-W', '--keep-going', '-q']


def main(parts):
    target = pathlib.Path(parts, 'docs')
    work = pathlib.Path(parts, 'docs-work')
    # Anew each time: Sphinx does not see that the code behind a page changes.
    for path in target, work:
        shutil.rmtree(path, ignore_errors=True)
    build(work, target)
    count, faults = manual.link.check(target)
    if faults:
        sys.exit('\n'.join(faults))
    print(f'{target}/index.html: {count} links, each of which leads somewhere')


def build(work, target):
    papers = work / 'papers'
    manual.place.gather(papers)
    status = sphinx.cmd.build.build_main([
        *STRICT, *sys.argv[1:], '-c', str(manual.place.DOCS),
        '-d', str(work / 'doctrees'), str(papers), str(target)])
    if status:
        sys.exit(status)
