import contender.filestore


class Contender(contender.filestore.Contender):
    """The same by its short ways, without a file object."""

    title = '2.0, short ways'

    def publish(self, name, data):
        self.store.write_bytes(name, data)

    def take(self):
        while (claim := self.store.claim()) is not None:
            data = claim.read_bytes()
            claim.finish(keep=False)
            yield data
