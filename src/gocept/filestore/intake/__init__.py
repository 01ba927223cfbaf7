"""What others drop into a folder outside of the store, each when it is whole.

It stands on `publish` and `disk`; only the store on top comes in.
"""
