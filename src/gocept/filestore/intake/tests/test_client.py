"""The programs that partners send files with, stopped in the middle.

Each one pauses for longer than the quiet period, and then goes on with the
path of its file. Level 2; `.ci/run` installs the programs.
"""

import contextlib
import gocept.filestore.intake.intake
import gocept.filestore.intake.tests.test_intake
import gocept.filestore.tests.case
import os
import shutil
import signal
import socket
import subprocess
import time
import zope.testing.wait


PATH = os.pathsep.join([
    os.environ.get('PATH', os.defpath), '/usr/sbin', '/usr/lib/openssh'])
SIZE = 900000  # bytes, more than each of them sends before it looks
RATE = 300000  # bytes a second
WRITTEN = gocept.filestore.intake.intake.WRITTEN
# Those of the recipe in intake.txt.
TEMPORARY = ['*.filepart', '*.part', '*.partial', '*.crdownload', '*.tmp']
FTP_SERVER = """
listen=YES
listen_address=127.0.0.1
listen_port=%s
background=NO
run_as_launching_user=YES
seccomp_sandbox=NO
anonymous_enable=YES
anon_root=%s
allow_writeable_chroot=YES
write_enable=YES
anon_upload_enable=YES
anon_other_write_enable=YES
anon_umask=022
connect_from_port_20=NO
xferlog_enable=NO
"""


def needs(*programs):
    """Skip a test, and say so, where one of the programs is missing."""
    def mark(test):
        test.programs = programs
        return gocept.filestore.tests.case.slow(test)

    return mark


