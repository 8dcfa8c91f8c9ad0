"""Several workers on one cache: who is there, who takes which shard, who looks through the items.

They meet in the cache's folder only. Nothing here reads a model or knows what started a worker.
"""
