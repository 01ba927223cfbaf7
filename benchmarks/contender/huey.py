import huey.storage
import os


class Contender:
    """The queue of FileStorage, without huey's tasks around it."""

    title = 'huey FileStorage'
    durable = 'never syncs'

    def __init__(self, path, durable):
        os.makedirs(path, exist_ok=True)    # huey ends one of two who do it
        self.storage = huey.storage.FileStorage('benchmark', path)

    def publish(self, name, data):
        self.storage.enqueue(data)

    def take(self):
        while (data := self.storage.dequeue()) is not None:
            yield data
