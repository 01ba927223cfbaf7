"""Distributed file systems, each mounted twice, as if by two hosts.

All servers and mounts are children of the test, and see nothing of the
machine but its files: they have a network of their own, which consists of the
loopback interface, and mounts that nobody else sees. So two runs do not get in
each other's way, and when a run is killed, its children are killed with it and
its mounts vanish. `.ci/distributed` installs the programs.
"""

import contextlib
import ctypes
import fcntl
import gocept.filestore.tests.case
import gocept.filestore.tests.disk
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import uuid
import zope.testing.wait


CLONE_NEWNET = 0x40000000  # linux/sched.h
SIOCSIFFLAGS = 0x8914  # linux/sockios.h
IFF_UP = 1  # linux/if.h
PROGRAMS = {
    'JuiceFS': ('redis-server', 'juicefs'),
    'MooseFS': ('mfsmaster', 'mfschunkserver', 'mfsmount'),
    'GlusterFS': ('glusterfsd', 'glusterfs'),
    'CephFS': ('ceph-mon', 'ceph-osd', 'ceph-mds', 'ceph-fuse', 'ceph')}
HOSTS = ('a', 'b')
# What `.ci/distributed` puts into a checkout, and where Debian puts servers.
CHECKOUT = pathlib.Path(
    str(gocept.filestore.tests.case.__file__)).parents[4]
PATH = os.pathsep.join([
    str(CHECKOUT / '.work-distributed' / 'bin'), '/usr/sbin', '/sbin',
    os.environ.get('PATH', os.defpath)])
MOOSE_MASTER = """
WORKING_USER = root
WORKING_GROUP = root
DATA_PATH = {0}/master
EXPORTS_FILENAME = {0}/exports
MATOML_LISTEN_HOST = 127.0.0.1
MATOCS_LISTEN_HOST = 127.0.0.1
MATOCL_LISTEN_HOST = 127.0.0.1
REMAP_BITS = 32
REMAP_SOURCE_IP_CLASS = 127.0.0.1
REMAP_DESTINATION_IP_CLASS = 0.0.0.0
"""
MOOSE_CHUNKS = """
WORKING_USER = root
WORKING_GROUP = root
DATA_PATH = {0}/chunks
HDD_CONF_FILENAME = {0}/disks
MASTER_HOST = 0.0.0.0
CSSERV_LISTEN_HOST = 127.0.0.1
"""
# What glusterd(8) makes of a volume with two bricks, with the sockets in our
# directory: it would keep its own books in /var/lib.
GLUSTER_BRICK = """
volume posix-{1}
    type storage/posix
    option directory {0}/brick-{1}
end-volume
volume access-{1}
    type features/access-control
    subvolumes posix-{1}
end-volume
volume locks-{1}
    type features/locks
    subvolumes access-{1}
end-volume
volume brick-{1}
    type performance/io-threads
    subvolumes locks-{1}
end-volume
"""
GLUSTER_SERVER = """
volume server
    type protocol/server
    option transport-type tcp
    option transport.socket.bind-address 127.0.0.1
    option transport.socket.listen-port 49152
    option auth.addr.brick-1.allow *
    option auth.addr.brick-2.allow *
    subvolumes brick-1 brick-2
end-volume
"""
GLUSTER_CLIENT = """
volume client-{1}
    type protocol/client
    option send-gids true
    option transport-type tcp
    option remote-host 127.0.0.1
    option remote-port 49152
    option remote-subvolume brick-{1}
end-volume
"""
GLUSTER_HOST = """
volume distribute
    type cluster/distribute
    subvolumes client-1 client-2
end-volume
volume utime
    type features/utime
    option noatime on
    subvolumes distribute
end-volume
volume write-behind
    type performance/write-behind
    subvolumes utime
end-volume
volume open-behind
    type performance/open-behind
    subvolumes write-behind
end-volume
volume quick-read
    type performance/quick-read
    subvolumes open-behind
end-volume
volume md-cache
    type performance/md-cache
    subvolumes quick-read
end-volume
volume io-threads
    type performance/io-threads
    subvolumes md-cache
end-volume
"""

