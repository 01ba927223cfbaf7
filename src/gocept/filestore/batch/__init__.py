"""All or nothing: what is published, finished and removed together.

It stands on `queue`, `retry`, `publish` and `disk`. The store on top, and the
doctor, come in.
"""
