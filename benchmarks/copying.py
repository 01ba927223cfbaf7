"""Hand over files of one size, or copy a large one; print what it took."""
import contextlib
import gocept.filestore
import importlib
import json
import memory
import os
import shutil
import subprocess
import sys
import time
import work


MOST = 2 ** 30          # of one call of copy_file_range(2)


def hand_over(path, name, durable, files, size):
    kind = importlib.import_module(f'contender.{name}').Contender
    contender = kind(f'{path}/store', durable)
    documents = work.make_documents(files, size)
    work.settle(path)
    published, _ = work.timed(work.publish, contender, documents)
    start = time.perf_counter()
    total = sum(map(len, contender.take()))
    taken = time.perf_counter() - start
    if total != files * size:
        sys.exit(f'{name}: {total} bytes of {files * size} have come')
    return {'publish': published, 'take': taken}


def copy(path, name, durable, size):
    """Copy a file whose contents are in the cache already."""
    store = gocept.filestore.FileStore(f'{path}/store', durable=durable)
    store.prepare()
    with open(f'{store.path}/tmp/large.dat', 'wb') as file:
        # Not in this process, whose memory is measured.
        subprocess.run(['head', '-c', str(size), '/dev/urandom'], stdout=file,
                       check=True)
    work.settle(path)
    before = memory.size('VmRSS')
    start = time.perf_counter()
    WAYS[name](store, durable)
    seconds = time.perf_counter() - start
    if os.path.getsize(f'{path}/store/cur/large.dat') != size:
        sys.exit(f'{name}: the copy is not whole')
    return {'seconds': seconds, 'memory': memory.size('VmHWM') - before}


def by_store(store, durable):
    store.copy('large.dat', 'tmp', 'cur')


def by_kernel(store, durable):
    with opened(store, durable) as (source, target):
        while os.copy_file_range(source.fileno(), target.fileno(), MOST):
            pass


def by_copyfile(store, durable):
    with opened(store, durable) as (source, target):
        shutil.copyfile(source.name, target.name)


def by_copyfileobj(store, durable):
    with opened(store, durable) as files:
        shutil.copyfileobj(*files)


@contextlib.contextmanager
def opened(store, durable):
    with (open(f'{store.path}/tmp/large.dat', 'rb') as source,
          open(f'{store.path}/cur/large.dat', 'wb') as target):
        yield source, target
        target.flush()
        if durable:
            os.fsync(target.fileno())
            work.settle(f'{store.path}/cur')


WAYS = {'filestore': by_store, 'kernel': by_kernel, 'copyfile': by_copyfile,
        'copyfileobj': by_copyfileobj}


if __name__ == '__main__':
    verb = {'hand_over': hand_over, 'copy': copy}[sys.argv[1]]
    print(json.dumps(verb(**json.loads(sys.argv[2]))))
