import persistent


class Counter(persistent.Persistent):
    """Counts something, in the database."""

    value = 0

    def increase(self):
        self.value += 1
        return self.value


def get(application, name):
    """Return the counter of that name, which begins at zero."""
    return application._p_jar.root().setdefault(f'shop.{name}', Counter())
