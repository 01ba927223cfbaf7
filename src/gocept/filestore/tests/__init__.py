import logging


# What is logged is for tests that look at it, and not for the terminal.
logging.getLogger('gocept.filestore').addHandler(logging.NullHandler())
