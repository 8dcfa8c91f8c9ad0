"""Engines: who reads which shards, on one device, one machine or many.

One file an engine; `launch` chooses. The top of the ladder: it starts `extract.run`, which does not know it.
"""
