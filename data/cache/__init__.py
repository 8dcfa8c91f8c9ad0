"""The feature cache as a format, and its reader.

From outside: `feature_cache.FeatureCache`, the `readouts` it hands out, and what `manifest` and `shards` say of the
files. It does not know who wrote a cache, nor what its numbers are used for.
"""
