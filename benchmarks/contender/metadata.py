import contender.short


class Contender(contender.short.Contender):
    """The same with metadata, which is read as well."""

    title = '2.0, with metadata'
    given = {'type': 'text/plain', 'order': '4711'}

    def publish(self, name, data):
        self.store.write_bytes(name, data, metadata=self.given)

    def take(self):
        while (claim := self.store.claim()) is not None:
            data = claim.read_bytes()
            assert claim.metadata == self.given
            claim.finish(keep=False)
            yield data
