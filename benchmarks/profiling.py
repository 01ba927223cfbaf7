"""Where gocept.filestore spends its time: functions and system calls."""
import shutil
import subprocess


LINES = 30


def show(benchmark):
    output = benchmark.execute('filestore', benchmark.options.files,
                               '-m', 'cProfile', '-s', 'tottime')
    print('\n'.join(output.splitlines()[1:LINES]))
    if shutil.which('strace'):
        show_calls(benchmark)


def show_calls(benchmark):
    print('\nSystem calls per file')
    for name in ('straight_line', 'filestore'):
        calls = count(benchmark, name)
        print(f'{name:15}{sum(calls.values()):6.1f}:', ', '.join(
            f'{call} {number:.1f}' for call, number in calls.items()))


def count(benchmark, name):
    """Leave out what a start without any file needs, too."""
    files = benchmark.options.files
    idle, busy = trace(benchmark, name, 0), trace(benchmark, name, files)
    handed_over = 2 * files     # all together, then one by one
    calls = {call: (number - idle.get(call, 0)) / handed_over
             for call, number in busy.items()}
    return {call: number for call, number in calls.items() if number >= 0.05}


def trace(benchmark, name, files):
    def work(path):
        subprocess.run(['strace', '-c', '-o', f'{path}/calls', '--',
                        *benchmark.command(name, path, files)],
                       check=True, stdout=subprocess.DEVNULL)
        with open(f'{path}/calls') as summary:
            return dict(parse(summary))
    return benchmark.where.run(work)


def parse(summary):
    """Yield call and count of the lines `% seconds usecs calls [errors] name`.
    """
    for line in summary:
        fields = line.split()
        if len(fields) > 4 and fields[3].isdigit() and fields[-1] != 'total':
            yield fields[-1], int(fields[3])
