"""Stores in a browser."""
