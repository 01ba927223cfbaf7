import gocept.filestore


class Contender:
    """The checkout that this benchmark lies in."""

    title = 'gocept.filestore 2.0'
    durable = None

    def __init__(self, path, durable):
        self.store = gocept.filestore.FileStore(path, durable=durable)
        self.store.prepare()

    def publish(self, name, data):
        with self.store.publish(name, 'wb') as f:
            f.write(data)

    def take(self):
        while (claim := self.store.claim()) is not None:
            with claim.open('rb') as f:
                data = f.read()
            claim.finish(keep=False)
            yield data
