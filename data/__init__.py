"""What the stages share, from an item file to a feature cache.

Rooms below import each other downwards: `files`, `items` and `templates` know nothing of caches, `cache` reads them,
`run` writes them, `tools` and `remote` work on whole ones, `commands` shows all of it. The modules beside them
(`errors`, `scale`, `machine`, `progress`, `safe_text`, `open_items`, `version`) are free for every stage. Nothing here
knows `extract`, `train` or `evaluate`, torch or transformers.
"""
