"""Losses and minimisers: numbers in, numbers out.

For `strategies`. Nothing here knows a strategy by name, an aggregator or a file.
"""
