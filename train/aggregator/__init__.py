"""A fitted aggregator: plain data that turns read-outs into scores, and what a strategy is to it.

From outside: `aggregator.Aggregator`, `predictions` and `conformal`. Applying needs numpy alone. No strategy is known
here by name, and nothing here fits.
"""
