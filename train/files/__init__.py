"""Aggregator files: what was fitted, on which prompts, and how these were read, as one JSON object.

From outside: `aggregator_file`, and `applies`, which says on what one may be used. It knows the aggregator and the
strategies by name, and nothing of how they are fitted.
"""
