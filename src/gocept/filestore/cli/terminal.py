"""What is said at the terminal, and the exit status that goes with it.

Who asks for the version waits for nothing but that: what it does not take is
imported in the functions.
"""
import atexit
import click
import contextlib
import io
import logging
import operator
import os
import select
import shutil
import signal
import sys


STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
UNNOTICED = signal.SIGHUP, signal.SIG_IGN  # nohup(1)
GAP = 2  # columns between those of a table
NARROW = 8  # a column is made no narrower; words of ours have as many
UNHANDLED = signal.SIG_DFL, signal.default_int_handler
SIGNALLED = 128  # what a shell adds to the number of a signal
NOT_THERE = 'there is no file store in %r, make it with: %s'


def run(command, args):
    """Run a command; tell an error in one line; return the exit status."""
    # Who ignores it, as our parent may have, gets no status of his children;
    # and who blocks a signal can not be stopped by it.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in STOPS:
        if signal.getsignal(number) in UNHANDLED:
            signal.signal(number, interrupt)
    replace_streams()
    logging.basicConfig(handlers=[Log(logging.WARNING)])
    status, lost = ended(command, args), undelivered()
    status = status or lost
    return die(status - SIGNALLED) if status > SIGNALLED else status


def interrupt(number, frame=None):
    """End a command as Python does after Ctrl-C; the next one ends it all."""
    for each in STOPS:
        if signal.getsignal(each) is interrupt:
            signal.signal(each, signal.SIG_DFL)
    raise KeyboardInterrupt(number)


def die(number, at_exit=atexit._run_exitfuncs):
    """Die of a signal when all is done: a shell and systemd look for that.

    A shell adds 128; systemd takes SIGTERM for a clean end, and 143 for none.
    The first process of a container outlives it, and exits like that.
    """
    at_exit()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    return SIGNALLED + number


