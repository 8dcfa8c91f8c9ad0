"""Engines: who reads which shards, on one device, one machine or many."""
