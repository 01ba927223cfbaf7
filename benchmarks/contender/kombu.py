import kombu
import os
import queue


class Contender:
    """A SimpleQueue of the file system transport, acknowledged."""

    title = 'kombu file system'
    durable = 'never syncs'

    def __init__(self, path, durable):
        folders = {key: os.path.join(path, key)
                   for key in ('messages', 'processed', 'control')}
        for folder in folders.values():
            os.makedirs(folder, exist_ok=True)
        connection = kombu.Connection('filesystem://', transport_options={
            'data_folder_in': folders['messages'],
            'data_folder_out': folders['messages'],
            'store_processed': True,    # or it moves them to another disk
            'processed_folder': folders['processed'],
            'control_folder': folders['control']})
        self.processed = folders['processed']
        self.queue = connection.SimpleQueue('benchmark')

    def publish(self, name, data):
        self.queue.put(data)

    def take(self):
        while True:
            try:
                message = self.queue.get(block=False)
            except queue.Empty:
                return
            data = message.payload
            message.ack()
            yield data
