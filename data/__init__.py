"""What the stages share: items, prompts, score scales and the feature cache."""
