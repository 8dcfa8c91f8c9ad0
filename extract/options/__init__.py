"""The options of stage 1: each is declared once, and groups of them are handed on whole.

`groups` has the objects; `option` makes them and writes them as JSON; `command_line` lets a command take them; `texts`
reads what is written on the command line. From outside: all four. The lowest room: it knows `data` only.
"""
