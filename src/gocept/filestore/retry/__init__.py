"""What has failed: when it is tried again, and when it is given up.

It stands on `disk` and on `gocept.filestore.publish`, with which it writes
down what has happened; the queue, batches and upkeep come in.
"""
