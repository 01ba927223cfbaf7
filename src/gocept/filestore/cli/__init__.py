"""The command line: one module for each group of commands.

An edge of the house: it may go everywhere, and nobody comes in.
"""
