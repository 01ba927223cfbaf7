import persistqueue


class Contender:
    """Chunks of a hundred pickles, for one process with several threads."""

    title = 'persist-queue file'
    durable = 'syncs every hundredth file'

    def __init__(self, path, durable):
        self.queue = persistqueue.Queue(f'{path}/queue', tempdir=path)

    def publish(self, name, data):
        self.queue.put(data)

    def take(self):
        while not self.queue.empty():
            data = self.queue.get()
            self.queue.task_done()
            yield data
