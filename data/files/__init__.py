"""Files of any kind: written whole or not at all, locked, read within bounds.

Every other room may use this one. It does not know what a file means: no items, no caches, no scores.
"""
