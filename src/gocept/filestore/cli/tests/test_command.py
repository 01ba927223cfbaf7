import contextlib
import gocept.filestore.cli.command
import gocept.filestore.interfaces
import gocept.filestore.tests.command
import io
import os
import pathlib
import re
import sys
import unittest
import unittest.mock


SOURCE = pathlib.Path(gocept.filestore.interfaces.__file__).parents[2]
WITHOUT = """
import sys
without, args = {!r}, {!r}
sys.modules.update(dict.fromkeys(without))
import gocept.filestore.__main__
sys.exit(gocept.filestore.__main__.main(args))
"""
# What comes with other extras than [cli].
OTHERS = ['chameleon', 'inotify_simple', 'prometheus_client', 'setproctitle',
          'transaction', 'waitress', 'webob', 'zc.lockfile', 'ZConfig',
          'zope.security']


# What has no --json, and why.
SAYS_HOW_IT_WENT = ('says how it went in messages and by its exit status, and '
                    'prints nothing')
WITHOUT_JSON = {
    'copy': SAYS_HOW_IT_WENT,
    'intake': SAYS_HOW_IT_WENT,
    'move': SAYS_HOW_IT_WENT,
    'prepare': SAYS_HOW_IT_WENT,
    'publish': SAYS_HOW_IT_WENT,
    'remove': SAYS_HOW_IT_WENT,
    'run': 'its output is that of the commands that it runs',
    'serve': 'has a log and metrics',
    'web': 'has a page for programs, with health and metrics'}


class Json(unittest.TestCase):

    def test_each_command_that_reports_has_it(self):
        commands = gocept.filestore.cli.command.filestore
        self.assertEqual(set(WITHOUT_JSON), {
            name for name in commands.list_commands(None)
            if '--json' not in {
                option for parameter in commands.get_command(None, name).params
                for option in parameter.opts}})


class Help(unittest.TestCase):

    def shown(self, columns, *args):
        with (unittest.mock.patch.dict(os.environ, COLUMNS=str(columns)),
              contextlib.redirect_stdout(io.StringIO()) as output):
            gocept.filestore.cli.command.filestore.main(
                [*args, '--help'], 'filestore', standalone_mode=False)
        return output.getvalue().splitlines()

    def test_fits(self):
        for name in gocept.filestore.cli.command.PLACES:
            for columns in 40, 80, 200:
                lines = self.shown(columns, name)
                with self.subTest(name, columns=columns):
                    self.assertLessEqual(
                        max(map(len, lines)), min(columns, 80))
        self.assertLessEqual(max(map(len, self.shown(40))), 40)

    def test_narrower_than_a_word(self):
        self.assertIn('REASON', ' '.join(self.shown(5, 'failed')).upper())


class NotInstalled(gocept.filestore.tests.command.Case):

    def test_says_what_to_type(self):
        self.assertEqual(
            (1, b'', ["filestore: click is missing: "
                      "pip install 'gocept.filestore[cli]'"]),
            self.filestore(
                '-c', WITHOUT.format(['click'], ['status', 'store']),
                command=[sys.executable]))

    def test_with_nothing_but_python(self):
        self.assertEqual(
            (1, b'', ["filestore: click is missing: "
                      "pip install 'gocept.filestore[cli]'"]),
            self.filestore(command=[
                'env', 'PYTHONPATH=%s' % SOURCE, sys.executable, '-S', '-m',
                'gocept.filestore']))

    def test_help_has_each_command(self):
        for args in ['--help'], []:
            _, output, messages = self.filestore(
                '-c', WITHOUT.format(OTHERS, args), command=[sys.executable])
            lines = output.decode().splitlines() or messages
            listed = dict(re.findall(r'^  (\w+) +(.+)$', '\n'.join(
                lines[lines.index('Commands:'):]), re.MULTILINE))
            with self.subTest(args):
                self.assertEqual(
                    list(gocept.filestore.cli.command.PLACES), list(listed))
                self.assertEqual(
                    {'serve': 'Needs the extra [server].',
                     'web': 'Needs the extra [web].'},
                    {name: text for name, text in listed.items()
                     if 'extra' in text})

    def test_command_that_lacks_its_extra(self):
        for args in (['serve', '--zope', 'zope.conf'], ['serve', '--help'],
                     ['serve']):
            with self.subTest(args):
                self.assertEqual(
                    (1, b'', ["filestore: setproctitle is missing: "
                              "pip install 'gocept.filestore[server]'"]),
                    self.filestore('-c', WITHOUT.format(
                        ['setproctitle'], args), command=[sys.executable]))

    def test_our_own_mistakes_are_no_matter_of_installation(self):
        process = self.start(
            '-c', WITHOUT.format(
                ['gocept.filestore.status'], ['status', 'store']),
            command=[sys.executable])
        output, messages = process.communicate(timeout=60)
        self.assertEqual((1, b''), (process.returncode, output))
        self.assertIn(b'halted; None in sys.modules', messages)
        self.assertNotIn(b'pip', messages)
