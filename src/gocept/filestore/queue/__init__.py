"""What comes next: claims, the order in which files get them, and recovery.

It stands on `retry` and `disk`. Batches finish what is claimed here; the store
on top hands it out.
"""
