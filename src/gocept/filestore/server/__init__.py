"""Worker processes for what ZCML declares: consumers and intakes.

It stands on `gocept.filestore.consumer`; the directives and the command line
come in.
"""
