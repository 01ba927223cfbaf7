import mailbox


class Contender:
    """The cheapest way through a Maildir: nothing is parsed, nothing taken."""

    title = 'mailbox.Maildir'
    durable = 'syncs the file, not the directory'

    def __init__(self, path, durable):
        self.box = mailbox.Maildir(path)

    def publish(self, name, data):
        self.box.add(data)

    def take(self):
        for key in self.box.iterkeys():
            data = self.box.get_bytes(key)
            self.box.remove(key)
            yield data
