"""`lager sensitivity`: how far scores hang on the prompt, the same items under several templates or scales.

It reads caches through `extract` and compares them through `agreement`.
"""
