"""Items, what is judged: read from tables of the user, checked row by row, held as columns.

From outside: `items.Items`, `lazy_items.ItemSource`, `score_files` and the columns in `item_table`. Files are opened
through `data.open_items`, which knows the benchmarks too. Nothing here knows a model, a template or a cache.
"""