def ended(command, args):
    """Run a command, and return its own exit status."""
    try:
        return command.main(
            args, prog_name='filestore', standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        return error.exit_code
    except click.ClickException as error:
        context = getattr(error, 'ctx', None)
        if context:
            say(' '.join(context.get_usage().split()))
        complain(error.format_message())
        return error.exit_code
    except click.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            complain('interrupted')
            return SIGNALLED + error.__context__.args[0]
        complain('aborted')
    except SystemExit as end:  # what a shell asks for to complete a word
        return end.code
    except Exception as error:
        import gocept.filestore.interfaces
        if not isinstance(error, (
                OSError, gocept.filestore.interfaces.FileStoreError)):
            raise
        complain(described(error))
    return 1


def undelivered():
    """Return 1 if output or messages have got lost, else 0.

    A reader that has seen enough of the output goes away, that is no loss. A
    stream that the shell has closed is not wanted at all, like /dev/null.
    """
    output, messages = sys.stdout.buffer, sys.stderr.buffer
    lost = output.error
    if isinstance(lost, BrokenPipeError):
        lost = output.taken == 0
    elif lost:
        complain('standard output: ' + described(lost))
    return int(bool(lost or messages.error))


class Log(logging.Handler):
    """Tells what is logged, and once what several threads log at a time.

    What has become of an attempt is told by the command itself.
    """

    last = thread = None

    def emit(self, record):
        if record.name == 'gocept.filestore.queue.claim':
            return
        before, self.last = self.last, record.getMessage()
        if self.last != before or self.thread == record.thread:
            self.thread = record.thread
            complain(self.last)


def tell_more():
    """Tell what is only worth an info in the log, too."""
    logging.getLogger('gocept.filestore').setLevel(logging.INFO)
    for handler in logging.root.handlers:
        handler.setLevel(logging.INFO)


class Stream(io.FileIO):
    """Hands on what is written at once, and remembers what does not go.

    Work goes on when nobody can be told of it; and nothing is left to be
    written when Python ends, which would have a status and words of its own.
    """

    def __init__(self, descriptor):
        super().__init__(descriptor, 'w', closefd=False)
        self.taken = 0
        self.error = None

    def write(self, data):
        rest = memoryview(data)
        try:
            while rest:
                taken = self._write_some(rest)
                self.taken += taken
                rest = rest[taken:]
        except OSError as error:
            self.error = self.error or error
        return len(data)

    def _write_some(self, data):
        """Write what there is room for; of output, wait for some."""
        try:
            return os.write(self.fileno(), data)
        except BlockingIOError:  # as another process that has it wants it
            if self.fileno() != 1:
                raise
            select.select([], [self], [])
            return 0


def replace_streams():
    """Write to streams of ours; no file gets the number of a closed one."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout = stream(1, sys.stdout)
    sys.stderr = stream(2, sys.stderr)


def stream(descriptor, replaced):
    """Return a stream in place of one; what its encoding lacks is escaped."""
    return io.TextIOWrapper(
        Stream(descriptor), getattr(replaced, 'encoding', None),
        'backslashreplace', line_buffering=True)


def each(items, action, done):
    """Do something with each file, and say how it went."""
    with Tally(done, len(items)) as tally:
        for item in items:
            tally.attempt(action, item)


class Tally:
    """Counts files, tells what is wrong with some, and says how it went."""

    def __init__(self, done, total=None, has_bar=True):
        # Where no more files can be opened, nothing new can be imported.
        import gocept.filestore.monitor.words
        self._counted = gocept.filestore.monitor.words.counted
        self._done = done
        self._bar = progress(total, has_bar)
        self._number = self._failed = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self._bar.close()
        if kind is None:
            summary(self._counted(self._number - self._failed), self._done,
                    self._failed)

    def attempt(self, action, item):
        import gocept.filestore.interfaces
        try:
            action(item)
        except gocept.filestore.interfaces.WRONG_WITH_ALL:
            raise
        except OSError as error:
            self.refuse(error, item)
        self._number += 1
        self._bar.update()

    def refuse(self, error, item=None):
        self._failed += 1
        complain(described(error, item))


class Stop:
    """A handler of signals, which ends something, and has the exit status."""

    status = 0

    def __init__(self, stop, again):
        self._stop = stop
        self._again = again

    def __call__(self, number, frame):
        if number == signal.SIGINT:
            end_line()
            if self.status:
                self._again(number, frame)
        self.status = self.status or SIGNALLED + number
        self._stop(number, frame)


def end_line():
    """Let what is said next not begin behind the "^C" of a terminal."""
    with contextlib.suppress(OSError):
        if os.isatty(2):
            os.write(2, b'\n')


def until_stopped(action, stop, again=interrupt):
    """Do it until a signal stops it; tell what is wrong; return the status.

    An interrupt after that, which no service manager sends, can do more.
    """
    stop = Stop(stop, again)
    for number in STOPS:
        if (number, signal.getsignal(number)) != UNNOTICED:
            signal.signal(number, stop)
    try:
        action()
    except OSError as error:
        complain(described(error))
        return stop.status or 1
    except KeyboardInterrupt:  # that further one
        pass
    return stop.status


def progress(total, is_wanted=True):
    """Return a progress bar, which shows on a terminal only."""
    import tqdm
    # A thread that ends with Python aborts it when no descriptor is left.
    tqdm.tqdm.monitor_interval = 0
    return tqdm.tqdm(
        total=total, disable=None if is_wanted else True, leave=False,
        unit='file', ncols=columns_beside_an_interrupt())


def columns_beside_an_interrupt():
    """Return how wide a bar may be, so that "^C" does not begin a line."""
    with contextlib.suppress(OSError):  # no terminal
        return max(1, (os.get_terminal_size(2).columns or 80) - 2)


def summary(done, verb, failed, status=0):
    say('%s %s, %s failed' % (done, verb, failed))
    if status := status or int(failed > 0):
        raise click.exceptions.Exit(status)


def described(error, filename=None):
    """Return one line for an error, with what to type if there is no store."""
    import gocept.filestore.disk.space
    import gocept.filestore.interfaces
    if isinstance(error, gocept.filestore.interfaces.NotPrepared):
        # Where no more files can be opened, nothing new can be imported.
        import gocept.filestore.doctor.finding
        end_of_options = ['--'] if error.store.startswith('-') else []
        return NOT_THERE % (
            error.store, gocept.filestore.doctor.finding.command(
                'filestore', 'prepare', *end_of_options, error.store))
    return gocept.filestore.disk.space.described(error, filename)


def make(store):
    import gocept.filestore.interfaces
    try:
        store.list('new')
    except gocept.filestore.interfaces.NotPrepared:
        store.prepare()
        say('made the file store %r' % store.path)


def is_typed():
    """Tell whether standard input is what somebody types."""
    return sys.stdin is not None and sys.stdin.isatty()


def say(message):
    if 'tqdm' in sys.modules:  # as who shows a bar has imported it
        sys.modules['tqdm'].tqdm.write(message, file=sys.stderr)
    else:
        sys.stderr.write(message + '\n')


def complain(message):
    import gocept.filestore.retry.attempt
    say('filestore: ' + gocept.filestore.retry.attempt.bounded(
        ' '.join(map(str.strip, message.splitlines()))))


def table(headings, rows):
    """Return lines with columns, which fit the terminal if there is one.

    What is None stays empty. If there is no room for the columns, each row is
    some lines of its own, with a heading and a value in each.
    """
    import gocept.filestore.monitor.words
    rows = [list(map(gocept.filestore.monitor.words.text, row))
            for row in rows]
    titles = [styled(heading, bold=True) for heading in headings]
    if not sys.stdout.isatty():
        return aligned([titles, *rows])
    room = shutil.get_terminal_size().columns
    widths = limits([headings, *rows], room)
    if sum(widths) + GAP * (len(widths) - 1) <= room:
        return aligned([titles, *rows], widths)
    widths = limits([[max(headings, key=len), ' ' * room]], room)
    pairs = (zip(titles, row, strict=True) for row in rows)
    return '\n\n'.join(aligned(
        filter(operator.itemgetter(1), each), widths) for each in pairs)


def aligned(rows, widths=None):
    # The headings are a row: as such, those of tabulate are wider by two.
    import tabulate
    return tabulate.tabulate(
        rows, tablefmt='plain', disable_numparse=True, maxcolwidths=widths)


def limits(rows, room):
    """Return how wide each column may be; the widest are cut to one width."""
    import wcwidth
    wanted = [max(map(wcwidth.wcswidth, column))
              for column in zip(*rows, strict=True)]
    most = max(wanted)
    room -= GAP * (len(wanted) - 1)
    while most > NARROW and sum(min(width, most) for width in wanted) > room:
        most -= 1
    return [min(width, most) for width in wanted]


def wrapped(line, indent):
    """Return a line, broken between words where a terminal would do so."""
    if not sys.stdout.isatty():
        return line
    import wcwidth
    return '\n'.join(wcwidth.wrap(
        line, shutil.get_terminal_size().columns,
        subsequent_indent=' ' * indent, break_long_words=False,
        break_on_hyphens=False))


def styled(text, **style):
    """Return text in colours, or bold, where that is wanted."""
    is_wanted = (sys.stdout.isatty() and os.environ.get('TERM') != 'dumb'
                 and not os.environ.get('NO_COLOR'))
    return click.style(text, **style) if is_wanted else text
