"""One table, and how each output shows it: terminal, Markdown, LaTeX; the report's page takes it as it is.

From outside: `table.Table` with its columns and cells, and the renderers `terminal`, `markdown` and `latex`. It knows
text and numbers, not strategies, metrics or caches: who has a result builds its table.
"""
