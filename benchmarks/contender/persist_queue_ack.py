import persistqueue


CLEAR_EVERY = 100   # with 2,000 finished rows a get takes four times as long


class Contender:
    """Rows of SQLite that are acknowledged, and cleared a hundred at once."""

    title = 'persist-queue ack'
    durable = None

    def __init__(self, path, durable):
        self.queue = persistqueue.SQLiteAckQueue(path)
        self.finished = 0

    def publish(self, name, data):
        self.queue.put(data)

    def take(self):
        while not self.queue.empty():
            try:
                data = self.queue.get(block=False)
            except persistqueue.Empty:
                return      # another process was faster
            self.queue.ack(data)
            self.clear()
            yield data

    def clear(self):
        self.finished += 1
        if self.finished % CLEAR_EVERY == 0:
            self.queue.clear_acked_data(
                max_delete=CLEAR_EVERY, keep_latest=None)
