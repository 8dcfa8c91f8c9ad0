"""An evaluation of strategies on a cache, or of scores in files: who is scored, on what, and what a reader must know.

From outside: `cache_evaluation.evaluate_cache`, `file_evaluation.evaluate_files` and the `Evaluation` they return. It
does not know how results are shown.
"""
