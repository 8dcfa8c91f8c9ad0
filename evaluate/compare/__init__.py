"""`lager compare`: several evaluations in one table and one report.

It reads what `lager evaluate --out` wrote and nothing else; no scores are computed here.
"""
