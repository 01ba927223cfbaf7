"""Mounts on which claims are not exact, by a real client of NFS and SMB.

These tests run in the guest of `test_nfs.py`, which has one host more: itself.
"""

import contextlib
import errno
import functools
import gocept.filestore.disk.lock
import gocept.filestore.doctor.examination
import gocept.filestore.tests.test_race
import os
import pathlib
import shutil
import socket
import subprocess
import time
import warnings
import zope.testing.wait


COUNT = 100
# With what the kernel would ask for: it does not find them by itself.
MODULES = ('cifs', 'nls_utf8', 'cmac', 'hmac', 'sha512_generic', 'gcm', 'ctr',
           'ghash_generic')
SMB = """
[global]
    server role = standalone server
    interfaces = lo
    bind interfaces only = yes
    disable netbios = yes
    smb ports = 445
    map to guest = bad user
    log file = {0}/log
    lock directory = {0}
    state directory = {0}
    cache directory = {0}
    private dir = {0}
    pid directory = {0}
    ncalrpc dir = {0}/ncalrpc
    load printers = no
    disable spoolss = yes
[share]
    path = {0}/share
    guest ok = yes
    read only = no
    force user = root
"""


class Case(gocept.filestore.tests.test_race.RaceCase):

    wait = zope.testing.wait.Wait(timeout=60, wait=.01)

    def mount(self, kind, options, source):
        """Mount a directory, and make it the place of the store."""
        mount = self.directory / 'mount'
        mount.mkdir()
        subprocess.run(['mount', '-t', kind, '-o', options, source, mount],
                       check=True)
        self.addCleanup(subprocess.run, ['umount', '-l', mount], check=True)
        self.path = mount / self.directory.name
        self.store = self.open_store()
        self.store.prepare()
        self.addCleanup(shutil.rmtree, self.path)

    def done(self):
        time.sleep(.005)  # leaves the processor to the workers
        return super().done()

    def assertTold(self, text):
        """Claim a file, of which there are two, with one warning."""
        for name in 'ab':
            with self.store.publish(name) as file:
                file.write('content')
        with (warnings.catch_warnings(record=True) as found,
              self.assertLogs('gocept.filestore.queue', 'WARNING') as logs):
            warnings.simplefilter('always')
            for name in 'ab':
                with self.open_store().claim() as claim:
                    self.assertEqual((name, 'content'), (
                        claim.filename, self.text(claim)))
        (warning,), (log,) = found, logs.records
        self.assertEqual(log.getMessage(), str(warning.message))
        self.assertIn(text, str(warning.message))
        self.assertEqual(['a', 'b'], self.tree()['cur'])

    def assertProblems(self, *texts):
        """See that the doctor finds these problems, and no other one."""
        problems = [
            finding for finding in gocept.filestore.doctor.examination.examine(
                self.path) if finding.verdict == 'problem']
        self.assertEqual(len(texts), len(problems), [
            finding.sentence for finding in problems])
        for text, finding in zip(texts, problems, strict=True):
            self.assertEqual('flock', finding.subject)
            self.assertIn(text, finding.sentence)


class NFS3(Case):

    def mount(self, *options):
        super().mount('nfs', ','.join(['vers=3', *options]),
                      '127.0.0.1:/run/export')

    def test_claims_nothing(self):
        self.mount('lookupcache=none')
        with self.store.publish('a'):
            pass
        for _ in range(2):
            with self.assertRaises(OSError) as raised:
                self.store.claim()
            self.assertEqual(
                (errno.EOPNOTSUPP, str(self.path)),
                (raised.exception.errno, raised.exception.filename))
            self.assertIn('NFS 3', str(raised.exception))
        self.assertEqual({'new': ['a']}, self.tree())
        self.assertProblems('NFS 3')

    def test_does_what_the_lineage_did(self):
        self.mount()
        with self.store.create('a') as file:
            file.write('content')
        self.store.move('a', 'tmp', 'new')
        self.store.copy('a', 'new', 'cur')
        self.assertEqual({'cur': ['a'], 'new': ['a']}, self.tree())
        self.store.remove('a', 'new')

    def test_warns_when_locks_are_of_one_host(self):
        self.mount('nolock')
        self.assertTold('option nolock')
        self.assertProblems('option nolock')

    def test_holds_on_one_host_that_has_all_locks(self):
        self.mount('local_lock=flock')
        self.check(*self.race(COUNT, 3))

    def test_options_that_version_4_takes_no_notice_of(self):
        super().mount('nfs', 'vers=4.2,nolock,local_lock=all', '127.0.0.1:/')
        self.assertProblems()


@functools.cache
def serve():
    """Start a server of SMB, which ends with the guest."""
    directory = pathlib.Path('/run/smb')
    (directory / 'share').mkdir(parents=True)
    configuration = directory / 'smb.conf'
    configuration.write_text(SMB.format(directory))
    subprocess.Popen(
        ['smbd', '--foreground', '-s', configuration],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    Case.wait(is_ready)
    subprocess.run(['modprobe', '-d', '/run/modules', '-a', *MODULES],
                   check=True)


def is_ready():
    with contextlib.suppress(OSError):
        socket.create_connection(('127.0.0.1', 445), 1).close()
        return True


class SMB3(Case):

    def setUp(self):
        for program in ('smbd', 'mount.cifs'):
            if not shutil.which(program):
                self.skipTest('%s is not installed' % program)
        super().setUp()
        serve()

    def mount(self, *options):
        super().mount('cifs', ','.join(['guest,uid=0,gid=0', *options]),
                      '//127.0.0.1/share')

    def test_warns(self):
        self.mount()
        self.assertTold('on SMB')
        self.assertProblems('on SMB')

    def test_warns_when_locks_are_of_one_host(self):
        self.mount('nobrl')
        self.assertTold('option nobrl')
        self.assertProblems('option nobrl', 'on SMB')

    def test_refused_lock(self):
        # It is EACCES, and means the same as elsewhere.
        self.mount()
        with self.store.publish('a'):
            pass
        child = self.child()
        child.run('claim = store.claim()')
        self.assertIsNone(self.store.claim())
        space = self.store._layout['work']
        self.assertIs(False, gocept.filestore.disk.lock.hold(
            space, 'a', busy=False))
        descriptor = space.open('a')
        self.addCleanup(os.close, descriptor)
        self.assertFalse(gocept.filestore.disk.lock.lock(descriptor))
        child.kill()
        with self.store.claim() as claim:
            self.assertEqual(2, claim.attempt)


CASES = NFS3, SMB3
