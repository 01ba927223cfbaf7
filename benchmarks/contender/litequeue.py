import litequeue
import os


PRUNE_EVERY = 100   # finished rows stay until they are pruned


class Contender:
    """Rows of SQLite that are marked as done, and pruned a hundred at once."""

    title = 'litequeue'
    durable = None

    def __init__(self, path, durable):
        os.makedirs(path, exist_ok=True)
        self.queue = litequeue.LiteQueue(f'{path}/queue.sqlite')
        if durable:
            self.queue.conn.execute('PRAGMA synchronous = FULL')
        self.finished = 0

    def publish(self, name, data):
        self.queue.put(data)

    def take(self):
        while (message := self.queue.pop()) is not None:
            self.queue.done(message.message_id)
            self.prune()
            yield message.data

    def prune(self):
        self.finished += 1
        if self.finished % PRUNE_EVERY == 0:
            self.queue.prune()