# Objects are kept in memory, and nobody is asked who he is.
CEPH = """
[global]
fsid = {1}
mon_host = 127.0.0.1
public_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = {0}
admin_socket =
log_to_file = false
log_to_stderr = true
mon_cluster_log_file = {0}/cluster.log
mon_data = {0}/monitor
osd_data = {0}/objects
mds_data = {0}/metadata
osd_objectstore = memstore
osd_pool_default_size = 1
osd_pool_default_min_size = 1
mon_allow_pool_size_one = true
osd_crush_chooseleaf_type = 0
"""


def obstacle(kind):
    """Return why there can be no such file system here, or None."""
    missing = [name for name in PROGRAMS[kind]
               if not shutil.which(name, path=PATH)]
    return (missing and 'not installed: %s; see .ci/distributed'
            % ', '.join(missing)
            or os.getuid() and 'only root can mount a file system'
            or not os.path.exists('/dev/fuse') and 'there is no /dev/fuse'
            or not can_be_alone() and 'nothing can be mounted here'
            or None)


def can_be_alone():
    return not subprocess.call(
        ['unshare', '--mount', '--net', 'mount', '-t', 'tmpfs', 'tmpfs',
         '/mnt'], stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def mounted(kind):
    """Mount a new volume twice, and yield the two paths."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(gocept.filestore.tests.disk.private_mounts())
        stack.enter_context(private_network())
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix='volume-'))
        yield KINDS[kind](Programs(pathlib.Path(directory), stack))


@contextlib.contextmanager
def private_network():
    library = ctypes.CDLL(None)
    with open('/proc/self/ns/net') as before:
        library.unshare(CLONE_NEWNET)
        try:
            with socket.socket() as any_one:
                fcntl.ioctl(any_one, SIOCSIFFLAGS, struct.pack(
                    '16sh14x', b'lo', IFF_UP))
            yield
        finally:
            library.setns(before.fileno(), CLONE_NEWNET)


class Programs:
    """The programs that make up a volume, and end with it."""

    wait = zope.testing.wait.Wait(timeout=60, wait=.05)

    def __init__(self, directory, stack):
        self.directory = directory
        self._stack = stack

    def write(self, name, text, *args):
        path = self.directory / name
        path.write_text(text.format(self.directory, *args))
        return path

    def make(self, name):
        path = self.directory / name
        path.mkdir()
        return path

    def run(self, *command):
        gocept.filestore.tests.disk.run(*command, env=environment())

    def serve(self, *command, is_ready):
        """Start a server, and wait until it is ready."""
        process = self._start(command)
        self._stack.callback(ended, process)
        self._wait(process, is_ready)

    def mount(self, host, *command):
        """Mount the volume, as a host does; return the path.

        The directory is the last argument of the command.
        """
        path = self.make(host)
        process = self._start([*command, path])
        self._stack.callback(ended, process)
        self._stack.callback(umount, path)
        self._wait(process, path.is_mount)
        return path

    def told(self, program):
        """Return what a program has written so far."""
        return (self.directory / (program + '.log')).read_text()

    def _start(self, command):
        with (self.directory / (command[0] + '.log')).open('ab') as log:
            # Also when the test is killed, nobody is left behind.
            return subprocess.Popen(
                ['setpriv', '--pdeathsig', 'KILL', *command],
                cwd=self.directory, env=environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _wait(self, process, is_ready):
        self.wait(lambda: process.poll() is not None or is_ready())
        if process.returncode is not None:
            raise RuntimeError('%s\nhas ended:\n%s' % (
                process.args, self.told(process.args[3])))


def environment():
    # JFS_SUPERVISOR: the process that we start is the one which mounts.
    return {**os.environ, 'PATH': PATH, 'JFS_SUPERVISOR': 'test'}


def umount(path):
    """Unmount, also if the volume does not answer any more."""
    if subprocess.call(['umount', path]):
        subprocess.call(['umount', '--lazy', path])


def ended(process):
    process.kill()  # what it has is thrown away
    process.wait()


def juicefs(programs):
    directory = programs.directory
    redis = directory / 'redis'
    volume = 'unix://%s?db=1' % redis
    programs.serve(
        'redis-server', '--port', '0', '--unixsocket', redis, '--save', '',
        '--appendonly', 'no', '--dir', directory, is_ready=redis.exists)
    programs.run(
        'juicefs', '--no-agent', 'format', '--storage', 'file', '--bucket',
        '%s/' % programs.make('objects'), '--trash-days', '0', volume,
        'volume')
    return [
        programs.mount(
            host, 'juicefs', '--no-agent', 'mount', '--no-usage-report',
            '--no-syslog', '--backup-meta', '0', '--metrics', '127.0.0.1:0',
            '--cache-dir', directory / ('cache-' + host), volume)
        for host in HOSTS]


def moosefs(programs):
    master, disk = programs.make('master'), programs.make('disk')
    programs.make('chunks')
    (master / 'metadata.mfs').write_bytes(b'MFSM NEW')
    programs.write('exports', '127.0.0.0/8 / rw,alldirs,maproot=0:0\n')
    programs.write('disks', '%s\n' % disk)
    programs.serve(
        'mfsmaster', '-f', '-c', programs.write('master.cfg', MOOSE_MASTER),
        'start', is_ready=lambda: answers(9421))
    programs.serve(
        'mfschunkserver', '-f', '-c',
        programs.write('chunks.cfg', MOOSE_CHUNKS), 'start',
        is_ready=lambda: answers(9422))
    return [programs.mount(host, 'mfsmount', '-f', '-H', '127.0.0.1')
            for host in HOSTS]


def answers(port):
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
    except OSError:
        return False
    return True


def glusterfs(programs):
    for number in (1, 2):
        programs.make('brick-%s' % number)
    server = programs.write(
        'server.vol', GLUSTER_BRICK.format('{0}', 1)
        + GLUSTER_BRICK.format('{0}', 2) + GLUSTER_SERVER)
    host = programs.write(
        'host.vol', GLUSTER_CLIENT.format('{0}', 1)
        + GLUSTER_CLIENT.format('{0}', 2) + GLUSTER_HOST)
    programs.serve(
        'glusterfsd', '--no-daemon', '--volfile', server, '--log-file', '-',
        is_ready=lambda: answers(49152))
    return [
        programs.mount(name, 'glusterfs', '--no-daemon', '--volfile', host,
                       '--log-file', '-')
        for name in HOSTS]


def cephfs(programs):
    """Start a monitor, a place for objects, and a server for names."""
    number, monitors = str(uuid.uuid4()), programs.directory / 'monitors'
    for name in ('monitor', 'objects', 'metadata'):
        programs.make(name)
    # Who asks the monitor for options as well may take its cluster for
    # another one ("wrong fsid").
    options = ('--no-mon-config', '--conf=%s' % programs.write(
        'ceph.conf', CEPH, number))
    programs.run('monmaptool', '--create', '--fsid', number, '--add', 'a',
                 '127.0.0.1', monitors)
    programs.run('ceph-mon', *options, '--id=a', '--mkfs', '--monmap',
                 monitors)
    programs.serve('ceph-mon', *options, '--id=a', '-f',
                   is_ready=lambda: answers(6789))
    programs.run('ceph', *options, 'osd', 'new', number)
    programs.run('ceph-osd', *options, '--id=0', '--mkfs',
                 '--osd-uuid', number)
    programs.serve('ceph-osd', *options, '--id=0', '-f',
                   is_ready=lambda: 'boot' in programs.told('ceph-osd'))
    for pool in ('names', 'files'):
        programs.run('ceph', *options, 'osd', 'pool', 'create', pool, '8')
    programs.run('ceph', *options, 'fs', 'new', 'all', 'names', 'files')
    programs.serve('ceph-mds', *options, '--id=a', '-f',
                   is_ready=lambda: 'up:active' in programs.told('ceph-mds'))
    return [programs.mount(host, 'ceph-fuse', *options, '-f')
            for host in HOSTS]


KINDS = {'JuiceFS': juicefs, 'MooseFS': moosefs, 'GlusterFS': glusterfs,
         'CephFS': cephfs}
