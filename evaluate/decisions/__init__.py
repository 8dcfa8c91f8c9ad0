"""What the commands that decide share: the judged items that they read, and the t of a mean over clusters.

From outside: `judged_items` and `cluster_t`. Nothing here knows one of those commands, a report or the command line.
"""
