"""`lager plan`: how many human labels a question needs, with and without a judge's help, and which items to label.

From outside: `plan.plan_labels`, `pilot.plan_from_pilot`, `draw.draw_items` and the command. It asks `estimate` and
`alt_test` what a pilot says; it reads no file by itself.
"""
