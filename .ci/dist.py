"""Build the sdist and the wheel, and check what they carry.

    $ .venv/bin/python .ci/dist.py TARGET

The sdist is built from a clean copy of the checkout, and has all of it. The
wheel is built from the sdist, and has the package without its tests. There is
nothing else in them, and both stay in the directory TARGET.
"""

import docutils.core
import email
import email.policy
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile


CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
# What is written when they are built.
SDIST = re.compile(r'PKG-INFO$|setup\.cfg$|src/[^/]*\.egg-info/')
WHEEL = re.compile(r'[^/]*\.dist-info/')
BUILD = 'import setuptools.build_meta; setuptools.build_meta.build_%s(%r)'


def main(target):
    target = pathlib.Path(target).resolve()
    with tempfile.TemporaryDirectory() as work:
        source = copy_checkout(pathlib.Path(work, 'source'))
        wanted = list_files(source)
        sdist = build('sdist', source, target)
        unpacked = unpack(sdist, pathlib.Path(work, 'unpacked'))
        check(sdist, wanted, list_files(unpacked), SDIST)
        wheel = build('wheel', unpacked, target)
    check(wheel, list_package(wanted), list_archive(wheel), WHEEL)
    check_description(wheel)


def copy_checkout(target):
    # What an earlier build has left would hide that a file is forgotten.
    ignored = (CHECKOUT / '.gitignore').read_text().split()
    ignored = [pattern.rstrip('/') for pattern in ignored]
    return shutil.copytree(
        CHECKOUT, target, ignore=shutil.ignore_patterns('.git', *ignored))


def build(kind, source, target):
    before = set(target.iterdir())
    process = subprocess.run(
        [sys.executable, '-c', BUILD % (kind, str(target))], cwd=source,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if process.returncode:
        sys.exit(process.stdout)
    result, = set(target.iterdir()) - before
    return result


def unpack(sdist, target):
    shutil.unpack_archive(sdist, target)
    result, = target.iterdir()
    return result


def list_files(directory):
    return {str(path.relative_to(directory))
            for path in directory.rglob('*') if path.is_file()}


def list_archive(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def list_package(names):
    paths = [pathlib.PurePath(name) for name in names]
    return {str(path.relative_to('src')) for path in paths
            if path.parts[0] == 'src' and 'tests' not in path.parts}


def check(archive, wanted, present, made):
    present = {name for name in present if not made.match(name)}
    for said, names in (('lacks', wanted - present),
                        ('should not have', present - wanted)):
        if names:
            sys.exit(f'{archive.name} {said} ' + ', '.join(sorted(names)))
    print(f'{archive.name} has its {len(wanted)} files and no other, '
          f'{archive.stat().st_size:,} bytes')


def check_description(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name, = [name for name in archive.namelist()
                 if name.endswith('.dist-info/METADATA')]
        metadata = archive.read(name)
    message = email.message_from_bytes(metadata, policy=email.policy.default)
    docutils.core.publish_string(
        message.get_content(), writer='null', source_path=name,
        enable_exit_status=True, settings_overrides={
            'halt_level': 2, 'raw_enabled': False, 'traceback': False})
    print('its long description is valid')


if __name__ == '__main__':
    main(*sys.argv[1:])
