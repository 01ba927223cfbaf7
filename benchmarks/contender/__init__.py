"""One module per contender; each has a class `Contender`.

`publish(name, data)` hands one file over. `take()` goes through what waits:
it takes, reads and removes a file and only then yields its contents.
`title` is the name in the table, `durable` says what a power cut may take
from a contender that was asked to be durable, None meaning nothing.
"""
