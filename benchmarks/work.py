"""Do the work with one contender, once, and print the seconds as JSON."""
import importlib
import json
import os
import random
import sys
import time


def make_documents(files, size, maker=0):
    source = random.Random(files + maker)
    return [(f'{maker}-{number:06}.dat', source.randbytes(size))
            for number in range(files)]


def publish(contender, documents):
    for name, data in documents:
        contender.publish(name, data)


def take(contender, documents):
    return list(contender.take())


def one_by_one(contender, documents):
    result = []
    for name, data in documents:
        contender.publish(name, data)
        result.append(next(contender.take()))
    return result


def timed(phase, contender, documents):
    start = time.perf_counter()
    result = phase(contender, documents)
    return time.perf_counter() - start, result


def check(documents, contents):
    if sorted(contents) != sorted(data for name, data in documents):
        sys.exit('The files that were read are not those published.')


def settle(path):
    """Write down what is under way, lest it falls into the timed part."""
    directory = os.open(path, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def measure(contender, documents):
    published, nothing = timed(publish, contender, documents)
    taken, contents = timed(take, contender, documents)
    check(documents, contents)
    singly, contents = timed(one_by_one, contender, documents)
    check(documents, contents)
    return {'publish': published, 'take': taken, 'both': published + taken,
            'one by one': singly}


def main(name, path, durable, files, size):
    kind = importlib.import_module(f'contender.{name}').Contender
    documents = make_documents(files, size)
    contender = kind(os.path.join(path, 'store'), durable)
    settle(path)
    print(json.dumps({'title': kind.title, 'durable': kind.durable,
                      'seconds': measure(contender, documents)}))


if __name__ == '__main__':
    main(**json.loads(sys.argv[1]))
