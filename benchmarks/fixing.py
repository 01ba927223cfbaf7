"""Play a test with one file, many times.

Prints the median in seconds as JSON.
"""
import gocept.filestore.testing
import json
import os
import shutil
import statistics
import sys
import tempfile
import time


LAYER = gocept.filestore.testing.Layer('orders')


def play_with_layer():
    LAYER.testSetUp()
    store = LAYER['orders']
    gocept.filestore.testing.publish(store, 'order', 'tea')
    with store.claim() as claim, claim.open() as file:
        assert file.read() == 'tea'
    assert gocept.filestore.testing.names(store) == {'cur': ['order']}
    LAYER.testTearDown()


def play_with_calls():
    directory = tempfile.mkdtemp(dir=gocept.filestore.testing.store.place())
    path = f'{directory}/store'
    for name in ('', '/tmp', '/new', '/cur', '/work'):
        os.mkdir(path + name)
    with open(f'{path}/tmp/order', 'w') as file:
        file.write('tea')
    for source, target in (('tmp', 'new'), ('new', 'work'), ('work', 'cur')):
        os.rename(f'{path}/{source}/order', f'{path}/{target}/order')
    with open(f'{path}/cur/order') as file:
        assert file.read() == 'tea'
    assert os.listdir(f'{path}/cur') == ['order']
    shutil.rmtree(directory)


WAYS = {'testing.Layer': play_with_layer,
        'straight-line calls': play_with_calls}


def measure(way, tests, path):
    return statistics.median(timed(WAYS[way]) for _ in range(tests))


def timed(function):
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


if __name__ == '__main__':
    verb, task = sys.argv[1:]
    print(json.dumps({'measure': measure}[verb](**json.loads(task))))
