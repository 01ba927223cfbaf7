"""Does an action again and again, with a fault at each of its calls."""
import contextlib
import gocept.filestore.testing.trace
import importlib


RUNS = 10  # until an action seems to do something else each time


def each_call(action, prepare, fault='SIGKILL', timeout=60):
    """Do an action once for each of its calls, with a fault at that call.

    `prepare()` runs first each time, and makes the disk what it was.
    `action()` runs in a process that is forked from this one, as it is at
    that moment; what it prints without flushing is lost. Its calls are the
    system calls that touch a file, made by its main thread: not by other
    threads, nor by processes that it starts.

    `fault` is 'SIGKILL': the process dies, and does not make the call. Or it
    is the name of an error, as in the module `errno`: the call is not made,
    and answered with this error; a close(2) leaves the file open then.

    After each run the call that met with the fault is yielded. It has

    - name: of the system call, as in 'renameat2';
    - text: its line from strace(1), which is its `repr`, too;
    - error: the exception that came out of the action, or a `RuntimeError`
      with its `repr` if it can not be pickled, or one that says how the
      process has died; None only if the action came to its end;
    - later: the list of the calls that were made after it.

    Raises `RuntimeError` if strace is not there or may not trace; and rather
    than leaving out a call: if there is none, or if the calls before it were
    others than without a fault, ten times. Raises `TimeoutError` if a run
    takes longer, in seconds. What the action raises without a fault is
    raised. When a run is over its process has been waited for.
    """
    names = names_of(calls(action, prepare, timeout))
    if not names:
        raise RuntimeError('the action makes no call that touches a file')
    for number in range(1, len(names) + 1):
        yield disturbed(action, prepare, fault, timeout, names[:number])


def calls(action, prepare, timeout=60):
    """Return the calls that an action makes, in order.

    Arguments, calls and errors are those of `each_call`.

    The action runs until two runs in a row make the same calls. What it has
    imported is imported here, so that it does not do so each time.
    """
    before = None
    for _ in range(RUNS):
        prepare()
        run = gocept.filestore.testing.trace.run(action, timeout)
        if run.error:
            raise run.error
        if names_of(run.calls) == before:
            return run.calls
        before = names_of(run.calls)
        for name in run.modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    raise RuntimeError('the action makes other calls each time')


def obstacle():
    """Return what keeps us from tracing a process here, or None."""
    try:
        calls(lambda: None, lambda: None)
    except RuntimeError as error:
        return str(error)


def names_of(calls):
    return [call.name for call in calls]


def disturbed(action, prepare, fault, timeout, names):
    """Return the last of these calls, after it has met with the fault."""
    kind = 'signal' if fault == 'SIGKILL' else 'error'
    inject = 'inject=%s:%s=%s:when=%s' % (
        names[-1], kind, fault, names.count(names[-1]))
    for _ in range(RUNS):
        prepare()
        run = gocept.filestore.testing.trace.run(action, timeout, '-e', inject)
        if names_of(run.calls[:len(names)]) == names:
            call = run.calls[len(names) - 1]
            call.error, call.later = run.error, run.calls[len(names):]
            return call
    raise RuntimeError(
        'the action has not made its call of %s, number %s in all, again; '
        'does the loop change an object that it uses?'
        % (names[-1], len(names)))
