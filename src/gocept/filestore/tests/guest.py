"""A machine with an NFS server and two hosts, which runs a program of ours.

It is user-mode Linux, a child of the test, and sees the files of this machine,
which it can not change. Its network is inside of it. When the test is killed,
it is killed as well, and nothing is left of it; see `nfs/start.sh`, and for
what happens in the guest, `nfs/init.sh`. `.ci/distributed` installs the parts.
"""

import ast
import contextlib
import functools
import gc
import gocept.filestore.__main__
import gocept.filestore.cli.command
import gocept.filestore.tests.case
import gocept.filestore.tests.story
import gocept.filestore.tests.volume
import importlib
import io
import os
import pathlib
import re
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback


PROGRAMS = ('linux.uml', 'mkfs.ext4', 'rpc.nfsd', 'rpcbind', 'mount.nfs',
            'ip', 'modprobe', 'setpriv')
MOUNTS = (pathlib.Path('/run/a'), pathlib.Path('/run/b'))
EXPORT = pathlib.Path('/run/export')  # what the server sees
SCRIPTS = pathlib.Path(__file__).parent / 'nfs'
# Of this machine it has only the files; all of it ends with the first process.
ALONE = ('setpriv', '--pdeathsig', 'KILL', 'unshare', '--mount', '--net',
         '--ipc', '--pid', '--fork', '--kill-child', '--mount-proc')
LONGEST = 900  # seconds; what takes longer is stuck
PATIENCE = 10  # seconds, until a question is asked again


def obstacle():
    """Return why there can be no such machine here, or None."""
    missing = [name for name in PROGRAMS if not shutil.which(
        name, path=gocept.filestore.tests.volume.PATH)]
    return (missing and 'not installed: %s; see .ci/distributed'
            % ', '.join(missing)
            or os.getuid() and 'only root can have an NFS server'
            or not gocept.filestore.tests.volume.can_be_alone()
            and 'nothing can be mounted here'
            or None)


@contextlib.contextmanager
def running(version, program, *args):
    """Start a guest with a version of NFS, and a piece of Python in it."""
    with tempfile.TemporaryFile('a+') as console:
        process = subprocess.Popen(
            [*ALONE, 'sh', SCRIPTS / 'start.sh', SCRIPTS / 'init.sh', version],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=console,
            text=True, bufsize=1,
            env=gocept.filestore.tests.volume.environment())
        try:
            guest = Guest(process, console)
            guest.run(sys.executable, '-c', program, *args)
            yield guest
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()


class Guest:
    """What is written goes to the program, what is read comes from it."""

    def __init__(self, process, console):
        self._process = process
        self._console = console
        self._told = 0

    def run(self, *command):
        self._read()  # it is ready
        given = {'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
        if 'RACES' in os.environ:
            given['RACES'] = os.environ['RACES']
        self._process.stdin.write(shlex.join([
            'env', *('%s=%s' % item for item in given.items()), *command])
            + '\n')

    def ask(self, number):
        """Return the answer to a question, a literal of Python.

        What comes on its serial line the guest may not notice until more
        comes (seen once). So it tells the number when it has got it, and is
        asked again until then.
        """
        self.messages()
        for _ in range(LONGEST // PATIENCE):
            self._process.stdin.write('%s\n' % number)
            if select.select([self._process.stdout], [], [], PATIENCE)[0]:
                break
        while (answer := ast.literal_eval(self._read())) == number:
            pass
        return answer

    def _read(self):
        timer = threading.Timer(
            LONGEST * int(os.environ.get('RACES', 1)), self._process.kill)
        timer.start()
        try:
            return self._process.stdout.readline() or self._has_ended()
        finally:
            timer.cancel()
            timer.join()

    def _has_ended(self):
        raise RuntimeError('the guest has ended:\n' + self.messages())

    def messages(self):
        """Return what has come to the console since it was asked before."""
        self._console.seek(self._told)
        messages = self._console.read()
        self._told += len(messages.encode())
        return messages


def fork_only():
    """Fork what would start Python anew, which takes more than a second here.
    """
    for place in gocept.filestore.cli.command.PLACES.values():
        module, _ = place.split('.')
        importlib.import_module('gocept.filestore.cli.' + module)
    gocept.filestore.tests.case.start = start
    gocept.filestore.tests.story.python = python
    gocept.filestore.tests.story.sh = sh


def start(module, *args, **options):
    return fork(importlib.import_module(module).main, *args, **options)


def python(program):
    with fork(exec, program, {'__name__': '__main__'},
              stdout=subprocess.PIPE, text=True) as process:
        print(process.stdout.read(), end='')
    print(process.returncode)


def sh(line, shell=gocept.filestore.tests.story.sh):
    """Run a line in the shell, but for a `filestore` that it begins with."""
    found = re.fullmatch('filestore ([^|<>&;]*)(?: [|] (.*))?', line)
    if not found:
        return shell(line)
    words, rest = shlex.split(found[1]), found[2]
    with fork(gocept.filestore.__main__.main, words, text=True,
              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
              stderr=None if rest else subprocess.STDOUT) as process:
        output = process.stdout.read()
    status = process.returncode
    if status < 0:  # by a signal, as a shell tells it
        status = 128 - status
    if rest:
        result = subprocess.run(
            rest, shell=True, text=True, input=output,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, status = result.stdout, result.returncode
    print(output, end='')
    if status:
        print('exit status', status)


def fork(main, *args, **options):
    return subprocess.Popen(
        ['true'], preexec_fn=functools.partial(run, main, args), **options)


def run(main, args):
    """Be another process, which has nothing but the standard files."""
    gc.freeze()  # what we have inherited is not ours to close
    os.closerange(3, os.sysconf('SC_OPEN_MAX'))
    sys.stdin = sys.__stdin__ = open(0)
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(
        open(1, 'wb', 0), write_through=True)
    status = 1
    try:
        status = main(*args) or 0
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


@contextlib.contextmanager
def channel():
    """Yield what comes from outside, and what goes there.

    All else that is printed, also by children, goes to the console.
    """
    with open(os.dup(0)) as questions, open(os.dup(1), 'w') as answers:
        with open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)
        yield (questions,
               lambda answer: print(repr(answer), file=answers, flush=True))
