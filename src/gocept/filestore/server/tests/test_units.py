import gocept.filestore.server.tests.test_server
import gocept.filestore.tests.case
import gocept.filestore.tests.test_papers
import os
import re
import shlex
import shutil
import signal
import subprocess
import unittest


DOCS = gocept.filestore.tests.test_papers.CHECKOUT / 'docs'
PROGRAM = '/usr/local/bin/filestore'


def needs(program):
    return unittest.skipUnless(
        shutil.which(program), '%s is not installed' % program)


@unittest.skipUnless(DOCS.is_dir(), 'only a checkout has the papers')
class Case(gocept.filestore.server.tests.test_server.Case):
    pass


class Units(Case):
    """What they say is meant, and may be typed."""

    @needs('systemd-analyze')
    @gocept.filestore.tests.case.slow
    def test_systemd_understands_them(self):
        self.write('program', '#!/bin/sh\n')
        self.directory.joinpath('program').chmod(0o755)
        for path in DOCS.glob('systemd/*'):
            self.write(path.name, path.read_text().replace(
                PROGRAM, str(self.directory / 'program')))
        units = list(self.directory.glob('filestore-*'))
        self.assertEqual(7, len(units))
        self.assertEqual((0, ''), self.verified(units))
        with open(units[0], 'a') as unit:
            unit.write('Foo=bar\n')
        self.assertIn("Unknown key 'Foo'", self.verified(units)[1])

    def verified(self, units):
        result = subprocess.run(
            ['systemd-analyze', 'verify', '--man=no', *units], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return result.returncode, result.stdout

    def commands(self, name):
        """Yield the words of what a unit starts, for what is here."""
        text = DOCS.joinpath('systemd', name).read_text()
        for line in re.findall('^ExecStart=(.*)', text, re.MULTILINE):
            program, *words = shlex.split(
                line.replace('/var/lib/filestore/%i', str(self.path))
                .replace('/srv/drop/%i', str(self.directory / 'drop'))
                .replace('/etc/filestore', str(self.directory))
                .replace('/usr/local/bin/handle-%i', 'cat'))
            self.assertEqual(PROGRAM, program)
            yield words

    def test_what_ends(self):
        self.assertEqual({('check', 0), ('clean', 0)}, {
            (words[0], self.filestore(*words)[0])
            for name in ('check', 'clean')
            for words in self.commands('filestore-%s@.service' % name)})

    @gocept.filestore.tests.case.slow
    def test_what_stays(self):
        os.mkdir(self.directory / 'drop')
        self.write('drop/a', 'content')
        for name in ('filestore-intake@.service', 'filestore-run@.service'):
            words, = self.commands(name)
            process = self.start(*words)
            self.wait_for_files(
                **{'cur' if words[0] == 'run' else 'new': ['a']})
            process.terminate()
            self.assertEqual(-signal.SIGTERM, self.finish(process)[0])

    @gocept.filestore.tests.case.slow
    def test_server(self):
        self.write('serve.conf', 'site-definition %s\n' % (
            self.directory / 'site.zcml'))
        words, = self.commands('filestore-serve.service')
        with open(self.directory / 'output', 'w') as output:
            server = self.start(*words, stderr=output)
        self.wait_for_log('has started')
        server.terminate()
        self.assertEnds(server)


class Log(Case):

    @needs('logrotate')
    @gocept.filestore.tests.case.slow
    def test_is_opened_again_when_it_is_rotated(self):
        text = DOCS.joinpath('logrotate.conf').read_text()
        text = text.replace('/run/filestore', str(self.directory)).replace(
            '/var/log/filestore', str(self.directory / 'log')).replace(
            'su filestore filestore', '')
        self.write('logrotate.conf', text)
        self.write('server.conf', 'site-definition site.zcml\n' + '\n'.join(
            re.findall('^#     (.*)', text, re.MULTILINE)) + '\n')
        os.mkdir(self.directory / 'log', 0o755)
        log = self.directory / 'log' / 'serve.log'
        server = self.serve('-c', 'server.conf')
        self.publish('a')
        self.wait(lambda: log.exists() and '/work/a: ' in log.read_text())
        self.rotate()
        self.wait(lambda: log.exists() and 'has started' in log.read_text())
        self.publish('b')
        self.wait(lambda: '/work/b: ' in log.read_text())
        self.assertIn('/work/a: ', log.with_suffix('.log.1').read_text())
        server.terminate()
        self.assertEnds(server)
        self.rotate()
        self.assertEqual(['serve.log.1', 'serve.log.2.gz'],
                         sorted(os.listdir(log.parent)))

    def rotate(self):
        subprocess.run(
            ['logrotate', '--force', '--state', 'state', 'logrotate.conf'],
            cwd=self.directory, check=True)
