"""Builds the site of the documentation, with Sphinx; only docs.cfg comes in.
"""
