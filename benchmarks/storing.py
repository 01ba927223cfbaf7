"""Write an object for each document into a ZODB, with files and without.

Prints the seconds as JSON.
"""
import BTrees.OOBTree
import gocept.filestore
import gocept.filestore.consumer
import json
import os
import persistent
import sys
import transaction
import work
import ZODB


class Document(persistent.Persistent):
    """What is made of a file."""

    def __init__(self, data):
        self.data = data


def measure(path, way, durable, files, size):
    database = ZODB.DB(f'{os.path.dirname(path)}/Data.fs')
    with transaction.manager:
        root = database.open().root
        root.documents = BTrees.OOBTree.BTree()
    documents = work.make_documents(files, size)
    prepare, phase = WAYS[way]
    source = prepare(path, durable, documents)
    work.settle(os.path.dirname(path))
    seconds, _ = work.timed(phase, source, root.documents)
    work.check(documents, [each.data for each in root.documents.values()])
    database.close()
    return seconds


def nothing(path, durable, documents):
    return documents


def commit(documents, target):
    """Do without files."""
    for name, data in documents:
        with transaction.manager:
            target[name] = Document(data)


class Files:
    """Files that wait, and the plain system calls for one of them."""

    def __init__(self, path, durable, documents):
        self.path = path
        self.durable = durable
        for space in ('tmp', 'new', 'work', 'cur', 'voted', 'committed'):
            os.makedirs(f'{path}/{space}')
        for name, data in documents:
            self.write(f'new/{name}', data)

    def write(self, path, data):
        descriptor = os.open(
            f'{self.path}/{path}', os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        os.write(descriptor, data)
        os.close(descriptor)

    def read(self, path):
        descriptor = os.open(f'{self.path}/{path}', os.O_RDONLY)
        data = os.read(descriptor, os.fstat(descriptor).st_size)
        os.close(descriptor)
        return data

    def move(self, name, source, target):
        os.rename(f'{self.path}/{source}/{name}',
                  f'{self.path}/{target}/{name}')

    def sync(self, *paths):
        for path in paths if self.durable else ():
            work.settle(f'{self.path}/{path}')


def move(files, target):
    """Let a file come again if the process dies before it has moved."""
    for name in os.listdir(f'{files.path}/new'):
        files.move(name, 'new', 'work')
        with transaction.manager:
            target[name] = Document(files.read(f'work/{name}'))
        files.move(name, 'work', 'cur')


def call(files, target):
    """Write down what happens to the file, so that it does not come again."""
    for name in os.listdir(f'{files.path}/new'):
        files.move(name, 'new', 'work')
        with transaction.manager:
            target[name] = Document(files.read(f'work/{name}'))
            files.write(f'tmp/{name}', f'finish {name}'.encode())
            files.sync(f'tmp/{name}')
            files.move(name, 'tmp', 'voted')
            files.sync('voted')
        files.move(name, 'voted', 'committed')
        files.sync('committed')
        files.move(name, 'work', 'cur')
        files.sync('cur', 'work')
        os.unlink(f'{files.path}/committed/{name}')


def waiting(path, durable, documents):
    store = gocept.filestore.FileStore(path, durable=durable, prepare=True)
    for name, data in documents:
        with store.publish(name, 'wb') as file:
            file.write(data)
    return store


def consume(store, target):
    def handle(claim):
        with claim.open('rb') as file:
            target[claim.filename] = Document(file.read())

    gocept.filestore.consumer.Consumer(
        store, handle, transaction_manager=transaction.manager).drain()


WAYS = {'commits alone': (nothing, commit),
        'moves alone': (Files, move),
        'straight-line calls': (Files, call),
        'consumer': (waiting, consume)}


if __name__ == '__main__':
    verb, task = sys.argv[1:]
    print(json.dumps({'measure': measure}[verb](**json.loads(task))))
