"""Stage 1: a frozen LM and judging prompts in, a feature cache out.

The rooms are a ladder: `options`, then `prompts` and `model`, then `readout`, `planning`, `workers`, `run`, `engines`;
each imports those before it. Only this stage needs torch and transformers. It knows `data`, and neither `train` nor
`evaluate`.
"""
