"""How a file lies on a disk, is held, and moves.

The ground of all other wings, and knows nothing of claims, batches or retries.
It imports `gocept.filestore.interfaces` alone; everybody may come in.
"""
