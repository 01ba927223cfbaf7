"""What the contenders of one task have answered, round by round."""
import environment
import handoff
import json
import random
import statistics
import subprocess
import sys


class Comparison:
    """Contenders in one place, a process for each of them each round.

    Subclasses have a verb of a script, and its arguments for each contender.
    The answers are numbers, unless they say otherwise.
    """

    script = 'committing.py'

    def __init__(self, where, options):
        self.where = where
        self.options = options
        self.chance = random.Random(options.seed)
        self.tasks = self.get_tasks()
        self.answers = {name: [] for name in self.tasks}

    def run(self):
        print(self.verb, file=sys.stderr, end=' ', flush=True)
        for _ in range(self.options.rounds):
            self.play_round()
            print('.', file=sys.stderr, end='', flush=True)
        print(file=sys.stderr)

    def play_round(self):
        for name in self.chance.sample(list(self.tasks), len(self.tasks)):
            answer = self.where.run(
                lambda path, name=name: self.execute(path, self.tasks[name]))
            self.answers[name].append(answer)

    def execute(self, path, task):
        return json.loads(subprocess.run(
            [environment.get_python('2.0'), '-E',
             str(environment.HERE / self.script), self.verb,
             json.dumps({'path': f'{path}/store', **task})],
            check=True, stdout=subprocess.PIPE, text=True,
            timeout=handoff.LONGEST_RUN).stdout)

    def __str__(self):
        return '\n\n'.join(
            filter(None, ['\n'.join(self.table()), self.target()]))

    def target(self):
        """Return what was to be reached, if there is such a thing."""

    def median(self, name):
        return statistics.median(self.answers[name])

    def ratios(self, name, base):
        return [one / other for one, other in self.rounds(name, base)]

    def differences(self, name, base):
        return [one - other for one, other in self.rounds(name, base)]

    def rounds(self, *names):
        # Noise comes and goes: only answers of the same round are compared.
        return zip(*map(self.answers.get, names), strict=True)
