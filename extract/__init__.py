"""Stage 1: a frozen LM and judging prompts in, a feature cache out."""
