"""Make the pictures of the pages that lie beside this file.

    $ PYTHONPATH=src .venv/bin/python docs/pictures.py

It takes root, Chromium, bindfs, and the packages that .ci/run installs for
the tests with a browser. The stores are those of these tests. What happens
there within a second is told as days: bindfs shows the times that we set.
"""
import datetime
import gocept.filestore
import gocept.filestore.web.tests.scene
import gocept.filestore.web.tests.test_browser
import json
import os
import pathlib
import subprocess
import sys
import time
import unittest


HERE = pathlib.Path(__file__).resolve().parent
SOURCE = str(pathlib.Path(gocept.filestore.web.tests.scene.__file__).parent)
PICTURES = (('overview', '', 1280, 780),
            ('store', 'store?store=orders', 1280, 1120),
            ('file', 'file?store=orders&name=order-17', 1280, 800),
            ('telephone', 'store?store=orders', 360, 740))
HOUR = 3600
AGES = {
    'new': (60, 60, 60, 400, 700, 1500, HOUR, HOUR, 2 * HOUR, 4 * HOUR),
    'cur': (HOUR / 2, 5 * HOUR, 40 * HOUR),
    'failed': (HOUR, 3 * HOUR, 30 * HOUR)}
# What a name in a path or of a host says of this machine is of no interest.
TIDY = """pairs => {
    const walker = document.createTreeWalker(
        document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode())
        for (const [old, other] of pairs)
            walker.currentNode.textContent =
                walker.currentNode.textContent.replaceAll(old, other)}"""


class Pictures(gocept.filestore.web.tests.scene.Scene):
    """A scene in which time has gone by."""

    odd = ()
    layer = gocept.filestore.web.tests.test_browser.Browser

    def setUp(self):
        super().setUp()
        self.layer.setUp()
        self.addCleanup(self.layer.tearDown)

    def prepare(self):
        self.path = self.directory / 'orders'
        self.store = self.open_store()
        self.store.prepare()

    def fill(self):
        self.prepare()
        super().fill()
        for space, ages in AGES.items():
            self.age(space, ages)
            self.mount(self.path / space)

    def mount(self, path):
        """From now on its files came when they were written last."""
        subprocess.run(['bindfs', '--ctime-from-mtime', path, path],
                       check=True)
        self.addCleanup(subprocess.run, ['umount', '-l', path], check=True)

    def age(self, space, ages):
        """Let the files of a space be so old, those that come first most."""
        paths = sorted((self.path / space).iterdir())
        for number, path in enumerate(paths):
            age = sorted(ages)[-1 - number * len(ages) // len(paths)]
            age *= 1 - number / 1000
            self.age_events(path.name, age)
            os.utime(path, times=2 * (time.time() - age,))

    def age_events(self, name, age):
        path = self.path / 'attempts' / name
        events = [json.loads(line) for line in path.read_text().splitlines()
                  ] if path.exists() else []
        for number, event in enumerate(reversed(events)):
            moment = datetime.datetime.fromisoformat(event['time'])
            event['time'] = (moment - datetime.timedelta(
                seconds=age + 100 * number)).isoformat()
        if events:
            path.write_text(''.join(
                json.dumps(event) + '\n' for event in events))

    def runTest(self):
        for name, address, width, height in PICTURES:
            page = self.layer.browser.new_page(
                viewport={'width': width, 'height': height})
            page.goto(self.url + address)
            page.evaluate(TIDY, [
                [SOURCE, '/srv/shop/lib'], [str(self.directory), '/srv/shop'],
                [sys.executable + ' -m gocept.', ''],
                [os.uname().nodename, 'shop'], ['scene.py', 'bank.py']])
            page.screenshot(path=HERE / ('web-%s.png' % name))


if __name__ == '__main__':
    unittest.TextTestRunner().run(Pictures())
