"""Stage 3: scores to agreement with humans, tables and figures.

`metrics` and `weighted` compute, `agreement` puts intervals on it, `evaluation` does so for caches and files, `report`
shows it; `compare`, `sweep`, `pairs`, `sensitivity`, `score` and `select` are commands with a room each. It imports
`train` to fit and apply aggregators, and `extract` only where a model is run (`score`, `sensitivity`).
"""
