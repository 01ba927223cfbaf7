"""What is typed of an example or a guide is what its text says.

An installed package has none of them.
"""

import gocept.filestore.tests.test_papers
import runpy
import unittest


EXAMPLES = gocept.filestore.tests.test_papers.CHECKOUT / 'examples'
TEXT = """\
A guide
=======

.. needs: icinga2 rsync

It begins, and `$ ls` is no command::

    $ cat > two.sh << 'END'
    #!/bin/sh

    $ this is no prompt
      # nor is this
    END
    $ sh two.sh
    one

    not an answer

.. needs: logrotate

By root, in two lines::

      # logrotate \\
            logrotate.conf
      rotated
        two files
      # true
"""


@unittest.skipUnless(EXAMPLES.is_dir(), 'only a checkout has examples')
class Text(unittest.TestCase):

    def setUp(self):
        self.text = runpy.run_path(str(EXAMPLES / 'text.py'))

    def typed(self, text=TEXT):
        return list(self.text['typed'](text))

    def test_here_document_is_a_part_of_the_command(self):
        self.assertEqual(
            ('$', "cat > two.sh << 'END'\n#!/bin/sh\n\n$ this is no prompt\n"
                  '  # nor is this\nEND', ''), self.typed()[0])

    def test_answer_ends_with_an_empty_line(self):
        self.assertEqual(('$', 'sh two.sh', 'one\n'), self.typed()[1])

    def test_answer_keeps_what_it_is_indented_more(self):
        self.assertEqual(
            ('#', 'logrotate \\\n      logrotate.conf',
             'rotated\n  two files\n'), self.typed()[2])

    def test_nothing_else_is_typed(self):
        self.assertEqual(('#', 'true', ''), self.typed()[3])
        self.assertEqual(4, len(self.typed()))

    def test_two_here_documents_of_one_command(self):
        text = '    $ cat << ONE - <<"TWO"\n    a\n    ONE\n    b\n    TWO\n'
        self.assertEqual(
            [('$', 'cat << ONE - <<"TWO"\na\nONE\nb\nTWO', '')],
            self.typed(text))

    def test_here_document_without_end_is_an_error(self):
        with self.assertRaisesRegex(ValueError, 'a command has no end'):
            self.typed('    $ cat << END\n    text\n')

    def test_root_is_wanted_by_a_prompt(self):
        self.assertTrue(self.text['wants_root'](TEXT))
        self.assertFalse(self.text['wants_root']('    $ cat <<E\n    # a\n'
                                                 '    E\n'))

    def test_needs_of_a_guide(self):
        self.assertEqual(['icinga2', 'rsync', 'logrotate'],
                         self.text['needs'](TEXT))
        self.assertEqual([], self.text['needs']('Guide\n'))

    def test_pins_are_those_of_the_checkout_unless_it_says_so(self):
        self.assertFalse(self.text['has_own_pins'](TEXT))
        self.assertTrue(self.text['has_own_pins'](TEXT + '\n.. pins: own\n'))
