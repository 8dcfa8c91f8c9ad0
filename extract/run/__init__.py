"""One worker's run: shards read, written, taken over or read again.

It stands on `planning`, `readout` and `workers`, and does not know what started it.
"""
