import gocept.filestore.tests.case
import gocept.filestore.tests.command


# What bash does when somebody presses the key after these words.
COMPLETE = """
PATH=$PWD:$PATH
eval "$(_FILESTORE_COMPLETE=bash_source filestore)"
compopt() { echo "compopt $*"; }
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
complete -p filestore | grep -q _filestore_completion || exit 7
_filestore_completion filestore
printf '%s\\n' "${COMPREPLY[@]}"
"""


class Completion(gocept.filestore.tests.command.Case):

    def setUp(self):
        super().setUp()
        script = self.directory / 'filestore'
        script.write_text('#!/bin/sh\nexec %s "$@"\n' % ' '.join(
            gocept.filestore.tests.command.FILESTORE))
        script.chmod(0o755)

    def complete(self, *words):
        """Return what bash offers for the last of some words."""
        status, output, messages = self.filestore(
            COMPLETE, '-', 'filestore', *words, command=('bash', '-c'))
        self.assertEqual((0, []), (status, messages))
        return output.decode().split()

    def test_commands(self):
        self.assertEqual(
            ['remove', 'retry'], self.complete('re'))

    def test_options(self):
        self.assertEqual(['--keep'], self.complete('run', 'store', '--k'))

    @gocept.filestore.tests.case.slow
    def test_a_store_is_a_directory(self):
        for words in (['status', ''], ['publish', 's'], ['run', 'st'],
                      ['intake', ''], ['doctor', 'store', '--other', '']):
            with self.subTest(words):
                self.assertEqual(
                    ['compopt', '-o', 'dirnames'], self.complete(*words))

    @gocept.filestore.tests.case.slow
    def test_files(self):
        for words in (['publish', 'store', 'x'], ['serve', ''],
                      ['publish', 'store', '-T', ''], ['run', 'store', '']):
            with self.subTest(words):
                self.assertEqual(
                    ['compopt', '-o', 'default'], self.complete(*words))

    @gocept.filestore.tests.case.slow
    def test_choices(self):
        for words, choices in (
                (['move', 'store', 'f'], ['failed']),
                (['clean', 'store', 't'], ['tmp']),
                (['run', 'store', '--order', ''],
                 ['age', 'directory', 'name'])):
            with self.subTest(words):
                self.assertEqual(choices, self.complete(*words))

    @gocept.filestore.tests.case.slow
    def test_names_in_a_store(self):
        for name in ('a1', 'a2', 'b1', 'a b', 'a\nc', "a'"):
            self.put('new', name)
        self.put('failed', 'c1')
        for words, names in (
                (['move', 'store', 'new', 'cur', 'a'], ['a1', 'a2']),
                (['remove', 'store', 'new', 'a1', 'b'], ['b1']),
                (['retry', 'store', ''], ['c1']),
                (['retry', 'nowhere', ''], []), (['retry', "''", ''], [])):
            with self.subTest(words):
                self.assertEqual(names, self.complete(*words))


class Values(gocept.filestore.tests.command.Case):

    def test_what_makes_no_sense(self):
        for option, values, message in (
                ('--rate', ('0', '-1', 'nan', 'inf', 'x', ''),
                 '%r is no number of files per second above 0'),
                ('--timeout', ('0', '0.0s', '25d', '9' * 400),
                 None),
                ('--poll', ('0',),
                 '%r is no duration above 0, and below 24 days'),
                ('--delay', ('9' * 400, 'x', '-1', ''),
                 '%r is no duration like 90s, 15m, 36h or 30d')):
            for value in values:
                with self.subTest(option, value=value):
                    status, messages = self.forked(
                        'run', 'store', option + '=' + value, '--', 'cat',
                        '{}')
                    self.assertEqual((2, 1), (status, len(messages)))
                    self.assertIn(
                        (message or '%r is no duration') % value, messages[0])
