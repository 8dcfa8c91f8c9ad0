"""Caches that lie elsewhere: pushed, pulled, and kept once for every program of a machine."""
