"""Whether a judge is still the same: two readings of the same items, compared within margins that are stated.

From outside: `check_scores` and `readout_shift` on plain arrays, and what the command is made of. It compares judges
with themselves; how good one is, `evaluate.agreement` says.
"""
