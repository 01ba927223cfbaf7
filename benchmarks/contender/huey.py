import huey.storage


class Contender:
    """The queue of FileStorage, without huey's tasks around it."""

    title = 'huey FileStorage'
    durable = 'never syncs'

    def __init__(self, path, durable):
        self.storage = huey.storage.FileStorage('benchmark', path)

    def publish(self, name, data):
        self.storage.enqueue(data)

    def take(self):
        while (data := self.storage.dequeue()) is not None:
            yield data
