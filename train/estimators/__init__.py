"""The strategies in scikit-learn's contract, on plain arrays.

From outside: the estimators. They know read-outs as arrays and no caches.
"""
