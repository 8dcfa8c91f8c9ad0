"""The agreement metrics, one family a file, each for many resamples at once.

From outside: the registry `metrics`. A metric sees a `weighted.pairing.Pairing` and nothing else: no names, no caches,
no levels.
"""
