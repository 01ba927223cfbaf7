"""Hand files over in several ways and compare them with plain system calls.

Prints tables of ratios; README.txt tells how to read them.
"""
import command_line
import environment
import image
import json
import place
import profiling
import random
import report
import subprocess
import sys
import tempfile


VERSIONS = {'straight_line': '2.0', 'protocol': '2.0', 'filestore': '2.0',
            'short': '2.0', 'metadata': '2.0', 'filestore_1_0': '1.0',
            'dirq': '2.0', 'maildir': '2.0', 'persist_queue_file': '2.0',
            'persist_queue_ack': '2.0', 'litequeue': '2.0', 'kombu': '2.0',
            'huey': '2.0'}
FEW = 20
WITHOUT_PEERS = (
    'straight_line', 'protocol', 'filestore', 'short', 'metadata')
LONGEST_RUN = 600   # seconds
MEMORY = '/dev/shm'


class Benchmark:
    """All contenders in one place, a process for each of them each round."""

    def __init__(self, where, options, names=tuple(VERSIONS)):
        self.where = where
        self.options = options
        self.names = names
        self.chance = random.Random(options.seed)
        self.answers = {}
        self.missing = []

    def run(self):
        print(self.where.how, file=sys.stderr, end=' ', flush=True)
        for name in self.names:
            self.warm_up(name)
        for _ in range(self.options.rounds):
            self.play_round()
            print('.', file=sys.stderr, end='', flush=True)
        print(file=sys.stderr)
        return report.Report(
            self.where, self.options.files, self.answers, self.missing)

    def warm_up(self, name):
        try:
            self.execute(name, FEW)
        except subprocess.CalledProcessError as error:
            print(f'\n{name} does not run:\n{error.stderr}', file=sys.stderr)
            self.missing.append(name)
        else:
            self.answers[name] = []

    def play_round(self):
        for name in self.chance.sample(list(self.answers), len(self.answers)):
            answer = json.loads(self.execute(name, self.options.files))
            self.answers[name].append(answer)

    def execute(self, name, files, *python_options):
        return self.where.run(lambda path: subprocess.run(
            self.command(name, path, files, *python_options),
            check=True, capture_output=True, text=True,
            timeout=LONGEST_RUN).stdout)

    def command(self, name, path, files, *python_options):
        task = {'name': name, 'path': path, 'durable': self.where.durable,
                'files': files, 'size': self.options.size}
        return [environment.get_python(VERSIONS[name]), '-E', *python_options,
                str(environment.HERE / 'work.py'), json.dumps(task)]


def parse_options():
    parser = command_line.parser(__doc__, rounds=9)
    add = parser.add_argument
    add('--files', type=command_line.between(10, 20000), default=2000,
        help='per round')
    add('--size', type=command_line.between(1, 65536), default=1024,
        help='bytes per file')
    add('--profile', action='store_true',
        help='show where gocept.filestore spends its time instead')
    image.add_images(add)
    return parser.parse_args()


def get_places(options):
    return get_memory(), place.disk(options)


def get_memory():
    memory = place.Place(MEMORY, durable=False)
    if memory.file_system != 'tmpfs':
        memory = place.Place(tempfile.gettempdir(), durable=False)
        print(f'There is no tmpfs at {MEMORY}.')
    return memory


def main():
    options = parse_options()
    for version in environment.REQUIREMENTS:
        environment.get_python(version)
    memory = get_memory()
    if options.profile:
        profiling.show(Benchmark(memory, options))
        return
    print(f'{options.rounds} rounds of {options.files} files of '
          f'{options.size} bytes, seed {options.seed}\n', flush=True)
    with image.durable_places(options) as disks:
        benchmarks = [
            Benchmark(memory, options), Benchmark(disks[0], options),
            *(Benchmark(disk, options, WITHOUT_PEERS) for disk in disks[1:])]
        for benchmark in benchmarks:
            print(benchmark.run(), end='\n\n', flush=True)


if __name__ == '__main__':
    main()
