"""A cache while it is written: its folder, its shards, its workers' records, and the manifest that ends it.

From outside: `cache_writer.CacheWriter`, `finalize` and `run_status`. It does not know the model that is read.
"""
