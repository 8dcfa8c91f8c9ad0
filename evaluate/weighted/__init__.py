"""What metrics are computed from: paired columns, ranks and sums under the weights of many resamples at once.

For `metrics` and `agreement`. Numbers only: it knows no metric by name.
"""
