"""How results are shown: one table for terminal, Markdown, LaTeX, CSV and HTML, the figures, and the report.

From outside: `outputs` and the tables. It shows what an evaluation holds and computes no agreement of its own.
"""
