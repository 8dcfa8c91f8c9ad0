"""The judge: a checkpoint, loaded, with its parts found by watching one forward pass.

From outside: `judge.Judge` and `judge.load_judge`. It knows no items, prompts or shards.
"""
