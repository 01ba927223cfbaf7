"""Many processes of one contender, in one directory."""
import environment
import json
import os
import subprocess
import sys


LONGEST = 120       # seconds


class Crowd:
    """Processes that publish so many files in all, or take them."""

    def __init__(self, name, path, files, **task):
        self.task = {'name': name, 'path': path, **task}
        self.files = files
        self.end = os.path.join(path, 'end')

    def at_once(self, number, *command):
        """Publish and take at the same time.

        Return the seconds that it takes, and how many files came twice.
        """
        publishers = self.start('publish', number)
        takers = self.start('take', number, *command)
        self.go(takers + publishers)
        begin, _, _ = answers(publishers)
        self.stop()
        _, end, found = answers(takers)
        return end - begin, self.twice(found)

    def publish(self, number):
        """Return the seconds that it takes."""
        begin, end, _ = self.play(self.start('publish', number))
        return end - begin

    def take(self, number):
        """Return the seconds that it takes, and how many files came twice."""
        self.stop()
        begin, end, found = self.play(self.start('take', number))
        return end - begin, self.twice(found)

    def start(self, verb, number, *command):
        """Start so many; return them when all are ready."""
        processes = [subprocess.Popen(
            [*command, environment.get_python('2.0'), '-E',
             str(environment.HERE / 'crowding.py'),
             json.dumps({'verb': verb, 'number': index,
                         'files': self.files // number, **self.task})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for index in range(number)]
        for process in processes:
            if process.stdout.readline() != 'ready\n':
                sys.exit(f'{self.task["name"]} does not start to {verb}')
        return processes

    def go(self, processes):
        for process in processes:
            process.stdin.write('\n')
            process.stdin.flush()

    def play(self, processes):
        self.go(processes)
        return answers(processes)

    def stop(self):
        open(self.end, 'w').close()

    def twice(self, found):
        different = len(set(found))
        if different != self.files:
            sys.exit(f'{self.task["name"]}: {self.files - different} files '
                     'are lost')
        return len(found) - different


def answers(processes):
    """Return when the first one began, when all was done, and all files."""
    begins, ends, found = zip(*(
        json.loads(process.communicate(timeout=LONGEST)[0])
        for process in processes), strict=True)
    return min(begins), max(ends), sum(found, [])
