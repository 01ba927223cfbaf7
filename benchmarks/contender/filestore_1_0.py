import gocept.filestore
import os.path


class Contender:
    """The last release, used as its own clients use it."""

    title = 'gocept.filestore 1.0'
    durable = 'never syncs'

    def __init__(self, path, durable):
        self.store = gocept.filestore.FileStore(path)
        self.store.prepare()

    def publish(self, name, data):
        with self.store.create(name, 'wb') as f:
            f.write(data)
        self.store.move(name, 'tmp', 'new')

    def take(self):
        for path in self.store.list('new'):
            self.store.move(path, 'new', 'cur')
            name = os.path.basename(path)
            with open(os.path.join(self.store.path, 'cur', name), 'rb') as f:
                data = f.read()
            self.store.remove(name, 'cur')
            yield data
