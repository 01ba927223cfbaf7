"""The options that all benchmarks have."""
import argparse
import environment
import random


def parser(description, rounds, seed='of the random order',
           directory='on the disk for the durable runs'):
    result = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = result.add_argument
    add('--rounds', type=between(2, 99), default=rounds, help='how often')
    add('--seed', type=int, default=random.randrange(10**6), help=seed)
    add('--directory', default=str(environment.HERE), help=directory)
    add_python(add)
    return result


def add_python(add):
    add('--python', type=environment.choose, default=environment.default(),
        help='measured, 3.11 or newer')


def add_plot(add, what):
    add('--plot', help=f'a file for {what}, as SVG')


def between(least, most):
    def number(text):
        if not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f'from {least} to {most}')
        return int(text)
    return number
