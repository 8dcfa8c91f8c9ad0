"""A fitted aggregator: plain data that turns read-outs into scores, and its file.

From outside: `aggregator.Aggregator`, `aggregator_file`, `conformal` and the strategies' names. Applying needs numpy
alone; nothing here fits.
"""
