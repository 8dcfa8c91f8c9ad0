"""`lager cache` on the command line.

`cli` takes `cache.app` from here; `extract` takes `summary.summarise`. Commands parse, call one function of another
room and print; they hold no logic of their own.
"""
