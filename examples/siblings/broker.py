"""A RabbitMQ server of our own, on loopback, from the packages of Debian.

The packages are unpacked into a private directory: nothing is installed, and
no rights are needed.
"""

import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time


HERE = pathlib.Path(__file__).resolve().parent
UNPACKED = HERE / '.work-broker'
# amqprun's tests can not be told a port.
AMQP_PORT = 5672
LOCALHOST = '127.0.0.1'


class Unavailable(Exception):
    """A broker can not be had on this machine."""


@contextlib.contextmanager
def running():
    """Run a broker and yield its address, or None if there is none."""
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix='broker-')))
        try:
            unpack()
            address = start(stack, directory)
        except Unavailable as error:
            print('No RabbitMQ:', error, flush=True)
            address = None
        yield address


def unpack():
    if UNPACKED.exists():
        return
    if not shutil.which('apt-get'):
        raise Unavailable('this machine has no apt-get')
    print('Unpacking rabbitmq-server into .work-broker ...',
          flush=True)
    with tempfile.TemporaryDirectory(dir=HERE, prefix='.work-') as work:
        work = pathlib.Path(work)
        for package in download(work):
            call('dpkg-deb', '--extract', package, work / 'root')
        link_erlang(work / 'root')
        (work / 'root').rename(UNPACKED)


def download(work):
    """Get rabbitmq-server and those of its dependencies that are missing."""
    for name in ('lists', 'cache/archives'):
        (work / name / 'partial').mkdir(parents=True)
    options = ('-qq', '-o', f'Dir::State::lists={work}/lists',
               '-o', f'Dir::Cache={work}/cache', '-o', 'APT::Sandbox::User=',
               '-o', 'Debug::NoLocking=true')
    call('apt-get', *options, 'update')
    call('apt-get', *options, '--yes', '--download-only', '--reinstall',
         '--no-install-recommends', 'install', 'rabbitmq-server')
    return sorted(work.glob('cache/archives/*.deb'))


def call(*command):
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors='replace')
    if result.returncode:
        lines = result.stdout.strip().splitlines() or ['no output']
        raise Unavailable(f'{command[0]} failed: {lines[-1]}')


def link_erlang(root):
    # The script `erl` knows nothing but the directory in which it would have
    # been installed; what it starts is told another one by variables.
    (root / 'start').mkdir()
    for program in root.glob('usr/lib/erlang/erts-*/bin/erlexec'):
        (root / 'start' / 'erl').symlink_to('..' / program.relative_to(root))


def start(stack, directory):
    # An address of its own, so that no other broker is in the way.
    address = '127.{}.{}.{}'.format(
        *(random.randrange(1, 255) for number in range(3)))
    epmd = free_port()
    settings = make_settings(directory, address, epmd)
    launch(stack, directory, settings, (LOCALHOST, epmd),
           'epmd', '-address', LOCALHOST, '-port', str(epmd))
    launch(stack, directory, settings, (address, AMQP_PORT),
           'rabbitmq-server')
    return address


def free_port():
    with socket.create_server((LOCALHOST, 0)) as server:
        return server.getsockname()[1]


def make_settings(directory, address, epmd):
    programs = join(*UNPACKED.glob('usr/lib/erlang/erts-*/bin'))
    return {
        **os.environ,
        'HOME': str(directory),
        'PATH': join(UNPACKED / 'start', programs,
                     UNPACKED / 'usr/lib/rabbitmq/bin', os.environ['PATH']),
        'LD_LIBRARY_PATH': join(*UNPACKED.glob('usr/lib/*-linux-*')),
        # What the script `erl` sets.
        'ROOTDIR': str(UNPACKED / 'usr/lib/erlang'),
        'BINDIR': programs,
        'EMU': 'beam',
        'PROGNAME': 'erl',
        'ERL_EPMD_ADDRESS': LOCALHOST,
        'ERL_EPMD_PORT': str(epmd),
        'RABBITMQ_CONFIG_FILE': str(directory / 'none'),
        'RABBITMQ_CONF_ENV_FILE': str(directory / 'none'),
        'RABBITMQ_DIST_PORT': str(free_port()),
        'RABBITMQ_ENABLED_PLUGINS_FILE': str(directory / 'plugins'),
        'RABBITMQ_LOGS': '-',
        'RABBITMQ_LOG_BASE': str(directory / 'log'),
        'RABBITMQ_MNESIA_BASE': str(directory / 'mnesia'),
        'RABBITMQ_NODENAME': 'siblings@localhost',
        'RABBITMQ_NODE_IP_ADDRESS': address,
        'RABBITMQ_NODE_PORT': str(AMQP_PORT),
        'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS':
            '-kernel inet_dist_use_interface {127,0,0,1}',
    }


def join(*paths):
    return os.pathsep.join(str(path) for path in paths)


def launch(stack, directory, settings, address, *command):
    """Start a server, and have the stack stop it."""
    log = directory / f'{command[0]}.log'
    program = shutil.which(command[0], path=settings['PATH'])
    if program is None:
        raise Unavailable(f'there is no {command[0]}')
    with log.open('w') as output:
        process = subprocess.Popen(
            [program, *command[1:]], env=settings, cwd=directory,
            stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True)
    stack.callback(stop, process)
    wait_until_listening(process, address, log)


def wait_until_listening(process, address, log, seconds=60):
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(address, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    lines = log.read_text(errors='replace').strip().splitlines() or ['']
    raise Unavailable(f'{log.stem} did not start: {lines[-1]}')


def stop(process):
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        # The session is our own, with what the process has started.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
