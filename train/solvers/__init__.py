"""Losses and minimisers: numbers in, numbers out.

For `strategies`. Nothing here knows a strategy, an aggregator or a file; only formulas by which one is applied, such as
the softmax, come from `aggregator`, so that both sides have the same.
"""
