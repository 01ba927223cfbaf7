"""A process that does what a test tells it, line by line.

    $ python -c 'import ...child; ...child.main(STORE, KEYWORDS)'

The keywords for the store are pickled, and written in hexadecimal.

Each line of the standard input is the `repr` of a piece of Python. It is run,
and answered with one line: the `repr` of what it has bound to `answer`.
"""

import ast
import gocept.filestore.filestore
import pickle
import sys


def main(path, keywords):
    store = gocept.filestore.filestore.FileStore(
        path, **pickle.loads(bytes.fromhex(keywords)))
    names = {'store': store}
    for line in sys.stdin:
        exec(ast.literal_eval(line), names)
        print(repr(names.pop('answer', None)), flush=True)