class ClientCase(gocept.filestore.intake.tests.test_intake.IntakeCase):

    def setUp(self):
        super().setUp()
        missing = [program for program in self.test.programs
                   if not shutil.which(program, path=PATH)]
        missing and self.skipTest('not installed: ' + ', '.join(missing))
        self.content = os.urandom(SIZE)
        self.big = self.directory / 'big'
        self.big.write_bytes(self.content)
        self.clock, self.patient = self.timed(exclude=TEMPORARY)

    def start(self, *command, text=''):
        """Start a program, in a group of its own."""
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
            cwd=self.directory, env={
                'PATH': PATH, 'HOME': str(self.directory), 'LC_ALL': 'C'})
        self.addCleanup(process.__exit__, None, None, None)
        self.addCleanup(self.signal, process, signal.SIGKILL)
        process.stdin.write(text.encode())
        process.stdin.close()
        return process

    def signal(self, process, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def sent(self):
        """Return the names of files of which something has arrived."""
        return [entry.name for entry in os.scandir(self.folder)
                if entry.is_file() and entry.stat().st_size]

    def stopped(self, *command, **kw):
        """Stop a program in the middle; return it, and the name it uses."""
        process = self.start(*command, **kw)
        zope.testing.wait.Wait(timeout=30, wait=.01)(
            lambda: self.sent() or process.poll() is not None)
        self.signal(process, signal.SIGSTOP)
        name, = self.sent()
        self.assertLess(self.come_to_rest(self.folder / name), SIZE)
        return process, name

    def come_to_rest(self, path):
        """Wait for what was on its way to a server; return the size then."""
        before, size = -1, path.stat().st_size
        while size != before:
            time.sleep(.1)
            before, size = size, path.stat().st_size
        return size

    def go_on(self, process, quiet=()):
        """Let a program come to its end, and see that nothing was wrong."""
        self.signal(process, signal.SIGCONT)
        output = process.stdout.read().decode()
        self.assertEqual(0, process.wait(60), output)
        self.take_in_time()
        self.assertEqual(['a'], self.take_in_time())
        self.assertEqual(self.content, (self.path / 'new' / 'a').read_bytes())

    def take_in_time(self):
        self.clock.time += 5
        return self.patient.take()

    def look(self):
        """Look as long as it takes; nothing is taken or loses its path."""
        before = self.outside()
        for _ in range(3):
            self.assertEqual([], self.take_in_time())
        self.assertEqual(({}, before), (self.patient.refused, self.outside()))

    def check(self, reason, *command, **kw):
        """See that a file waits for a reason, and arrives as it was."""
        process, name = self.stopped(*command, **kw)
        self.look()
        self.assertEqual(reason, self.patient.waiting.get(name))
        self.go_on(process)
        return name


class Sftp(ClientCase):
    """OpenSSH's client and server, without a network."""

    def command(self, *options):
        return ('sftp', '-l', str(RATE * 8 // 1000), *options, '-b', '-',
                '-D', shutil.which('sftp-server', path=PATH))

    @needs('sftp', 'sftp-server')
    def test_plain(self):
        self.check(WRITTEN, *self.command('-p'), text='put big in/a')

    @needs('sftp', 'sftp-server')
    def test_what_is_done_by_the_path_meanwhile(self):
        self.check(WRITTEN, *self.command(), text=(
            'put big in/b\nchmod 640 in/b\nls -l in/b\nrename in/b in/a\n'))
        self.assertMode(0o640, self.path / 'new' / 'a')

    @needs('sftp', 'sftp-server')
    def test_renamed_by_somebody_else_meanwhile(self):
        process, name = self.stopped(*self.command(), text='put big in/b')
        self.look()
        (self.folder / 'b').rename(self.folder / 'a')
        self.look()
        self.go_on(process)

    @needs('sftp', 'sftp-server')
    def test_as_winscp_does(self):
        self.check(None, *self.command(), text=(
            'put big in/a.filepart\nrename in/a.filepart in/a\n'))

    @needs('sftp', 'sftp-server')
    def test_that_was_cut_off_and_resumes(self):
        process, name = self.stopped(
            *self.command(), text='put big in/a.filepart')
        self.signal(process, signal.SIGKILL)
        process.wait()
        self.look()
        self.go_on(self.start(*self.command(), text=(
            'reput big in/a.filepart\nrename in/a.filepart in/a\n')))


class Rsync(ClientCase):

    def command(self, *options):
        return ('rsync', '-a', '--bwlimit=%s' % (RATE // 1000), *options,
                'big', 'in/a')

    @needs('rsync')
    def test_plain(self):
        name = self.check(None, *self.command())
        self.assertRegex(name, r'^\.a\.\w{6}$')

    @needs('rsync')
    def test_inplace(self):
        os.utime(self.big, (1, 1))
        self.big.chmod(0o640)
        self.check(WRITTEN, *self.command('--inplace'))
        self.assertMode(0o640, self.path / 'new' / 'a')
        self.assertEqual(1, os.stat(self.path / 'new' / 'a').st_mtime)


class Ftp(ClientCase):
    """lftp, and vsftpd on a port that nobody else uses."""

    def setUp(self):
        super().setUp()
        with socket.create_server(('127.0.0.1', 0)) as server:
            self.port = server.getsockname()[1]
        config = self.directory / 'vsftpd.conf'
        config.write_text(FTP_SERVER % (self.port, self.directory))
        server = self.start('vsftpd', str(config))
        zope.testing.wait.Wait(timeout=30, wait=.01)(
            lambda: self.answers() or server.poll() is not None)

    def answers(self):
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(
                ('127.0.0.1', self.port)).close() is None

    def command(self, put, *settings):
        return ('lftp', '-c', ';'.join([
            'set net:limit-rate 0:%s' % RATE, 'set ftp:use-site-utime no',
            *settings, 'open ftp://127.0.0.1:%s/in' % self.port, put]))

    @needs('vsftpd', 'lftp')
    def test_plain(self):
        self.check(WRITTEN, *self.command('put big -o a'))

    @needs('vsftpd', 'lftp')
    def test_renamed(self):
        self.check(WRITTEN, *self.command('put big -o b; mv b a'))

    @needs('vsftpd', 'lftp')
    def test_temporary_name(self):
        name = self.check(None, *self.command(
            'put big -o a', 'set xfer:use-temp-file yes'))
        self.assertEqual('.in.a', name)


class LftpOverSftp(ClientCase):

    @needs('lftp', 'sftp-server')
    def test_renamed_with_its_time(self):
        server = self.directory / 'server'
        server.write_text('#!/bin/sh\nexec sftp-server\n')
        server.chmod(0o755)
        os.utime(self.big, (1, 1))
        self.check(WRITTEN, 'lftp', '-c', ';'.join([
            'set net:limit-rate 0:%s' % RATE,
            'set sftp:connect-program %s' % server, 'open sftp://u:p@localhost',
            'cd %s' % self.folder, 'put big -o b; chmod 640 b; mv b a']))
        self.assertEqual(1, os.stat(self.path / 'new' / 'a').st_mtime)
