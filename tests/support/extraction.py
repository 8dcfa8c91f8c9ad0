"""Small item files, and extraction with small shards."""

import json

import numpy as np
from lager.extract.extractor import extract_features

WORDS = "the quick brown fox jumps over the lazy dog and answers with a single score"


def write_items(path, n, *, long=()):
    """Write `n` prompts with two annotators each; those in `long` pass the context of a tiny model."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(n):
        text = " ".join(rng.choice(WORDS.split(), size=200 if i in long else 2 + i % 5))
        rows.append(
            {"id": f"q{i}", "prompt": text, "score": [1 + i % 5, 3], "group": f"g{i % 2}", "cluster": f"c{i // 2}"}
        )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(judge, items, cache, **options):
    """Extract quietly, with shards of four rows."""
    return extract_features(judge, items, cache=cache, **{"shard_size": 4, "quiet": True, **options})
