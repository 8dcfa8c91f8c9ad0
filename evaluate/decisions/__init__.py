"""What the commands that decide share: the judged items that they read, clusters as numbers, the t of a mean over them.

From outside: `judged_items`, `cluster_codes` and `cluster_t`. Nothing here knows one of those commands, a report or the
command line.
"""
