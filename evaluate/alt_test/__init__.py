"""`lager alt-test`: may a judge replace a rater, by the alternative annotator test, and beside one more rater.

From outside: `alt_test.alt_test`, `one_more_rater.one_more_rater` and `uncertainty.agreement_by_uncertainty`, on plain
arrays. It does not know the report.
"""
