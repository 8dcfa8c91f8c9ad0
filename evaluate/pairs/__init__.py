"""`lager pairs`: which of two responses is better, and how far a judge's preferences agree with people's.

It knows the pairs of a cache; preferences come from scores of any strategy.
"""
