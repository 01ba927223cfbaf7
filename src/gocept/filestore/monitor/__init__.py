"""How a store is, in figures and words, for whoever watches it."""
