"""Makes a glossary of a list of words, so that the index has each of them."""
import re


# The first word that an indented line tells about.
FIRST = re.compile(r'^(?=\S.*\n +\S)', re.MULTILINE)


def rewrite(app, name, source):
    if name == 'glossary' and (first := FIRST.search(source[0])):
        before, words = source[0][:first.start()], source[0][first.start():]
        source[0] = before + '.. glossary::\n\n' + re.sub(
            '^(?=.)', '    ', words, flags=re.MULTILINE)
