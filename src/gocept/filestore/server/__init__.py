"""Worker processes for the consumers that ZCML declares.

It stands on `gocept.filestore.consumer`; the directives and the command line
come in.
"""
