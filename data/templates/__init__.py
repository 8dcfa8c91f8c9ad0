"""Judging templates: the Jinja files that ship, and how those of others are rendered in a process of their own.

From outside: `template`. `child` runs as a script, with jinja2 alone. Nothing here knows a tokenizer.
"""
