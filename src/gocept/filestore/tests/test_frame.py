"""How much Python of ours runs for a file; calls.txt has the system calls."""
import gocept.filestore.tests.case
import gocept.filestore.tests.test_stories
import sys


PACKAGE = str(gocept.filestore.tests.test_stories.PACKAGE)


class Frames(gocept.filestore.tests.case.Case):
    """Functions of ours that are entered for a file, when all is warm."""

    def count(self, action):
        events = []
        store = self.open_store(durable=False)
        store._layout.interval = 3600
        for name in ('first', 'second'):
            store.write_bytes(name, b'')
        action(store, 'warm')
        sys.setprofile(
            lambda frame, event, arg: events.append((event, frame.f_code)))
        try:
            action(store, 'a')
        finally:
            sys.setprofile(None)
        found = [code.co_name for event, code in events
                 if event == 'call' and code.co_filename.startswith(PACKAGE)
                 and '/tests/' not in code.co_filename]
        self.assertIn('noreplace', found)
        return len(found)

    def test_with_files(self):
        self.assertLessEqual(self.count(self.with_files), 36)

    def with_files(self, store, name):
        with store.publish(name, 'wb') as file:
            file.write(b'content')
        claim = store.claim()
        with claim.open('rb') as file:
            file.read()
        claim.finish(keep=False)

    def test_in_one_call_each(self):
        self.assertLessEqual(self.count(self.in_one_call_each), 38)

    def in_one_call_each(self, store, name):
        store.write_bytes(name, b'content')
        claim = store.claim()
        claim.read_bytes()
        claim.finish(keep=False)
