"""The strategies: each one object in a file of its own, and a line in `registry`.

From outside: `registry.lookup` and `expand`, and `fit`. It knows read-outs, not where they come from. A strategy
imports the solvers inside its `fit`, so that names are looked up and scores are given without them.
"""
