"""Agreement of scores with human scores, on plain arrays: levels, intervals, differences, the human reference.

From outside: `agreement.evaluate_scores` and the frozen results in `result`. It knows neither caches nor strategies.
"""
