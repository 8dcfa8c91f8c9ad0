"""What is read in which order: from items to token ids, separator, shards' plans, and the identity of the whole.

From outside: `prepare`, `planner` and `plan`. Nothing is read for keeps and nothing is written here.
"""
