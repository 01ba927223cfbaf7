"""Publish files in one of several ways, or join transactions.

Prints what was measured as JSON.
"""
import ctypes
import gocept.filestore
import gocept.filestore.__main__
import gocept.filestore.datamanager
import json
import memory
import os
import statistics
import sys
import transaction
import work


MEBIBYTE = 1 << 20  # bytes
PIECE = 1 << 16     # bytes
NAME = 'file.dat'
TURNS = 10
syncfs = ctypes.CDLL(None).syncfs


def publish(store, way, files, size):
    """Return the seconds in which files are published."""
    documents = work.make_documents(files, size)
    if way in FROM_FILES:
        drop(f'{store.path}-in', documents)
    if way == 'filestore publish':
        import_command(store)
        os.sync()
    work.settle(store.path)
    seconds, _ = work.timed(WAYS[way], store, documents)
    work.check(documents, map(read, store.list('new')))
    return seconds


def write(publisher, documents):
    for name, data in documents:
        with publisher.publish(name, 'wb') as file:
            file.write(data)


def write_in_transaction(store, documents):
    with transaction.manager:
        write(joinable(store), documents)


def write_in_batch(store, documents):
    with store.batch() as batch:
        write(batch, documents)


def alone(store, files, size):
    """Return the seconds that a text takes, published one by one, each way.

    They take turns: what else the machine does meets both. The first turn,
    which opens the directories, does not count; of the others the median.
    """
    store = gocept.filestore.FileStore(store.path, durable=False)
    documents = [(name, data.hex())
                 for name, data in work.make_documents(files, size // 2)]
    seconds = {way: [] for way in ALONE}
    for start in range(TURNS):
        for way, phase in ALONE.items():
            turn = [(f'{way}-{name}', text)
                    for name, text in documents[start::TURNS]]
            taken, _ = work.timed(phase, store, turn)
            seconds[way].append(taken / len(turn))
    written = [(name, text.encode()) for name, text in documents]
    work.check(written * len(ALONE), map(read, store.list('new')))
    return {way: statistics.median(taken[1:])
            for way, taken in seconds.items()}


def write_texts(publisher, documents):
    for name, text in documents:
        with publisher.publish(name) as file:
            file.write(text)


def write_texts_in_batches(store, documents):
    for name, text in documents:
        with store.batch() as batch, batch.publish(name) as file:
            file.write(text)


def write_in_group(store, documents):
    refused = []
    with store.group(refused.append) as group:
        write(group, documents)
    if refused:
        raise refused[0]


def drop(directory, documents):
    """Let others write files, and a list of them."""
    os.mkdir(directory)
    paths = [f'{directory}/{name}' for name, _ in documents]
    for path, (_, data) in zip(paths, documents, strict=True):
        with open(path, 'wb') as file:
            file.write(data)
    with open(f'{directory}.list', 'w') as file:
        file.write('\n'.join(paths))


def import_command(store):
    """Import what the command needs, as it does when it starts."""
    gocept.filestore.__main__.main([
        'publish', f'{store.path}-other', '--files-from', os.devnull])


def publish_files(store, documents):
    if gocept.filestore.__main__.main([
            'publish', store.path, '--files-from', f'{store.path}-in.list']):
        sys.exit('Not all files were published.')


def take_in(store, documents):
    store.intake(f'{store.path}-in', quiet=0).take()


def call(store, documents):
    """Make the plain system calls that the work can not do without."""
    write_drafts(store, documents)
    for name, _ in documents:
        work.settle(f'{store.path}/tmp/{name}')
    move_drafts(store, documents)


def call_at_once(store, documents):
    """Do the same, and sync the whole file system in the place of each file.
    """
    write_drafts(store, documents)
    directory = os.open(f'{store.path}/tmp', os.O_RDONLY)
    if syncfs(directory):
        sys.exit('The file system could not be synced.')
    os.close(directory)
    move_drafts(store, documents)


def write_drafts(store, documents):
    for name, data in documents:
        descriptor = os.open(f'{store.path}/tmp/{name}',
                             os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        os.write(descriptor, data)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def move_drafts(store, documents):
    work.settle(f'{store.path}/tmp')
    for name, _ in documents:
        os.rename(f'{store.path}/tmp/{name}', f'{store.path}/new/{name}')
    work.settle(f'{store.path}/new')
    work.settle(f'{store.path}/tmp')


FROM_FILES = {'filestore publish': publish_files, 'intake': take_in}
WAYS = {'one by one': write, 'one transaction': write_in_transaction,
        'one batch': write_in_batch, 'one group': write_in_group,
        **FROM_FILES, 'straight-line calls': call,
        'synced at once': call_at_once}
ALONE = {'publish': write_texts,
         'batch of one file': write_texts_in_batches}


def joinable(store):
    return gocept.filestore.datamanager.TransactionalFileStore(store)


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def join(store, joined, transactions):
    """Return the seconds of transactions in which nothing is done."""
    phase = commit_joined if joined else commit
    seconds, _ = work.timed(phase, joinable(store), transactions)
    return seconds


def commit(store, transactions):
    for _ in range(transactions):
        transaction.begin()
        transaction.commit()


def commit_joined(store, transactions):
    """Each verb joins first, but then does something that takes longer."""
    for _ in range(transactions):
        transaction.begin()
        store._joined()
        transaction.commit()


def peak(store, mebibytes):
    """Return the most memory that publishing a file took, in bytes."""
    piece = os.urandom(PIECE)
    with transaction.manager:
        with joinable(store).publish(NAME, 'wb') as file:
            for _ in range(mebibytes * MEBIBYTE // PIECE):
                file.write(piece)
    check_size(store, mebibytes * MEBIBYTE)
    return memory.size('VmHWM')


def check_size(store, size):
    if os.path.getsize(f'{store.path}/new/{NAME}') != size:
        sys.exit('The file is not of the size that was published.')


def main(verb, path, **task):
    store = gocept.filestore.FileStore(path)
    store.prepare()
    print(json.dumps(verb(store, **task)))


if __name__ == '__main__':
    main({'publish': publish, 'alone': alone, 'join': join,
          'peak': peak}[sys.argv[1]],
         **json.loads(sys.argv[2]))
