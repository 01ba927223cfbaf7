"""Prepare a checkout for buildout, with the Python that runs this file.

    $ python3 bootstrap.py && bin/buildout && bin/test

Makes a private environment in .venv, installs the versions that versions.cfg
names into it and creates bin/buildout. A second run repairs what is not as it
should be.
"""

import os
import re
import subprocess
import sys


# The file keeps to what the oldest Pythons understand as well: they are to say
# that they are too old, instead of failing with a SyntaxError.
OLDEST = (3, 11)
HERE = os.path.dirname(os.path.abspath(__file__))
ENVIRONMENT = os.path.join(HERE, '.venv')
PYTHON = os.path.join(ENVIRONMENT, 'bin', 'python')
LOG = os.path.join(ENVIRONMENT, 'bootstrap.log')
STAMP = os.path.join(ENVIRONMENT, 'bootstrap.done')


def main():
    check_python()
    pins = read_pins()
    if is_ready(pins):
        say('.venv is complete')
    else:
        make_environment()
        install(pins)
        write_stamp(pins)
    make_buildout()
    say('Done, go on with bin/buildout')


def check_python():
    if sys.version_info < OLDEST:
        stop('Python %s is too old, at least Python %s is needed' % (
            dotted(sys.version_info[:3]), dotted(OLDEST)))
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        stop('%s has no ensurepip; on Debian and Ubuntu install the package'
             ' python%s-venv' % (sys.executable,
                                  dotted(sys.version_info[:2])))


def read_pins():
    with open(os.path.join(HERE, 'versions.cfg')) as f:
        pins = re.findall(r'^([\w.-]+) *= *(\S+)$', f.read(), re.MULTILINE)
    return ['%s==%s' % pin for pin in pins]


def is_ready(pins):
    """Tell whether .venv was finished, by this Python, for these versions."""
    try:
        with open(STAMP) as f:
            stamp = f.read()
    except EnvironmentError:
        return False
    return stamp == make_stamp(pins) and run(
        '-c', 'import zc.buildout.buildout, pip')[0] == 0


def make_stamp(pins):
    return '\n'.join([sys.version] + pins + [''])


def write_stamp(pins):
    # Written last: a .venv without a stamp is a half-made one.
    with open(STAMP, 'w') as f:
        f.write(make_stamp(pins))


def make_environment():
    say('Making .venv with Python %s' % dotted(sys.version_info[:3]))
    status, output = run(
        '-m', 'venv', '--clear', ENVIRONMENT, python=sys.executable)
    if status:
        stop('.venv could not be made: ' + last_line(output))
    # The pinned setuptools builds the checkout, not the newest one. pip wants
    # the value of the option behind this name: build isolation is false.
    with open(os.path.join(ENVIRONMENT, 'pip.conf'), 'w') as f:
        f.write('[install]\nno-build-isolation = false\n')


def install(pins):
    """Let pip install everything that is pinned.

    Buildout takes it from .venv then. It would look for eggs at the public
    index only, while pip knows the index, the proxy and the certificates
    which this machine is set up for.
    """
    say('Installing %s packages into .venv, as pinned in versions.cfg' %
        len(pins))
    status, output = run('-m', 'pip', 'install', '--no-deps', *pins)
    if status:
        write_log(output)
        stop('%s; all that pip said is in %s' % (explain(output), LOG))


def write_log(output):
    with open(LOG, 'w') as f:
        f.write(output)


def explain(output):
    if re.search('Retrying|[Cc]onnection|[Nn]etwork', output):
        return 'no network: pip reaches no package index'
    return 'pip failed: ' + last_line(output)


def make_buildout():
    say('Making bin/buildout')
    status, output = run(
        '-c', 'import zc.buildout.buildout; zc.buildout.buildout.main()',
        'bootstrap')
    if status:
        stop('buildout failed: ' + last_line(output))


def run(*arguments, **options):
    """Run Python; answer its exit status and what it has printed."""
    command = [options.get('python', PYTHON)] + list(arguments)
    try:
        process = subprocess.Popen(
            command, cwd=HERE, universal_newlines=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except EnvironmentError as error:
        return 1, str(error)
    output = process.communicate()[0]
    return process.returncode, output


def last_line(output):
    errors = re.findall('^ERROR: .*', output, re.MULTILINE)
    return (errors or output.strip().splitlines() or ['no output'])[-1]


def dotted(version):
    return '.'.join(str(number) for number in version)


def say(text):
    print(text)
    sys.stdout.flush()


def stop(reason):
    sys.exit('bootstrap.py: ' + reason)


if __name__ == '__main__':
    main()
