"""Caches that lie elsewhere: pushed, pulled, and kept once for every program of a machine.

From outside: `open` for any URL, `push`, `pull`, and `store`. One file a kind of place; a new kind is a file here and a
line in `open`. It does not know how a cache came to be.
"""
