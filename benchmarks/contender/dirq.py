import dirq.QueueSimple


class Contender:
    """The consumer's loop of dirq's manual."""

    title = 'dirq QueueSimple'
    durable = 'never syncs'

    def __init__(self, path, durable):
        self.queue = dirq.QueueSimple.QueueSimple(path)

    def publish(self, name, data):
        self.queue.add(data)

    def take(self):
        for name in self.queue:
            if not self.queue.lock(name):
                continue
            data = self.queue.get(name)
            self.queue.remove(name)
            yield data
