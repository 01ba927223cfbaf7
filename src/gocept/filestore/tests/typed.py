"""The guide to NFS, typed by two hosts and a server; see `test_nfs.py`.

The prompt says who types: ``web$`` a user of that host, ``web#`` root. Each
has a shell of his own. A host is a network of the guest, with mounts and a
name of its own.
"""

import doctest
import gocept.filestore.tests.guest
import gocept.filestore.tests.test_papers
import os
import pathlib
import re
import runpy
import select
import shlex
import subprocess
import sys
import time
import unittest


CHECKOUT = gocept.filestore.tests.test_papers.CHECKOUT
GUIDE = CHECKOUT / 'docs/guides/nfs.txt'
PROMPT = re.compile(r'( +)(\w+[$#]) (.+)')
# As names are in the guide: the network of each, and where its server is.
HOSTS = {'web': ('a', '192.0.2.1'), 'worker': ('b', '192.0.2.5')}
SERVER = 'files'
USER = 1000
# Python may lie where only root may look. A server does not go by that.
LOOKS = '--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'
LONGEST = 120  # seconds, for a command
FLAGS = (doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
         | doctest.REPORT_UDIFF)
BASH = r"""
exec 3<&0 < /dev/null
while IFS= read -r -d '' -u 3 command; do
    eval "$command" 3<&-
    printf '\0%s\0' "$?"
done
"""


class Guide(unittest.TestCase):
    """What the guide says is what happens."""

    def setUp(self):
        if self.layer.obstacle:
            self.skipTest(self.layer.obstacle)
        if not GUIDE.is_file():
            self.skipTest('only a checkout has the guide')
        self.text = GUIDE.read_text(encoding='utf-8')
        self.place = pathlib.Path('/run/typed')
        self.place.mkdir()
        self.export()
        self.write_files()
        self.shells = {}
        for name in (SERVER, *HOSTS):
            self.start_host(name)

    def export(self):
        """Let the server export as the guide says, and then as before."""
        options = re.search(r'^ {4}/srv/shop +web\((.+?)\)', self.text, re.M)
        self.export_with(options[1])
        self.addCleanup(
            self.export_with, 'rw,no_root_squash,no_subtree_check,async')

    def export_with(self, options):
        subprocess.run(
            ['exportfs', '-i', '-o', 'fsid=0,' + options,
             '*:%s' % gocept.filestore.tests.guest.EXPORT], check=True)

    def write_files(self):
        """Write what each host finds elsewhere than we do."""
        line = 'filestore:x:%s:' % USER
        for name, more in (('passwd', line + '%s::/:/bin/sh' % USER),
                           ('group', line)):
            known = pathlib.Path('/etc', name).read_text()
            (self.place / name).write_text('%s\n%s\n' % (more, known))
        program = self.place / 'filestore'
        program.write_text('#!/bin/sh\nexec %s -m gocept.filestore "$@"\n'
                           % shlex.quote(sys.executable))
        program.chmod(0o755)

    def start_host(self, name):
        network, address = HOSTS.get(name, (None, None))
        (self.place / ('hosts-%s' % name)).write_text(
            '%s %s\n' % (address, SERVER))
        enter = network and ['nsenter', '--net=/run/netns/%s' % network] or []
        root = self.start(name, '#', [*enter, 'unshare', '--mount', '--uts'])
        root.type('hostname %s' % name)
        for command in self.arrangements(name):
            self.assertEqual((0, ''), root.type(command), command)
        self.start(name, '$', [
            'nsenter', '--target', str(root.pid), '--mount', '--net', '--uts',
            'setpriv', '--reuid', str(USER), '--regid', str(USER),
            '--clear-groups', *LOOKS])

    def arrangements(self, name):
        for file in ('passwd', 'group'):
            yield 'mount --bind %s/%s /etc/%s' % (self.place, file, file)
        if name == SERVER:
            source = gocept.filestore.tests.guest.EXPORT / 'srv'
            yield 'mkdir -p %s' % source
            yield 'mount --bind %s /srv' % source
        else:
            yield 'mount --bind %s/hosts-%s /etc/hosts' % (self.place, name)
            yield 'mount -t tmpfs tmpfs /mnt'

    def start(self, name, sign, enter):
        home = self.place / (name + {'$': '-user', '#': '-root'}[sign])
        home.mkdir()
        if sign == '$':
            os.chown(home, USER, USER)
        shell = Shell(enter, home, '%s:%s' % (self.place, os.environ['PATH']))
        self.addCleanup(shell.close)
        shell.type('cd')  # other mounts begin at their root
        self.shells[name + sign] = shell
        return shell

    def test_is_true(self):
        text = runpy.run_path(str(CHECKOUT / 'examples/text.py'))
        typed = list(text['typed'](self.text, PROMPT))
        self.assertEqual({SERVER, *HOSTS}, {who[:-1] for who, *_ in typed})
        checker = doctest.OutputChecker()
        for who, command, wanted in typed:
            began = time.monotonic()
            status, answer = self.shells[who].type(command)
            print('  %s %s  (%.0f s)' % (
                who, command.partition('\n')[0], time.monotonic() - began))
            if not checker.check_output(wanted, answer, FLAGS):
                self.fail('%s %s\n%s' % (
                    who, command, checker.output_difference(
                        doctest.Example(command, wanted), answer, FLAGS)))
            self.assertEqual(0, status, command)


class Shell:
    """A bash that is typed into."""

    def __init__(self, enter, directory, path):
        self._process = subprocess.Popen(
            [*enter, 'bash', '--noprofile', '--norc', '-c', BASH],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, bufsize=0, cwd=directory,
            env={**os.environ, 'HOME': str(directory), 'PATH': path})
        self.pid = self._process.pid

    def type(self, command):
        """Return the exit status of a command, and what it has printed."""
        self._process.stdin.write(command.encode() + b'\0')
        printed, end = b'', time.monotonic() + LONGEST
        while printed.count(b'\0') < 2:
            output = self._process.stdout
            if not select.select(
                    [output], [], [], max(0, end - time.monotonic()))[0]:
                return None, printed.decode() + '\nit takes too long\n'
            chunk = os.read(output.fileno(), 2 ** 16)
            if not chunk:
                return None, printed.decode() + '\nbash has ended\n'
            printed += chunk
        answer, status, rest = printed.split(b'\0')
        return int(status), (answer + rest).decode()

    def close(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
