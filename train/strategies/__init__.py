"""The strategies, a file each: how each is fitted to labelled read-outs.

From outside: `fit.fit_strategy` and `folds`. It knows read-outs, not where they come from.
"""
