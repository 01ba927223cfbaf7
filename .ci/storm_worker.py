"""Work on the files of a store until we are killed.

    $ PYTHONPATH=src .venv/bin/python .ci/storm_worker.py STORE LOG NUMBER

The end of a file's name says what it does to us. The log is that of
test_race.py: the end of an attempt is written before the claim is settled.
"""
import contextlib
import gocept.filestore
import hashlib
import os
import random
import signal
import sys
import time


LONGEST = 0.015  # seconds that a file takes
PAUSE = 0.01  # seconds, when nothing is to be had


class Refused(Exception):
    """The file is not to our liking."""


def work(claim, note):
    begin = time.monotonic_ns()
    with claim.open('rb') as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    note('begin', claim.filename, begin, digest)
    note('attempt', claim.filename, claim.attempt, '-')
    time.sleep(random.uniform(0, LONGEST))
    note('end', claim.filename, time.monotonic_ns(), '-')
    if claim.filename.endswith('.raises'):
        raise Refused(claim.filename)
    if claim.filename.endswith('.kills'):
        note('kills', claim.filename, '-', '-')
        os.kill(os.getpid(), signal.SIGKILL)


def main(path, log, number):
    log = os.open(log, os.O_WRONLY | os.O_APPEND)

    def note(*words):
        os.write(log, ' '.join(map(str, (number, *words, '\n'))).encode())

    store = gocept.filestore.FileStore(
        path, retry_policy=gocept.filestore.RetryPolicy(first=0.05))
    while True:
        for claim in store.claims():
            with contextlib.suppress(Refused), claim:
                work(claim, note)
        time.sleep(PAUSE)


if __name__ == '__main__':
    main(*sys.argv[1:])
