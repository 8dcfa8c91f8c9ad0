"""Work on whole caches: merge, export, verify, repair, and the released code's results as a cache.

One file a tool, called by `data.commands`. Tools read and write caches through `cache` and `run` only.
"""
