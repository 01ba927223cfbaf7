"""What is wrong with a store, and the remedies: one room for each subject.

It looks at what the wings below leave on the disk; only the command line comes
in.
"""
