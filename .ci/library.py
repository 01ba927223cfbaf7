"""Do the main job on real input: compress Python's library, in four workers.

    $ .venv/bin/python .ci/library.py DIRECTORY

Every file goes through bin/filestore. In the end each has come out once, and
whole.
"""
import collections
import gzip
import os
import pathlib
import subprocess
import sys
import sysconfig


FILESTORE = str(pathlib.Path('bin', 'filestore').absolute())
COMPRESS = 'gzip -c "$1" > "out/${1##*/}.gz" && echo "${1##*/}" >> log'


def library():
    """Return all files of the library, by a name without separators."""
    top = pathlib.Path(sysconfig.get_path('stdlib'))
    files = (path for path in top.rglob('*')
             if path.is_file() and 'site-packages' not in path.parts)
    return {str(path.relative_to(top)).replace(os.sep, '!'): path
            for path in files}


def publish(files):
    os.mkdir('flat')
    for name, path in files.items():
        os.symlink(path, os.path.join('flat', name))
    names = '\0'.join(os.path.join('flat', name) for name in files)
    subprocess.run(['xargs', '-0', FILESTORE, 'publish', 'store'],
                   input=names, text=True, check=True)


def compress():
    os.mkdir('out')
    subprocess.run(
        [FILESTORE, 'run', 'store', '--workers', '4', '--',
         'sh', '-c', COMPRESS, 'sh', '{}'], check=True)


def check(files):
    with open('log') as log:
        times = collections.Counter(line.rstrip('\n') for line in log)
    expect('each was processed once', times == dict.fromkeys(files, 1))
    expect('each came out whole', all(
        whole(name, path) for name, path in files.items()))
    expect('no other came out', len(os.listdir('out')) == len(files))
    expect('each is done', set(os.listdir('store/cur')) == set(files))
    expect('nothing is left', not any(
        os.listdir(os.path.join('store', space))
        for space in ('tmp', 'new', 'work')))


def whole(name, path):
    with gzip.open(os.path.join('out', name + '.gz')) as result:
        return result.read() == path.read_bytes()


def expect(sentence, holds):
    print(f'{sentence}: {"yes" if holds else "NO"}')
    if not holds:
        sys.exit(1)


def main(directory):
    os.mkdir(directory)
    os.chdir(directory)
    files = library()
    size = sum(path.stat().st_size for path in files.values())
    print(f'{len(files)} files, {size / 2 ** 20:.0f} MiB')
    publish(files)
    compress()
    check(files)


if __name__ == '__main__':
    main(sys.argv[1])
